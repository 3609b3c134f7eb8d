"""The automatic rollback: before a change, a host is set to undo it by itself unless the change is confirmed in time.

systemd runs the script; it lies in /run, so a reboot removes both. What ran is known by the script's absence:
whether it runs or is cancelled is decided by a rename, which only one of the two can do.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from kthw_routes.events import now
from kthw_routes.facts import HostFacts
from kthw_routes.hosts import programs
from kthw_routes.hosts.rollback_script import script
from kthw_routes.hosts.task import HostTask
from kthw_routes.persistence import paths as own_paths
from kthw_routes.plan.changes import HostPlan
from kthw_routes.rollback import RollbackState
from kthw_routes.ssh.errors import HostError, TookTooLong


class TimerNotStarted(HostError):
    """The timer could not be started; nothing was changed on the host."""


class StillSet(HostError):
    """The rollback could not be cancelled."""


@dataclass(frozen=True, slots=True)
class RollbackTimer:
    """What is to be said of one host at the end."""

    node: str
    rollback: RollbackState
    sentence: str


def start(task: HostTask, facts: HostFacts, run: str, seconds: int, todo: HostPlan) -> datetime:
    """Start the timer; return about when it fires, in UTC, never before.

    Args:
        task: the host, nothing changed on it yet.
        facts: what was read there.
        run: the run's name.
        seconds: the time until it undoes the changes.
        todo: what it undoes.

    Raises TimerNotStarted, and what `Session.run` raises.
    """
    if not facts.network.has_systemd:
        raise TimerNotStarted(
            task.node, "there is no systemd, which --commit-within needs.", "Leave --commit-within out."
        )
    path = own_paths.rollback_script(run)
    commands = (
        (programs.make_empty(path, 0o700), False),
        (programs.write_file(path, script(todo, path)), True),
        (programs.run_later(own_paths.rollback_unit(run), seconds, path), False),
    )
    for command, silent in commands:
        try:
            result = task.run(command, silent=silent)
            words = "" if result.ok else result.words or f"{command.argv[0]} ended with status {result.status}."
        except TookTooLong as error:
            words = error.complaint
        if words:
            with suppress(TookTooLong):
                task.run(programs.remove_file(path), silent=True)
            raise TimerNotStarted(task.node, f"the automatic rollback could not be set up: {words}")
    fires_at = now() + timedelta(seconds=seconds)
    task.note(f"rolls back automatically at {clock(fires_at)} unless confirmed")
    return fires_at


def cancel(task: HostTask, run: str) -> bool:
    """Cancel the rollback; return False where it has run already, or is about it.

    It may have been started a moment ago: of the script and us, whoever renames it first has it.

    Raises StillSet, and what `HostTask.run` does.
    """
    path = own_paths.rollback_script(run)
    mine = own_paths.claimed(path)
    task.run(programs.stop_unit(f"{own_paths.rollback_unit(run)}.timer"))
    renamed = task.run(programs.rename_over(path, mine), silent=True)
    if renamed.ok:
        task.run(programs.remove_file(mine), silent=True)
    elif task.run(programs.file_kind(path), silent=True).ok:
        words = renamed.words or f"mv ended with status {renamed.status}."
        raise StillSet(task.node, f"{path} could not be taken away: {words}", f"Remove it by hand: `sudo rm {path}`.")
    return renamed.ok


def clock(at: datetime) -> str:
    """Return a moment as the person's clock shows it."""
    return f"{at.astimezone():%H:%M:%S}"
