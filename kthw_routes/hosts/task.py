"""A session whose commands become events: what is run on a host, and what it answers, as it happens."""

from dataclasses import dataclass, field

from kthw_routes.events import Emit, Event, EventKind, HostState, Phase
from kthw_routes.hosts.sent import Sent
from kthw_routes.ssh.command import KILLED, TIMED_OUT, Command, Result
from kthw_routes.ssh.errors import HostError, OutputCut, TookTooLong
from kthw_routes.ssh.session import Session
from kthw_routes.ssh.streams import MAX_LINES


@dataclass(frozen=True, slots=True)
class HostTask:
    """One host within one step of the work."""

    session: Session
    step: Phase
    emit: Emit
    sent: Sent = field(default_factory=Sent)
    """What was sent to the host so far."""

    @property
    def node(self) -> str:
        """The node's name."""
        return self.session.node

    def run(self, command: Command, *, silent: bool = False) -> Result:
        """Run a command; report it, its input and its output lines, unless its output is for programs only.

        Raises TookTooLong, OutputCut where the command is to be answered, HostError where nothing may be sent any more,
        and what `Session.run` raises.
        """
        self._report(EventKind.COMMAND, str(command))
        if command.stdin and not silent:
            lines = command.stdin.decode("utf-8", "replace").splitlines()
            for line in lines[:MAX_LINES]:
                self._report(EventKind.COMMAND, f"  {line}")
            if len(lines) > MAX_LINES:
                self.note(f"{len(lines) - MAX_LINES} further lines of its input are not shown")
        if not self.sent.begin(command):
            raise HostError(self.node, f"stopped before `{command}` was sent.", nothing_ran=True)
        try:
            result = self.session.run(command, None if silent else self._line)
        except HostError as error:
            if error.nothing_ran:
                self.sent.retract(command)
            raise
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

    def state(self, state: HostState, text: str = "") -> None:
        """Report the state of the host."""
        self.emit(Event(self.step, EventKind.STATE, text or str(state), self.node, state))

    def note(self, text: str) -> None:
        """Report a sentence of ours."""
        self._report(EventKind.NOTE, text)

    def _line(self, text: str, is_error: bool) -> None:
        self._report(EventKind.ERROR if is_error else EventKind.OUTPUT, text)

    def _report(self, kind: EventKind, text: str) -> None:
        self.emit(Event(self.step, kind, text, self.node))
