"""One command on a host, and what came of it. `programs` makes every command; `ssh` runs them."""

import shlex
from dataclasses import dataclass
from typing import Final

from kthw_routes.sanitize import clean, clean_line

TIMED_OUT: Final = 124
"""The exit status of a program that `timeout` ended on the host."""
KILLED: Final = 137
"""And of one that ignored that, and was killed."""
CANNOT_RUN: Final = 126
"""And of one that the host has, and cannot run."""
NO_SUCH_PROGRAM: Final = 127
"""And of one that the host does not have."""

MAX_CAPTURE: Final = 4 * 1024 * 1024
"""Bytes of each of a command's streams that are kept, unless the command says otherwise."""
MAX_IN_SCRIPT: Final = 256 * 1024
"""Bytes of input of a command that may be sent with others in one script."""
MAX_WORDS: Final = 2000
"""Characters of a program's complaint that are quoted."""
SLOWEST: Final = 256 * 1024
"""Bytes a second at which a large file may still come or go, in addition to the time that its program takes."""


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
    is_quick: bool = False
    """Whether it reads what the kernel has in memory, or a few names of files, and among others needs no own limit."""
    only_with: str | None = None
    """The path without which, in a script, it is not run, as if its program were missing: nobody would answer."""
    changes: bool = False
    """Whether it may change something that stays on the host."""
    capture: int = MAX_CAPTURE
    """Bytes of each stream that are kept; the rest is counted only."""
    expected: int = 0
    """Bytes that it is known to write."""
    is_answered: bool = True
    """Whether its stdout is an answer, which counts whole or not at all; else only its status and stderr count."""
    assumed: bytes | None = None
    """The stdout to count on while commands are planned ahead; None where nothing can be said of it beforehand."""
    assumed_status: int = 0
    """The exit status to count on then."""

    @property
    def fits_script(self) -> bool:
        """Whether its input can be in a script as it is: whole lines of text, not too much."""
        return not self.stdin or (
            len(self.stdin) <= MAX_IN_SCRIPT and self.stdin.endswith(b"\n") and b"\0" not in self.stdin
        )

    @property
    def seconds_of_transfer(self) -> int:
        """Seconds that its input and its output may take on the way; 0 for what is small."""
        return (len(self.stdin) + self.expected) // SLOWEST

    def limit(self, silence: float) -> float:
        """Return the seconds that it may take on a host which may be silent for `silence` seconds."""
        return min(self.timeout, silence) + self.seconds_of_transfer

    def __str__(self) -> str:
        """Return the command as one would type it."""
        return shlex.join(self.argv)


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left behind. The bytes are as the host sent them: untrusted."""

    status: int
    """The exit status; 124 where the host's `timeout` ended it."""
    stdout: bytes
    stderr: bytes
    is_cut: bool = False
    """Whether stdout was longer than what is kept of it."""
    is_err_cut: bool = False
    """Whether stderr was."""
    not_shown: int = 0
    """Bytes of output that were not shown line by line, as the command had written too much by then."""

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

    @property
    def words(self) -> str:
        """Its errors, in one line; empty where it wrote nothing to stderr. At most MAX_WORDS characters."""
        text = clean_line(self.stderr[: 4 * MAX_WORDS].decode("utf-8", "replace"))
        is_longer = len(text) > MAX_WORDS or len(self.stderr) > 4 * MAX_WORDS
        return f"{text[:MAX_WORDS]} …" if is_longer else text
