"""Writing a file on a host whole: into a new file beside it, brought to disk, renamed over it. Or not at all."""

from contextlib import suppress
from pathlib import PurePosixPath

from kthw_routes.hosts import programs
from kthw_routes.hosts.command import Command
from kthw_routes.hosts.errors import TookTooLong
from kthw_routes.hosts.visit import Visit
from kthw_routes.untrusted import clean_line


def put(visit: Visit, target: PurePosixPath, new: PurePosixPath, content: bytes, mode: int | None) -> str:
    """Put a file with this content in the place of `target`.

    Args:
        visit: the host.
        target: the file.
        new: where it is written first, in the same folder; a leftover of a broken run is overwritten.
        content: the whole of it.
        mode: its permission bits, owned by root; None: owner, mode, label and attributes as `target` has them.

    Returns the empty string, or a sentence that says why the file was left as it is.
    Raises what `Session.run` raises.
    """
    if problem := _obstacle(visit, target):
        return problem
    empty = programs.copy_attributes(target, new) if mode is None else programs.make_empty(new, mode)
    steps: tuple[tuple[Command, bool], ...] = (
        (programs.remove_file(new), False),
        (empty, False),
        (programs.write_file(new, content), True),
        (programs.rename_over(new, target), False),
    )
    for command, silent in steps:
        if problem := attempt(visit, target, command, silent=silent):
            _forget(visit, new)
            return problem
    return ""


def attempt(visit: Visit, target: PurePosixPath, command: Command, *, silent: bool = False) -> str:
    """Run one step towards changing `target`; the empty string, or a sentence that says why it failed."""
    try:
        result = visit.run(command, silent=silent)
    except TookTooLong as error:
        if command.argv[-1] == str(target):  # the very step that changes it
            return f"whether {target} was changed is not confirmed: {error.complaint}"
        return f"{target} was not changed: {error.complaint}"
    if result.ok:
        return ""
    return _explain(target, clean_line(result.err) or f"{command.argv[0]} ended with status {result.status}")


def _forget(visit: Visit, new: PurePosixPath) -> None:
    with suppress(TookTooLong):  # the caller tells already what is wrong; the next run overwrites a leftover
        visit.run(programs.remove_file(new))


def _obstacle(visit: Visit, target: PurePosixPath) -> str:
    """What can be seen beforehand."""
    try:
        kind = clean_line(visit.run(programs.file_kind(target), silent=True).out)
        mounts = visit.run(programs.mounts(), silent=True).out
    except TookTooLong as error:
        return f"{target} was not changed: {error.complaint}"
    if kind == "symbolic link":
        return f"{target} is a symbolic link; a rename would replace the link, so it was left alone."
    if kind and not kind.startswith("regular"):
        return f"{target} is a {kind}, not a file; it was left alone."
    if any(line.split()[4:5] == [str(target)] for line in mounts.splitlines()):
        return f"{target} is a mount of its own (a container's, perhaps) and cannot be renamed over; it was left alone."
    return ""


def _explain(target: PurePosixPath, words: str) -> str:
    """The host's own words, and what they mean."""
    lower = words.lower()
    if "no space left" in lower or "quota" in lower:
        return f"the disk is full ({words}); {target} is as it was."
    if "read-only file system" in lower:
        return f"the file system is read-only ({words}); {target} is as it was."
    if "operation not permitted" in lower:
        return f"{target} may not be replaced, it may be immutable ({words}); see `lsattr {target}`."
    if "resource busy" in lower:
        return f"{target} is a mount of its own and cannot be renamed over ({words}); it was left alone."
    return f"{target} was not changed: {words}"
