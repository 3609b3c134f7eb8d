"""A program on a node that stops at a point of the test's choice, without any clock: two named pipes."""

import os
import select
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Hold:
    """A program that waits on the node until it may go on."""

    FOLDER: ClassVar[str] = "/run/hold"
    PREPARATION: ClassVar[str] = f"rm -rf {FOLDER} && mkdir {FOLDER} && mkfifo {FOLDER}/reached {FOLDER}/release"
    """The shell command that makes the pipes."""
    WAITING: ClassVar[str] = f"echo here >{FOLDER}/reached; read -r _ <{FOLDER}/release"
    """The shell command that waits."""

    folder: Path
    """The pipes, as seen from outside."""

    def wait(self, timeout: float = 20.0) -> None:
        """Wait until the program has come to the point."""
        descriptor = os.open(self.folder / "reached", os.O_RDONLY | os.O_NONBLOCK)
        try:
            assert select.select([descriptor], [], [], timeout)[0], "the program was never called"
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Let it go on."""
        (self.folder / "release").write_text("\n")
