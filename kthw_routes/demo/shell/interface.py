"""What the parts of the shell know of it: its process, its variables, and how it runs what it is given."""

import threading
from typing import Protocol

from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.shell.expansion import Scope


class RunningShell(Scope, Protocol):
    """One shell, as its builtins and redirections see it."""

    process: Process
    kind: str
    arg0: str
    variables: dict[str, str]
    status: int
    errexit: bool
    jobs: list[threading.Thread]

    def assign(self, name: str, value: str) -> None:
        """Set a variable, exported or not, as it was."""

    def complain(self, message: str, line: int, status: int) -> int:
        """Write a complaint to stderr and return `status`."""

    def run_program(self, process: Process, line: int) -> int:
        """Run a program and return its status; 127 where there is none."""
