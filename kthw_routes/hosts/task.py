"""A session whose commands become events: what is run on a host, and what it answers, as it happens."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import Emit, Event, EventKind, HostState, Phase
from kthw_routes.hosts.foresight import Expect, Known, Mode, Rehearsal, Unforeseeable, nothing_known
from kthw_routes.hosts.ip_batch import Batch, batches
from kthw_routes.hosts.sent import Sent
from kthw_routes.ssh.command import KILLED, TIMED_OUT, Command, Result
from kthw_routes.ssh.errors import HostError, OutputCut, SecretEchoed, TookTooLong
from kthw_routes.ssh.session import Session
from kthw_routes.ssh.shell_line import Step
from kthw_routes.ssh.streams import MAX_LINES


@dataclass(frozen=True, slots=True)
class HostTask:
    """One host within one step of the work."""

    session: Session
    step: Phase
    emit: Emit
    sent: Sent = field(default_factory=Sent)
    """What was sent to the host so far."""
    known: Known = field(default_factory=Known)
    """What it answered so far, and to commands that are still to come."""

    @property
    def node(self) -> str:
        """The node's name."""
        return self.session.node

    def run(self, command: Command, *, silent: bool = False) -> Result:
        """Run a command; report it, its input and its output lines, unless its output is for programs only.

        What was run ahead already is answered from there, once.

        Raises TookTooLong, OutputCut where the command is to be answered, HostError where nothing may be sent any more,
        and what `Session.run` raises.
        """
        answer = self.known.take(command)
        if isinstance(answer, SecretEchoed):
            raise answer
        result = answer if answer is not None else self._run(command, silent=silent)
        self.known.remember(command, result)
        if result.not_shown:
            self.note(f"{result.not_shown} bytes of the output of `{command}` were not shown, nor recorded")
        if result.status in (TIMED_OUT, KILLED):
            raise TookTooLong(
                self.node,
                f"`{command}` took too long and was ended there.",
                "Is the node very busy, or does its disk hang? Check it (`uptime`, `dmesg`), then try again.",
            )
        if result.is_cut and command.is_answered:
            raise OutputCut(
                self.node,
                f"`{command}` wrote more than {command.capture} bytes, so that its answer is incomplete.",
                "Check there what it writes; an incomplete answer is not used.",
            )
        return result

    def ahead(
        self,
        work: Callable[["HostTask"], object],
        *,
        after: Callable[["HostTask"], object] | None = None,
        guard: Callable[["HostTask"], object] | None = None,
        expect: Expect = nothing_known,
    ) -> Mode | None:
        """Run in one exec the commands that `work` is going to run, as far as they can be foreseen.

        Args:
            work: what needs no step to end in one way. It is to be called afterwards, with this task; what was not
                foreseen is run then.
            after: what changes something before that. Of its commands each is run only if all before it ended as they
                assume; and `work`'s only after all of them.
            guard: what was read before in this way; nothing else is run where it is not as it was.
            expect: what is going to be answered otherwise than the last time.

        Returns what it came to in the end; None where nothing was run. Raises what `Session.run_script` raises, and
        HostError where nothing may be sent any more.
        """
        if after is not None:
            self.known.waiting.clear()  # it may be so no more
        rehearsal = Rehearsal(self.session, self.known, expect)
        task = HostTask(rehearsal, self.step, _to_nobody)
        begins: dict[int, Mode] = {}
        with suppress(Unforeseeable, KthwRoutesError, ValueError):  # what follows then is decided by the answers
            for mode, part in ((Mode.GUARD, guard), (Mode.CHANGE, after), (Mode.READ, work)):
                if part is not None:
                    rehearsal.mode = begins[len(rehearsal.steps)] = mode
                    part(task)
        if len(rehearsal.steps) < 2:
            return None
        return self._run_script(rehearsal.steps, begins)

    def _run(self, command: Command, *, silent: bool) -> Result:
        self.tell_command(command, silent=silent)
        if not self.sent.begin(command):
            raise HostError(self.node, f"stopped before `{command}` was sent.", nothing_ran=True)
        try:
            return self.session.run(command, None if silent else self.line)
        except HostError as error:
            if error.nothing_ran:
                self.sent.retract(command)
            raise

    def _run_script(self, steps: Sequence[Step], begins: Mapping[int, Mode]) -> Mode | None:
        """Run the steps. `begins`: with which of them each part begins. Returns the part that was come to."""
        begun = [step for step in steps if self.sent.begin(step.command)]
        watch = _Watch(self, batches(steps), begins)
        try:
            if len(begun) < len(steps):
                raise HostError(self.node, "stopped before its commands were sent.", nothing_ran=True)
            self.session.run_script([batch.step for batch in watch.batches], watch)
        except HostError as error:
            if error.nothing_ran:
                self._retract(begun)
            else:
                self.note(f"broke off after {watch.ended} of {len(steps)} commands")
            raise
        self._retract(begun[watch.ended :])
        return watch.mode

    def _retract(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.sent.retract(step.command)

    def tell_command(self, command: Command, *, silent: bool) -> None:
        """Report a command that is about to run, and its input unless that is silent."""
        self._report(EventKind.COMMAND, str(command))
        if command.stdin and not silent:
            lines = command.stdin.decode("utf-8", "replace").splitlines()
            for line in lines[:MAX_LINES]:
                self._report(EventKind.COMMAND, f"  {line}")
            if len(lines) > MAX_LINES:
                self.note(f"{len(lines) - MAX_LINES} further lines of its input are not shown")

    def state(self, state: HostState, text: str = "") -> None:
        """Report the state of the host."""
        self.emit(Event(self.step, EventKind.STATE, text or str(state), self.node, state))

    def note(self, text: str) -> None:
        """Report a sentence of ours."""
        self._report(EventKind.NOTE, text)

    def line(self, text: str, is_error: bool) -> None:
        """Report a line that a command wrote."""
        self._report(EventKind.ERROR if is_error else EventKind.OUTPUT, text)

    def _report(self, kind: EventKind, text: str) -> None:
        self.emit(Event(self.step, kind, text, self.node))


_STATES: Final = {Mode.GUARD: HostState.READING, Mode.CHANGE: HostState.CHANGING, Mode.READ: HostState.READING_BACK}


@dataclass(slots=True)
class _Watch:
    """Reports the commands of a script as they run, and keeps their answers."""

    task: HostTask
    batches: Sequence[Batch]
    parts: Mapping[int, Mode]
    """With which command each part begins."""
    part: Mode | None = None
    """The part whose commands run."""
    mode: Mode | None = None
    """The last part of which a command has ended: where the host itself stops a script, none of the next has."""
    over: int = 0
    ended: int = 0
    """How many commands have ended."""

    def begins(self, step: Step) -> None:
        if (mode := self.parts.get(self.ended)) is not None:
            self.part = mode
            if mode is not Mode.READ or len(self.parts) > 1:
                self.task.state(_STATES[mode])
        for command in self.batches[self.over].commands:
            self.task.tell_command(command, silent=step.is_silent)

    def line(self, text: str, is_error: bool) -> None:
        self.task.line(text, is_error)

    def ends(self, step: Step, result: Result | SecretEchoed) -> None:
        batch = self.batches[self.over]
        self.over += 1
        self.ended += len(batch.commands)
        self.mode = self.part
        if self.mode is Mode.GUARD:
            return
        if isinstance(result, SecretEchoed):
            self.task.known.keep(step.command, result)
            return
        for command, part in zip(batch.commands, batch.split(result) or (), strict=False):
            self.task.known.keep(command, part)


def _to_nobody(_event: Event) -> None:
    """Report nothing: it is a rehearsal."""
