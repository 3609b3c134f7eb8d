"""What commands leave behind: of one command its result; of a script how far it came, and each result as it comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from kthw_routes.ssh.command import TIMED_OUT, Command, Result
from kthw_routes.ssh.echoes import Echoes
from kthw_routes.ssh.errors import ConnectionLost, SecretEchoed
from kthw_routes.ssh.refusals import echoed
from kthw_routes.ssh.session import OnLine, Watch
from kthw_routes.ssh.shell_line import Step
from kthw_routes.ssh.streams import Live, Stream


@dataclass(frozen=True, slots=True)
class Part:
    """The output of one command while it comes."""

    command: Command
    live: Live | None
    """Where it is shown; None where it is not."""
    echoes: Echoes
    out: Stream
    err: Stream

    @classmethod
    def of(cls, command: Command, on_line: OnLine | None, echoes: Echoes) -> "Part":
        """Make it for a command whose lines go to `on_line`, if to anybody, without the passwords that it holds."""
        live = Live(on_line, echoes.hidden_in) if on_line is not None else None
        return cls(
            command=command,
            live=live,
            echoes=echoes,
            out=Stream(live, capture=command.capture),
            err=Stream(live, is_error=True, capture=command.capture),
        )

    def result(self, node: str, status: int) -> Result | SecretEchoed:
        """Return what the command left behind; SecretEchoed where it holds a password and is not to be used."""
        stdout = self.out.kept
        if self.echoes.is_in(stdout):
            if self.live is None and not self.command.is_prose:
                error = echoed(node, self.command)
                self.echoes.hidden_in_error(error)
                return error
            stdout = self.echoes.hidden_in_bytes(stdout)
        return Result(
            status=status,
            stdout=stdout,
            stderr=self.echoes.hidden_in_bytes(self.err.kept),
            is_cut=self.out.is_cut,
            is_err_cut=self.err.is_cut,
            not_shown=self.live.not_shown if self.live is not None else 0,
        )


class Progress:
    """How far a script has come. A step is over when both its streams are."""

    def __init__(self, node: str, steps: Sequence[Step], watch: Watch, echoes: Echoes) -> None:
        self._node = node
        self._steps = steps
        self._watch = watch
        self._parts = [
            Part.of(step.command, None if step.is_silent else partial(self._line, number), echoes)
            for number, step in enumerate(steps)
        ]
        self._early: dict[int, list[tuple[str, bool]]] = {}
        """Lines of steps that came on one stream before the step before had ended on the other."""
        self._statuses: list[int] = []
        self._errs_ended = 0
        self._over = 0

    @property
    def outs(self) -> list[Stream]:
        """Return where each step's stdout goes."""
        return [part.out for part in self._parts]

    @property
    def errs(self) -> list[Stream]:
        """Return where each step's stderr goes."""
        return [part.err for part in self._parts]

    def unlimited(self) -> Command | None:
        """Return the command that runs now if it has no time limit of its own."""
        command = self._steps[self._over].command if self._over < len(self._steps) else None
        return command if command is not None and command.is_quick else None

    def begin(self) -> None:
        """Tell that the first step begins."""
        self._begin()

    def out_ended(self, status: int) -> None:
        """Take the end of a step's stdout."""
        self._statuses.append(status)
        self._tell()

    def err_ended(self, _status: int) -> None:
        """Take the end of a step's stderr."""
        self._errs_ended += 1
        self._tell()

    def check_complete(self, status: int) -> None:
        """Raise ConnectionLost where the script ended in the middle, with `status`, though no step stopped it.

        Whether a step ended as expected is the host's word: it may lack the program that compares. A step in which the
        time of the whole script was over took too long.
        """
        if self._over < len(self._steps) and status == TIMED_OUT:
            self._watch.ends(self._steps[self._over], self._parts[self._over].result(self._node, status))
            return
        may_stop = self._over > 0 and self._steps[self._over - 1].expected is not None
        if self._over < len(self._steps) and not (may_stop and status == 0):
            command = self._steps[self._over].command
            raise ConnectionLost(
                self._node,
                f"the commands broke off there at `{command}`, number {self._over + 1} of {len(self._steps)}.",
                "Try again.",
            )

    def _tell(self) -> None:
        while self._over < min(len(self._statuses), self._errs_ended):
            step, status = self._steps[self._over], self._statuses[self._over]
            result = self._parts[self._over].result(self._node, status)
            self._over += 1
            self._watch.ends(step, result)
            goes_on = isinstance(result, SecretEchoed) or step.is_as_expected(result)
            if goes_on and self._over < len(self._steps):
                self._begin()

    def _begin(self) -> None:
        self._watch.begins(self._steps[self._over])
        for text, is_error in self._early.pop(self._over, ()):
            self._watch.line(text, is_error)

    def _line(self, number: int, text: str, is_error: bool) -> None:
        if number == self._over:
            self._watch.line(text, is_error)
        else:
            self._early.setdefault(number, []).append((text, is_error))
