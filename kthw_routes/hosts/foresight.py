"""Planning ahead: which commands a piece of work will run on a host, so that they can be sent in one script.

The work itself is run once for that, on a session that sends nothing: each command is answered by what is known of it
already, else by what it assumes (`Command.assumed`), and noted. So nothing that work does is written down twice, and a
wrong guess costs a round trip and nothing else: what was not foreseen is run by itself.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from kthw_routes.facts import HostKey
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import SecretEchoed
from kthw_routes.ssh.session import OnLine, Session, Watch
from kthw_routes.ssh.shell_line import Step

MAX_STEPS: Final = 200
"""Commands of one script."""
_GUARDING: Final = frozenset({"bridge", "cat", "find", "grep", "ip", "nft", "stat"})
"""The programs of which the answers are the same as long as nothing was changed: addresses, routes, files."""
_MAX_KEPT: Final = 64 * 1024
"""Bytes of an answer that are kept for planning."""

Answer = Result | SecretEchoed
Expect = Callable[[Command], Result | None]
"""Says what a command will answer; None where it is not known."""


def nothing_known(_command: Command) -> Result | None:
    """Expect nothing in particular."""
    return None


@dataclass(slots=True)
class Known:
    """What is known of a host's answers.

    Attributes:
        last: the last answer of each command, for planning only; may be kept from one phase to the next.
        waiting: the answers of commands that were run ahead, until the work asks for them. Each is given once.
    """

    last: dict[Command, Result] = field(default_factory=dict)
    waiting: dict[Command, deque[Answer]] = field(default_factory=dict)

    def take(self, command: Command) -> Answer | None:
        """Return an answer that was fetched ahead; None where there is none."""
        answers = self.waiting.get(command)
        if not answers:
            return None
        answer = answers.popleft()
        if not answers:
            del self.waiting[command]
        return answer

    def keep(self, command: Command, answer: Answer) -> None:
        """Keep an answer until the work asks for it."""
        self.waiting.setdefault(command, deque()).append(answer)

    def remember(self, command: Command, result: Result) -> None:
        """Remember how a command that changes nothing answered."""
        self.last.pop(command, None)
        if not command.changes and len(result.stdout) <= _MAX_KEPT:
            self.last[command] = result


class Mode(Enum):
    """What a rehearsal is of."""

    READ = auto()
    """Reading: any answer will do."""
    CHANGE = auto()
    """Changes: each only makes sense where it ends as assumed, and all before it did."""
    GUARD = auto()
    """Reading what was read before: nothing is to be done where that is not as it was."""


class Unforeseeable(Exception):
    """What comes next depends on an answer of which nothing is known."""


class Rehearsal:
    """A session that sends nothing, and notes the commands of which the answers are not there yet."""

    def __init__(self, session: Session, known: Known, expect: Expect) -> None:
        """
        Args:
            session: the one that it stands for.
            known: what was answered so far; not used up.
            expect: what is going to be answered otherwise than last time.
        """
        self.privilege = session.privilege
        self.steps: list[Step] = []
        """What is to be run."""
        self.mode = Mode.READ
        self._session = session
        self._waiting = {command: deque(answers) for command, answers in known.waiting.items()}
        self._last: Mapping[Command, Result] = known.last
        self._expect = expect

    @property
    def node(self) -> str:
        """The node's name."""
        return self._session.node

    @property
    def user(self) -> str:
        """The user that is logged in."""
        return self._session.user

    @property
    def host_key(self) -> HostKey:
        """The key that the host presented."""
        return self._session.host_key

    def open(self) -> None:
        """Do nothing: the session is open."""

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        """Note a command, and answer as the host is going to. Raises Unforeseeable."""
        if answers := self._waiting.get(command):
            answer = answers.popleft()
            if isinstance(answer, SecretEchoed):
                raise answer
            return answer
        if not command.fits_script or len(self.steps) == MAX_STEPS:
            raise Unforeseeable
        assumed = Result(command.assumed_status, command.assumed or b"", b"")
        match self.mode:
            case Mode.READ:
                self.steps.append(Step(command, is_silent=on_line is None))
                return self._expect(command) or self._last.get(command) or assumed
            case Mode.CHANGE:
                self.steps.append(Step(command, is_silent=on_line is None, expected=assumed))
                if command.is_answered and command.assumed is None:
                    raise Unforeseeable
                return assumed
            case Mode.GUARD:
                if (last := self._last.get(command)) is None:
                    raise Unforeseeable
                if command.argv[0] in _GUARDING:
                    self.steps.append(Step(command, is_silent=True, expected=last))
                return last

    def run_script(self, _steps: object, _watch: Watch, /) -> None:
        """Refuse: a rehearsal is not planned ahead itself."""
        raise Unforeseeable

    def close(self) -> None:
        """Do nothing."""
