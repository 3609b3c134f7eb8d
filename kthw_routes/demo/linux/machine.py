"""What the parts of a modelled host know of it: its kernel, files and accounts, and how a service is run there."""

from collections.abc import Callable
from typing import Any, Protocol

from kthw_routes.demo.clock import Clock
from kthw_routes.demo.linux.files import FileTree
from kthw_routes.demo.linux.nodes import User
from kthw_routes.demo.linux.scheduler import Agenda
from kthw_routes.demo.net.kernel import Kernel
from kthw_routes.demo.net.network import Network


class Machine(Protocol):
    """A host without what runs on it: no program, no shell, no service manager."""

    name: str
    clock: Clock
    network: Network
    kernel: Kernel
    namespaces: dict[str, Kernel]
    users: dict[str, User]
    files: FileTree
    agenda: Agenda
    nics: dict[str, str]
    missing: set[str]
    network_helper: Callable[[Any], None] | None

    def has_program(self, name: str) -> bool:
        """Whether a program of this name, or at this path, can be run."""

    def run_as_service(self, argv: list[str]) -> int:
        """Run a program as systemd runs a service's, and return its status."""

    def add_namespace(self, name: str) -> Kernel:
        """Make a network namespace below /run/netns."""

    def interrupt(self) -> None:
        """End every command that runs."""

    def reboot(self) -> None:
        """Go down and come up."""
