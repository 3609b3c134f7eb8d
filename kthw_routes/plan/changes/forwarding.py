"""The change of the kernel's setting that lets packets through to pods. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import ClassVar, Final

from kthw_routes.plan.changes.row import FILE, Change, ChangeKind, Detail

FORWARDING: Final = "net.ipv4.ip_forward"
"""The row of forwarding, which is named as the kernel names its setting."""


@dataclass(frozen=True, slots=True)
class ForwardingChange:
    """Forwarding is turned on or off now."""

    on: bool
    pods: IPv4Network | None = None
    """The host's own pod CIDR: while pods are there, an automatic rollback leaves forwarding on."""

    kind: ClassVar = ChangeKind.REPLACE
    key: ClassVar = FORWARDING
    title: ClassVar = FORWARDING
    short: ClassVar = "ip_forward"
    noun: ClassVar = FILE
    section: ClassVar = "forwarding"
    may_vanish: ClassVar = True
    unmet: ClassVar = "it was read back otherwise."

    @property
    def reason(self) -> str:
        """The values before and after."""
        return f"is {int(not self.on)}, becomes {int(self.on)}"

    @property
    def details(self) -> tuple[Detail, ...]:
        """The command, and what the setting does."""
        return (*map(Detail, self.commands), Detail("the kernel passes no packet on to a pod while it is 0", "note"))

    @property
    def commands(self) -> tuple[str, ...]:
        """`sysctl`, until the next boot."""
        return (_set(self.on),)

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """`sysctl` with the other value."""
        return (_set(not self.on),)

    @property
    def guarded_undo(self) -> tuple[str, ...]:
        """The other value; not off where there is a network namespace, or an interface into the pods' network."""
        if not self.on:
            return self.undo_commands
        bridge = f"$(ip route show root {self.pods} proto kernel)" if self.pods is not None else ""
        return (f'if [ -z "$(ip netns list){bridge}" ]; then', *self.undo_commands, "fi")

    @property
    def compared(self) -> object:
        """The value."""
        return self.on

    def may_follow(self, reviewed: Mapping[str, Change]) -> bool:
        """Return whether the same was reviewed."""
        return reviewed.get(self.key) == self


def _set(on: bool) -> str:
    return f"sysctl -w {FORWARDING}={int(on)}"
