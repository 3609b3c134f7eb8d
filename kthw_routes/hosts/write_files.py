"""Writing files of ours: checked first, written atomically; then the host's programs read them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.hosts import atomic_write, netplan_check, programs
from kthw_routes.hosts.task import HostTask
from kthw_routes.persistence import netplan, unit
from kthw_routes.persistence import paths as own_paths
from kthw_routes.plan.changes import FileChange
from kthw_routes.plan.changes.file import ordered, timer_must_pause, timer_of
from kthw_routes.ssh.command import NO_SUCH_PROGRAM, Command
from kthw_routes.ssh.errors import TookTooLong

_NOT_LOADED: Final = "not loaded"
"""What systemd prints for a unit that it does not know, such as one whose file was removed: it is stopped already."""
_NO_FILE: Final = "does not exist"
"""What systemd prints where it is to disable a unit whose file is gone."""
_WARNING: Final = "Warning:"
"""How systemd begins what is not an error, as that a unit's file changed since it was read."""
_KEPT: Final = "{path} was kept, as the file that was to take its place could not be written."
_NEEDED: Final = f"{{path}} was kept, as {unit.TIMER.name} is there still."


def pause_timer(task: HostTask, changes: Sequence[FileChange]) -> Mapping[str, str]:
    """Stop, while routes and files change, the timer that would put the old routes back.

    It is not disabled yet, though it may be about to go: where the new files cannot be written it goes on.

    Returns path -> a sentence, where the timer could not be stopped. Raises what `Session.run` raises.
    """
    if not timer_must_pause(changes):
        return {}
    if problem := _run(task, programs.stop_timer(), may_be_missing=True, fine=_NOT_LOADED):
        return {str(unit.TIMER): f"{unit.TIMER.name} could not be stopped: {problem}"}
    return {}


def resume_timer(task: HostTask, changes: Sequence[FileChange], *, timer_was_enabled: bool) -> None:
    """Start the timer that `pause_timer` stopped again, as the files are left as they are after all.

    Raises what `Session.run` raises, but for a command that takes too long.
    """
    if timer_must_pause(changes) and timer_was_enabled:
        _run(task, programs.enable_timer(), may_be_missing=True)


def write(task: HostTask, changes: Sequence[FileChange]) -> Mapping[str, str]:
    """Make the changes of files, and let the host's programs read them.

    Nothing is removed where another of the files could not be written: the routes would be in neither. A timer that
    `pause_timer` stopped runs again then, if systemd starts it at boot.

    Returns path -> a sentence that says why that file was left as it is, or what its reader reported.
    Raises what `Session.run` raises.
    """
    written, removed = ordered(changes)
    problems = {str(c.path): problem for c in written if (problem := _put(task, c))}
    if any(c.path in unit.ALL_PATHS for c in written):
        problems = _start_units(task, changes, problems) | problems
    if any(str(c.path) in problems for c in written if c.is_ours):
        return _keep(task, removed) | problems
    for change in removed:
        stays = change.path in unit.ALL_PATHS and str(unit.TIMER) in problems
        if problem := _NEEDED.format(path=change.path) if stays else _remove(task, change):
            problems[str(change.path)] = problem
    if _is_of_unit(removed, problems) and (words := _run(task, programs.reload_units(), may_be_missing=True)):
        problems[str(unit.TIMER)] = f"`{programs.reload_units()}` failed: {words}"
    return problems


def _keep(task: HostTask, changes: Sequence[FileChange]) -> dict[str, str]:
    """Keep the files that were to be removed: each with the reason; our timer among them goes on."""
    kept = {str(c.path): _KEPT.format(path=c.path) for c in changes}
    was_paused = any(c.path in unit.ALL_PATHS for c in changes)
    if was_paused and _is_enabled(task) and (words := _run(task, programs.enable_timer())):
        kept[str(unit.TIMER)] = f"{unit.TIMER} was kept, but `{programs.enable_timer()}` failed: {words}"
    return kept


def _is_of_unit(changes: Sequence[FileChange], problems: Mapping[str, str]) -> bool:
    """Whether a file of the unit was changed."""
    return any(c.path in unit.ALL_PATHS and str(c.path) not in problems for c in changes)


def _put(task: HostTask, change: FileChange) -> str | None:
    """Write one file; return why it was left as it is, if it was."""
    path, content = change.path, change.after or b""
    if not (own_paths.is_own(path) if change.is_ours else own_paths.is_template(path)):
        return f"{path} is not a file that kthw-routes writes; it was left alone."
    if path == netplan.PATH and (problem := netplan_check.refuse(task, content)):
        return problem
    if change.before is None and (problem := atomic_write.attempt(task, path, programs.make_folder(path.parent))):
        return problem
    mode = change.mode if change.is_ours else None
    if problem := atomic_write.replace(task, path, own_paths.new_file_for(path), content, mode, change.before):
        if change.before is None:
            _tidy(task, change)
        return problem
    return _sync(task, path) or (_generate_or_put_back(task, change) if path == netplan.PATH else None)


def _remove(task: HostTask, change: FileChange) -> str | None:
    """Remove one file of ours; return why it is there still, if it is."""
    path = change.path
    if not (change.is_ours and own_paths.is_own(path)):
        return f"{path} is not a file of kthw-routes; it was left alone."
    if path == unit.TIMER and (words := _run(task, programs.disable_timer(), may_be_missing=True, fine=_NO_FILE)):
        return f"{path.name} could not be disabled: {words}"
    if problem := _remove_file(task, change):
        return problem
    if path == netplan.PATH and (words := _generate(task, may_be_missing=True)):
        return f"{path} is gone, but `netplan generate` fails on the files that are left: {words}"
    return None


def _remove_file(task: HostTask, change: FileChange) -> str | None:
    if change.before is not None and (problem := atomic_write.compare(task, change.path, {change.path: change.before})):
        return problem
    if problem := atomic_write.attempt(task, change.path, programs.remove_file(change.path)):
        return problem
    _tidy(task, change)
    return None if change.folder_is_ours else _sync(task, change.path)


def _tidy(task: HostTask, change: FileChange) -> None:
    """Remove the folder that was made for a file, if nothing else is in it by now."""
    if change.folder_is_ours:
        with suppress(TookTooLong):
            task.run(programs.remove_folder(change.path.parent), silent=True)


def _sync(task: HostTask, path: PurePosixPath) -> str | None:
    """Bring to disk that a file is there, or is not; as far as `sync` can (it takes no path before coreutils 8.24)."""
    try:
        task.run(programs.sync_folder(path.parent), silent=True)
    except TookTooLong as error:
        return f"{path} was changed, but whether that is on disk is not confirmed: {error.complaint}"
    return None


# --- programs that read the files --------------------------------------------------------------------------------


def _run(task: HostTask, command: Command, *, may_be_missing: bool = False, fine: str | None = None) -> str | None:
    """Run a command; return why it failed, if it did. A program that may be missing has nothing to do then.

    Args:
        task: the host.
        command: what to run.
        may_be_missing: whether the program need not be there.
        fine: words that make an error line none; of several lines each must contain them.
    """
    try:
        result = task.run(command)
    except TookTooLong as error:
        return error.complaint
    if result.ok or (may_be_missing and result.status == NO_SUCH_PROGRAM):
        return None
    complaints = [line for line in result.err.splitlines() if line.strip() and not line.startswith(_WARNING)]
    if fine and complaints and all(fine in line for line in complaints):
        return None
    return result.words or f"{command.argv[0]} ended with status {result.status}."


def _generate(task: HostTask, *, may_be_missing: bool = False) -> str | None:
    """Let netplan write what the next boot, or the next `networkctl reload`, reads; nothing is applied now.

    It prints the line that it does not understand, perhaps one with the password of a Wi-Fi in it: that is not shown.

    Returns what it complains of, if anything.
    """
    try:
        result = task.run(programs.generate_netplan(), silent=True)
    except TookTooLong as error:
        return error.complaint
    if result.ok or (may_be_missing and result.status == NO_SUCH_PROGRAM):
        return None
    return netplan_check.summarize_errors(result)


def _generate_or_put_back(task: HostTask, change: FileChange) -> str | None:
    """Let netplan read its file; where it fails, the file is put back as it was.

    For before netplan 1.1 one bad file takes the network from the next boot.
    """
    if not (words := _generate(task)):
        return None
    back = change.undone
    if back.after is None:
        problem = _remove_file(task, back)
    else:
        new = own_paths.new_file_for(back.path)
        problem = atomic_write.replace(task, back.path, new, back.after, back.mode, back.before)
    if problem:
        return f"`netplan generate` failed ({words}), and the file could not be put back as it was: {problem}"
    _generate(task)
    return f"`netplan generate` failed ({words}); {change.path} was put back as it was."


def _start_units(task: HostTask, changes: Sequence[FileChange], problems: Mapping[str, str]) -> dict[str, str]:
    """Let systemd read the unit again, and start the timer if it is to run and all that it needs is there.

    A file of it that could not be written, and is there as it was, keeps no timer from running as it did.
    """
    timer = timer_of(changes)
    written = [c for c in ordered(changes)[0] if c.path in unit.ALL_PATHS]
    failed = [c for c in written if str(c.path) in problems]
    if timer is None:
        runs = _is_enabled(task)
    else:
        runs = timer.after is not None and (timer.was_enabled if timer in failed else timer.is_enabled)
    commands = [programs.reload_units()] if written != failed else []
    if runs and all(c.before is not None for c in failed):
        commands.append(programs.enable_timer())
    elif timer in written and timer not in failed and timer.was_enabled and not timer.is_enabled:
        commands.append(programs.disable_timer())
    for command in commands:
        if words := _run(task, command):
            return {str(unit.TIMER): f"`{command}` failed: {words}"}
    return {}


def _is_enabled(task: HostTask) -> bool:
    """Whether a timer of which nothing is planned is to run: it was stopped before the change."""
    with suppress(TookTooLong):
        return task.run(programs.timer_is_enabled(), silent=True).out.strip() == "enabled"
    return False
