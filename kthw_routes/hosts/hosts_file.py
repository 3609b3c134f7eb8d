"""Writing `/etc/hosts`: whole, into a new file beside it, renamed over it; owner, mode, label and attributes kept."""

from kthw_routes.hosts import programs
from kthw_routes.hosts.command import Command
from kthw_routes.hosts.errors import TookTooLong
from kthw_routes.hosts.visit import Visit
from kthw_routes.untrusted import clean_line


def write(visit: Visit, content: bytes) -> str:
    """Replace `/etc/hosts` by `content`. Returns the empty string, or a sentence that says why it was left as it is.

    Raises what `Session.run` raises.
    """
    if problem := _obstacle(visit):
        return problem
    old, new = programs.ETC_HOSTS, programs.NEW_ETC_HOSTS
    steps: tuple[tuple[Command, bool], ...] = (
        (programs.remove_file(new), False),
        (programs.copy_attributes(old, new), False),
        (programs.write_file(new, content), True),
        (programs.rename_over(new, old), False),
    )
    for command, silent in steps:
        if problem := _try(visit, command, silent):
            visit.run(programs.remove_file(new))
            return problem
    return ""


def _try(visit: Visit, command: Command, silent: bool) -> str:
    """Run one step; the empty string, or a sentence that says why it failed."""
    try:
        result = visit.run(command, silent=silent)
    except TookTooLong as error:
        return f"/etc/hosts was not changed: {error.complaint}"
    if result.ok:
        return ""
    return _explain(clean_line(result.err) or f"{command.argv[0]} ended with status {result.status}")


def _obstacle(visit: Visit) -> str:
    """What can be seen beforehand."""
    kind = clean_line(visit.run(programs.file_kind(programs.ETC_HOSTS), silent=True).out)
    if kind == "symbolic link":
        return "/etc/hosts is a symbolic link; a rename would replace the link, so it was left alone."
    if kind and not kind.startswith("regular"):
        return f"/etc/hosts is a {kind}, not a file; it was left alone."
    mounts = visit.run(programs.mounts(), silent=True).out
    if any(line.split()[4:5] == ["/etc/hosts"] for line in mounts.splitlines()):
        return (
            "/etc/hosts is a mount of its own (a container's, perhaps) and cannot be renamed over; it was left alone."
        )
    return ""


def _explain(words: str) -> str:
    """The host's own words, and what they mean."""
    lower = words.lower()
    if "no space left" in lower or "quota" in lower:
        return f"the disk is full ({words}); /etc/hosts is as it was."
    if "read-only file system" in lower:
        return f"the file system is read-only ({words}); /etc/hosts is as it was."
    if "operation not permitted" in lower:
        return f"/etc/hosts may not be replaced, it may be immutable ({words}); see `lsattr /etc/hosts`."
    if "resource busy" in lower:
        return f"/etc/hosts is a mount of its own and cannot be renamed over ({words}); it was left alone."
    return f"/etc/hosts was not changed: {words}"
