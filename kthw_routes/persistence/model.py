"""Values of persistence: what may be asked for, which managers there are, which routes are persisted."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network


class Manager(StrEnum):
    """What brings a host's interfaces up at boot, and routes of ours with them."""

    NETPLAN = "netplan"
    NETWORKD = "networkd"
    IFUPDOWN = "ifupdown"
    NETWORKMANAGER = "networkmanager"
    UNIT = "unit"
    """None of them: a systemd service and timer of our own."""


class Persist(StrEnum):
    """What may be asked for."""

    NONE = "none"
    """Nothing new is written; a file of ours that exists on a host already is kept right."""
    AUTO = "auto"
    """By what is read on each host."""
    NETPLAN = "netplan"
    NETWORKD = "networkd"
    IFUPDOWN = "ifupdown"
    NETWORKMANAGER = "networkmanager"
    UNIT = "unit"

    @property
    def manager(self) -> Manager | None:
        """The manager that it names; None for `none` and `auto`."""
        return None if self in (Persist.NONE, Persist.AUTO) else Manager(self.value)


@dataclass(frozen=True, slots=True, order=True)
class PersistedRoute:
    """One route in a file of ours."""

    prefix: IPv4Network
    next_hop: IPv4Address
    device: str
    """The interface whose network has the next hop."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What keeps the routes after a reboot on one host, and why."""

    manager: Manager | None
    """None where nothing is written."""
    reason: str
    """What was read there, as the end of a sentence: `eth0 is managed by systemd-networkd (05-eth0.network)`."""
    problem: str | None = None
    """A sentence that says why the routes cannot be kept after a reboot here; None where they can, or need not."""
