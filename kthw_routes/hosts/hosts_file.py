"""`/etc/hosts`, read and written whole: into a new file, renamed over it; owner, mode, label and attributes kept."""

from typing import Final

from kthw_routes.hosts import atomic_write, programs
from kthw_routes.hosts.task import HostTask
from kthw_routes.sanitize import clean_value
from kthw_routes.ssh.errors import FileTooLarge, TookTooLong

MAX_LINES: Final = 2_000_000
"""Lines of /etc/hosts; long lists of names to block have a tenth of it."""


def read(task: HostTask) -> tuple[bytes | None, str]:
    """The file's bytes and no words; or None and why it could not be read, without a full stop.

    Raises what `Visit.run` raises.
    """
    try:
        content = atomic_write.read(task, programs.ETC_HOSTS, needs_root=True)
    except FileTooLarge as error:
        return None, error.complaint.removesuffix(".")
    except TookTooLong:  # whoever reads a FIFO waits for ever
        content = None
    if content is not None and (lines := content.count(b"\n")) > MAX_LINES:
        return None, f"/etc/hosts has {lines:,} lines, and kthw-routes handles up to {MAX_LINES:,}"
    return content, "" if content is not None else _ignored_reason(task)


def _ignored_reason(task: HostTask) -> str:
    """Why `/etc/hosts` cannot be read, without a full stop."""
    found = task.run(programs.file_kind(programs.ETC_HOSTS), silent=True)
    kind = clean_value(found.out)
    if not found.ok and "No such file" in found.err:
        return "there is no /etc/hosts that could be read"
    if found.ok and not kind.startswith("regular") and kind != "symbolic link":
        return f"/etc/hosts is a {kind}, not a file"
    said = found if not found.ok else task.run(programs.read_files([programs.ETC_HOSTS], needs_root=True), silent=True)
    return f"/etc/hosts cannot be read ({clean_value(said.err) or f'status {said.status}'})"


def write(task: HostTask, before: bytes, content: bytes) -> str:
    """Replace `/etc/hosts`, which was read as `before`, by `content`.

    Returns the empty string, or a sentence that says why it was left as it is.

    Raises what `Session.run` raises.
    """
    return atomic_write.replace(task, programs.ETC_HOSTS, programs.NEW_ETC_HOSTS, content, None, before)
