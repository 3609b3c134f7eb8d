"""Files on a host, read whole and written atomically: a new file is brought to disk, compared, renamed over the old.

The new content is made from the old as it was read. So before the rename the host itself reports, by size and digest,
whether the file is still what was read, and whether the new one is what was meant.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.hosts import programs
from kthw_routes.hosts.task import HostTask
from kthw_routes.persistence import paths as own_paths
from kthw_routes.plan.changes import MAX_FILE
from kthw_routes.sanitize import clean_line, clean_value
from kthw_routes.ssh.command import MAX_CAPTURE, Command
from kthw_routes.ssh.errors import FileTooLarge, OutputCut, TookTooLong

_DIGEST: Final = re.compile(r"([0-9a-f]{64}) [ *](/.+)")
_SIZE: Final = re.compile(r"([0-9]{1,19}) (/.+)", re.ASCII)

MAX_HOSTS_LINES: Final = 2_000_000
"""Lines of /etc/hosts; long lists of names to block have a tenth of it."""


def read(task: HostTask, path: PurePosixPath, *, needs_root: bool = False) -> bytes | None:
    """Read a file, whole; None where there is none that could be read. Its size is asked for only where it is large.

    Raises FileTooLarge where it has more than MAX_FILE bytes, and what `Session.run` raises.
    """
    hangs: TookTooLong | None = None
    try:
        result = task.run(programs.read_files([path], needs_root=needs_root), silent=True)
        return result.stdout if result.ok else None
    except OutputCut:
        pass
    except TookTooLong as error:  # a FIFO, or a file so large that it takes that long
        hangs = error
    sized = task.run(programs.file_size(path, needs_root=needs_root), silent=True)
    digits = sized.out.strip() if sized.ok else ""
    size = int(digits) if re.fullmatch("[0-9]{1,19}", digits) else 0  # unknown: what is kept is bounded all the same
    if size > MAX_FILE:
        raise _too_large(task, path, f"{size} bytes")
    if hangs is not None and size <= MAX_CAPTURE:
        raise hangs
    try:
        result = task.run(programs.read_whole(path, size, needs_root=needs_root), silent=True)
    except OutputCut as error:  # it grows, or its size is not its size, as below /proc
        raise _too_large(task, path, f"more than {MAX_FILE} bytes") from error
    return result.stdout if result.ok else None


def _too_large(task: HostTask, path: PurePosixPath, size: str) -> FileTooLarge:
    sentence = f"{path} has {size}; no file of more than {MAX_FILE >> 20} MiB is read."
    return FileTooLarge(task.node, sentence, "Make it smaller, then try again.")


def replace(
    task: HostTask, target: PurePosixPath, new: PurePosixPath, content: bytes, mode: int | None, before: bytes | None
) -> str | None:
    """Put a file with this content in the place of `target`.

    Args:
        task: the host.
        target: the file.
        new: where it is written first, in the same folder; a leftover of a broken run is overwritten.
        content: the whole of it.
        mode: its permission bits, owned by root; None: owner, mode, label and attributes as `target` has them.
        before: `target` as it was read; None where it was not there.

    Returns a sentence that says why the file was left as it is; None where it was replaced.
    Raises what `Session.run` raises.
    """
    if problem := _obstacle(task, target, is_new=before is None):
        return problem
    empty = programs.copy_attributes(target, new) if mode is None else programs.make_empty(new, mode)
    steps: tuple[tuple[Command, bool], ...] = (
        (programs.remove_file(new), False),
        (empty, False),
        (programs.write_file(new, content), True),
    )
    problem = next((p for command, silent in steps if (p := attempt(task, target, command, silent=silent))), None)
    known = {new: content} if before is None else {target: before, new: content}
    problem = problem or compare(task, target, known) or attempt(task, target, programs.rename_over(new, target))
    if problem:
        _forget(task, new)
    return problem


def compare(task: HostTask, target: PurePosixPath, known: Mapping[PurePosixPath, bytes]) -> str | None:
    """Let the host compare files with what they should be, by size and digest; `target` is to change.

    Returns a sentence that says what was found, and that `target` was left as it is; None where they are the same.
    Raises what `Session.run` raises.
    """
    for command, form in ((programs.sizes(known), _SIZE), (programs.digests(known), _DIGEST)):
        try:
            result = task.run(command, silent=True)
        except (TookTooLong, OutputCut) as error:
            return f"{target} was not changed: {error.complaint}"
        should, found = _by_path(form, (command.assumed or b"").decode()), _by_path(form, result.out)
        if not result.ok or found.keys() != known.keys():
            words = result.words or f"the output of `{command}` was not understood"
            return f"{target} was not changed, as its content could not be compared there: {words}"
        if target in found and found[target] != should[target]:
            return f"{target} was changed by another program just now and was left as it is; try again."
        if found != should:
            return f"{target} was not changed, as the new file next to it does not have what was written to it."
    return None


def _by_path(form: re.Pattern[str], lines: str) -> dict[PurePosixPath, str]:
    """Return path -> size or digest, of the lines that have this form."""
    matches = [form.fullmatch(line) for line in lines.splitlines()]
    return {PurePosixPath(match[2]): match[1] for match in matches if match}


def attempt(task: HostTask, target: PurePosixPath, command: Command, *, silent: bool = False) -> str | None:
    """Run one step towards changing `target`; return a sentence that says why it failed, if it did."""
    try:
        result = task.run(command, silent=silent)
    except TookTooLong as error:
        if command.argv[-1] == str(target):  # the very step that changes it
            return f"whether {target} was changed is not confirmed: {error.complaint}"
        return f"{target} was not changed: {error.complaint}"
    if result.ok:
        return None
    return _explain(target, result.words or f"{command.argv[0]} ended with status {result.status}")


def _forget(task: HostTask, new: PurePosixPath) -> None:
    with suppress(TookTooLong):  # the caller already reports what is wrong; the next run overwrites a leftover
        task.run(programs.remove_file(new))


def _obstacle(task: HostTask, target: PurePosixPath, *, is_new: bool) -> str | None:
    """Find what is against it beforehand; `is_new`: whether nothing was there when it was read."""
    try:
        kind = clean_line(task.run(programs.file_kind(target, is_new=is_new), silent=True).out)
        mounts = task.run(programs.mounts_at(target), silent=True).out
    except (TookTooLong, OutputCut) as error:
        return f"{target} was not changed: {error.complaint}"
    if kind == "symbolic link":
        return f"{target} is a symbolic link; a rename would replace the link, so it was left alone."
    if kind and not kind.startswith("regular"):
        return f"{target} is a {kind}, not a file; it was left alone."
    if any(line.split()[4:5] == [str(target)] for line in mounts.splitlines()):
        return f"{target} is a mount of its own (a container's, perhaps) and cannot be replaced; it was left alone."
    if kind and is_new:
        return f"{target} was made by another program just now and was left as it is; try again."
    return None


def _explain(target: PurePosixPath, words: str) -> str:
    """Explain the host's own words."""
    lower = words.lower()
    if "no space left" in lower or "quota" in lower:
        return f"the disk is full ({words}); {target} is as it was."
    if "read-only file system" in lower:
        return f"the file system is read-only ({words}); {target} is as it was."
    if "operation not permitted" in lower:
        return f"{target} may not be replaced, it may be immutable ({words}); see `lsattr {target}`."
    if "resource busy" in lower:
        return f"{target} is a mount of its own and cannot be replaced ({words}); it was left alone."
    return f"{target} was not changed: {words}"


# --- /etc/hosts -------------------------------------------------------------------------------------------------


def read_etc_hosts(task: HostTask) -> tuple[bytes | None, str | None]:
    """Return the bytes of `/etc/hosts` and None; or None and why it could not be read, without a full stop.

    Raises what `Session.run` raises.
    """
    try:
        content = read(task, own_paths.ETC_HOSTS, needs_root=True)
    except FileTooLarge as error:
        return None, error.complaint.removesuffix(".")
    except TookTooLong:  # reading a FIFO waits for ever
        content = None
    if content is not None and (lines := content.count(b"\n")) > MAX_HOSTS_LINES:
        return None, f"/etc/hosts has {lines:,} lines, and kthw-routes handles up to {MAX_HOSTS_LINES:,}"
    return content, _unreadable_reason(task) if content is None else None


def _unreadable_reason(task: HostTask) -> str:
    """Say why `/etc/hosts` cannot be read, without a full stop."""
    found = task.run(programs.file_kind(own_paths.ETC_HOSTS), silent=True)
    kind = clean_value(found.out)
    if not found.ok and "No such file" in found.err:
        return "there is no /etc/hosts that could be read"
    if found.ok and not kind.startswith("regular") and kind != "symbolic link":
        return f"/etc/hosts is a {kind}, not a file"
    if found.ok:
        found = task.run(programs.read_files([own_paths.ETC_HOSTS], needs_root=True), silent=True)
    return f"/etc/hosts cannot be read ({clean_value(found.err) or f'status {found.status}'})"


def write_etc_hosts(task: HostTask, before: bytes, content: bytes) -> str | None:
    """Replace `/etc/hosts`, which was read as `before`, by `content`.

    Returns a sentence that says why it was left as it is; None where it was replaced.
    Raises what `Session.run` raises.
    """
    return replace(task, own_paths.ETC_HOSTS, own_paths.NEW_ETC_HOSTS, content, None, before)
