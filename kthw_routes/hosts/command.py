"""One command on a host, and what came of it. `programs` makes every command; `ssh` runs them."""

import shlex
from dataclasses import dataclass
from typing import Final

from kthw_routes.untrusted import clean

TIMED_OUT: Final = 124
"""The exit status of a program that `timeout` ended on the host."""
KILLED: Final = 137
"""And of one that ignored that, and was killed."""
NO_SUCH_PROGRAM: Final = 127
"""And of one that the host does not have."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments. The arguments are validated values, never text from the network."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    """What the program reads; it gets end of file after it."""
    needs_root: bool = False
    """Whether it runs under sudo where the login is not root."""
    is_prose: bool = False
    """Whether its stdout is only shown: a password in it is masked. Else output with one is not used."""
    timeout: float = 20.0
    """Seconds it may run on the host; `timeout(1)` ends it there."""
    changes: bool = False
    """Whether it may change something that stays on the host."""

    def __str__(self) -> str:
        """The command as one would type it."""
        return shlex.join(self.argv)


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left behind. The bytes are as the host sent them: untrusted."""

    status: int
    """The exit status; 124 where the host's `timeout` ended it."""
    stdout: bytes
    stderr: bytes

    @property
    def ok(self) -> bool:
        """Whether the command succeeded."""
        return self.status == 0

    @property
    def out(self) -> str:
        """stdout as text, without control bytes."""
        return clean(self.stdout.decode("utf-8", "replace"))

    @property
    def err(self) -> str:
        """stderr as text, without control bytes or surrounding white space."""
        return clean(self.stderr.decode("utf-8", "replace")).strip()
