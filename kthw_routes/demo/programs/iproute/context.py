"""What one `ip` command runs with: the process, the namespace, and how things are printed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.net.kernel import Kernel
from kthw_routes.demo.net.netlink import KernelError
from kthw_routes.demo.programs.iproute.arguments import IpError, no_device, refused

Json = str | int | float | bool | None | Sequence["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Style:
    """The options that change how things are printed."""

    json: bool = False
    brief: bool = False
    oneline: bool = False
    details: bool = False
    family: int | None = None
    """4 or 6; None for both."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is printed, both ways."""

    text: str
    json: dict[str, Json]


def render(entries: Sequence[Entry], style: Style) -> str:
    """Print all entries into one text."""
    if style.json:
        return json.dumps([entry.json for entry in entries], ensure_ascii=False, separators=(",", ":")) + "\n"
    if style.oneline:
        return "".join(entry.text.rstrip("\n").replace("\n", "\\") + "\n" for entry in entries if entry.text)
    return "".join(entry.text for entry in entries)


@dataclass(frozen=True, slots=True)
class Context:
    """One `ip` command."""

    process: Process
    kernel: Kernel
    style: Style

    def print(self, entries: list[Entry]) -> None:
        """Print entries in the chosen style."""
        self.process.out(render(entries, self.style))

    @property
    def prefix_kind(self) -> str:
        """What a complaint about a prefix calls it."""
        return {4: "inet", 6: "inet6"}.get(self.style.family or 0, "any valid")

    def need_root(self) -> None:
        """Raise IpError as the kernel refuses an ordinary user."""
        if not self.process.user.is_root:
            raise refused(KernelError(1))

    def known_device(self, name: str) -> str:
        """Check that an interface exists, and return its name. Raises IpError."""
        try:
            self.kernel.link(name)
        except KernelError:
            raise no_device(name) from None
        return name

    def complain(self, text: str, status: int = 1) -> IpError:
        """Make a complaint after which a forced batch goes on."""
        return IpError(f"{text}\n", status, ends_batch=False)
