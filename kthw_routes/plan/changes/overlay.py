"""The change of a host's part of the overlay: its device, the ways to its peers, the table that accepts them. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from kthw_routes.facts import Route
from kthw_routes.iproute2.commands import RouteCommand, Verb
from kthw_routes.overlay import device as words
from kthw_routes.overlay import table
from kthw_routes.overlay.model import DEVICE, TABLE, OverlayState
from kthw_routes.plan.changes.row import Change, ChangeKind, Detail, Noun

_DELETE_TABLE: Final = f"nft delete table inet {TABLE}"
_DELETE_DEVICE: Final = f"ip link del {DEVICE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayChange:
    """What becomes of the overlay on one host."""

    kind: ChangeKind
    before: OverlayState
    after: OverlayState
    routes: tuple[Route, ...] = ()
    """The routes through the device as they are: where it is made anew they are lost, and put back with it."""
    reason: str
    comes_last: bool = False
    """Whether it is made when the routes are as they should be: what they lead through goes after them."""

    key: ClassVar = DEVICE
    noun: ClassVar = Noun("overlay device", rank=0)
    section: ClassVar = "overlay"
    unmet: ClassVar = "the overlay as read back is not as it should be."

    @property
    def title(self) -> str:
        """The device, and what it is."""
        return f"VXLAN device {DEVICE}"

    @property
    def short(self) -> str:
        """The device, and what it is."""
        return f"VXLAN {DEVICE}"

    @property
    def details(self) -> tuple[Detail, ...]:
        """What is there, what should be, the commands."""
        has = (Detail(_summary(self.before), "has"),) if not self.before.is_nothing else ()
        wants = (Detail(_summary(self.after), "wants"),) if not self.after.is_nothing else ()
        return (*has, *(wants if self.before != self.after else ()), *map(Detail, self.commands))

    @property
    def commands(self) -> tuple[str, ...]:
        """`nft`, `ip` and `bridge`: nobody is let in before the table is there, and it goes last."""
        return tuple(_commands(self.before, self.after, self.routes)) if self.kind.is_change else ()

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """The commands that turn the one state back into the other."""
        return tuple(_commands(self.after, self.before, self.routes)) if self.kind.is_change else ()

    @property
    def guarded_undo(self) -> tuple[str, ...]:
        """The same where the device is still as the run left it, or was not made yet, or is gone."""
        lines = [line for command in self.undo_commands for line in command.split("\n")]
        if not lines or self.after.device is None:
            return tuple(lines)
        show = f"ip link show dev {DEVICE}"
        test = f"! {show} >/dev/null 2>&1 || {show} | grep -q {self.after.device.mac}"
        return (f"if {test}; then", *lines, "fi")

    @property
    def ip_lines(self) -> tuple[str, ...]:
        """The lines for `ip -batch`."""
        return tuple(_ip_lines(self.before, self.after, self.routes))

    @property
    def compared(self) -> object:
        """The states before and after."""
        return self.before, self.after

    def may_follow(self, reviewed: Mapping[str, Change]) -> bool:
        """Return whether what is there is a part of what was there, and of what was to be."""
        before = reviewed.get(self.key)
        if not isinstance(before, OverlayChange) or before.after != self.after:
            return False
        return before.kind.is_change and is_between(self.before, before.before, before.after)

    @property
    def may_vanish(self) -> bool:
        """Whether the overlay goes."""
        return self.after.is_nothing


def is_between(state: OverlayState, *others: OverlayState) -> bool:
    """Return whether everything in a state is in one of the others too."""
    return all(any(part in other.parts for other in others) for part in state.parts)


def _commands(before: OverlayState, after: OverlayState, routes: tuple[Route, ...]) -> Iterator[str]:
    if words.writes_table(before, after) and after.accepts is not None:
        yield f"nft -f - <<'END-OF-TABLE'\n{table.render(after.accepts)}END-OF-TABLE"
    yield from (f"ip {line}" for line in _ip_lines(before, after, routes))
    yield from (f"bridge {line}" for line in words.bridge_lines(before, after))
    if words.removes_device(before, after):
        yield _DELETE_DEVICE
    if words.removes_table(before, after):
        yield _DELETE_TABLE


def _ip_lines(before: OverlayState, after: OverlayState, routes: tuple[Route, ...]) -> Iterator[str]:
    yield from words.ip_lines(before, after)
    if before.device is not None and after.device is not None and not after.device.is_same_tunnel(before.device):
        yield from (RouteCommand(Verb.REPLACE, route).line() for route in routes)


def _summary(state: OverlayState) -> str:
    """Return a state in a few words."""
    parts = []
    if (device := state.device) is not None:
        down = "" if device.is_up else ", down"
        parts.append(f"VNI {device.vni}, UDP {device.port}, from {device.local}, MTU {device.mtu}{down}")
        peers = sorted({str(address) for _, address in state.forwarding})
        parts.append(f"peers {', '.join(peers) or 'none'}")
    if state.accepts is not None:
        parts.append(f"table inet {TABLE} accepts {', '.join(map(str, sorted(state.accepts))) or 'nobody'}")
    return "; ".join(parts)
