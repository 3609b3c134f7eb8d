"""Readings of `ip` in one process: several commands of a script become one batch, and its output is theirs again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kthw_routes.hosts import programs
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.shell_line import Step


@dataclass(frozen=True, slots=True)
class Batch:
    """What is one step of a script: a command, or several readings of `ip` in one process."""

    commands: tuple[Command, ...]
    step: Step

    def split(self, result: Result) -> Sequence[Result] | None:
        """Return each command's own result; None where they cannot be distinguished, so that each is run by itself.

        `ip` prints a line of JSON for each command, unless one fails or another program is called so.
        """
        if len(self.commands) == 1:
            return [result]
        lines = result.stdout.splitlines(keepends=True)
        are_theirs = len(lines) == len(self.commands) and all(line.startswith(b"[") for line in lines)
        whole = result.ok and not result.is_cut and are_theirs
        return [replace(result, stdout=line) for line in lines] if whole else None


def batches(steps: Iterable[Step]) -> list[Batch]:
    """Put readings of `ip` that follow one another into one step."""
    found: list[Batch] = []
    group: list[Step] = []

    def close() -> None:
        if len(group) > 1:
            commands = tuple(step.command for step in group)
            found.append(Batch(commands, Step(programs.ip_readings(commands), is_silent=True)))
        else:
            found.extend(Batch((step.command,), step) for step in group)
        group.clear()

    for step in steps:
        if step.is_silent and step.expected is None and programs.fits_ip_batch(step.command):
            group.append(step)
        else:
            close()
            found.append(Batch((step.command,), step))
    close()
    return found
