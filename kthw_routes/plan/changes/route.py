"""Changes of the routes of one prefix. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import ClassVar

from kthw_routes.facts import Route
from kthw_routes.iproute2.commands import Verb, batch
from kthw_routes.iproute2.edits import NO_EDIT, Edit, outcome
from kthw_routes.plan.changes.row import Change, ChangeKind, Detail, Noun


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChange:
    """What becomes of one prefix in one host's main table."""

    kind: ChangeKind
    prefix: IPv4Network
    worker: str | None
    """The worker whose pod CIDR this is; None where it belongs to no worker."""
    next_hop: IPv4Address | None = None
    """The wanted next hop; None where no route is wanted."""
    device: str | None = None
    """The interface that the wanted route has to name: that of the overlay; None where the next hop decides."""
    has: tuple[Route, ...] = ()
    """The routes of this prefix that the host has, in the kernel's order."""
    reason: str
    edit: Edit = NO_EDIT

    noun: ClassVar = Noun("route change", rank=1)
    section: ClassVar = "routes"

    @property
    def key(self) -> str:
        """The prefix."""
        return str(self.prefix)

    short = key

    @property
    def title(self) -> str:
        """The prefix and whose pods it is for."""
        return f"{self.prefix} ({self.worker})" if self.worker else str(self.prefix)

    @property
    def details(self) -> tuple[Detail, ...]:
        """The routes that are there, the wanted one, the commands."""
        has = (Detail(f"{describe(r)}, proto {r.protocol}", "has") for r in self.has)
        through = f" dev {self.device} onlink" if self.device is not None else ""
        wants = (Detail(f"via {self.next_hop}{through}", "wants"),) if self.next_hop is not None else ()
        return (*has, *wants, *(Detail(command) for command in self.commands))

    @property
    def commands(self) -> tuple[str, ...]:
        """The `ip route` commands."""
        return tuple(str(c) for c in self.edit.commands)

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """The `ip route` commands that undo it, in the order in which they are to be run."""
        return tuple(str(c) for c in self.edit.undo_commands)

    @property
    def guarded_undo(self) -> tuple[str, ...]:
        """A batch that runs only while a route is there that the run put there."""
        return tuple(self._guarded_undo())

    def _guarded_undo(self) -> Iterator[str]:
        if not self.edit.undo_commands:
            return
        mine = [r for r in outcome(self.edit.commands, self.has) if r not in self.has]
        if mine:
            tests = (f'[ -n "$({_list_routes_like(route)})" ]' for route in mine)
            yield f"if {' || '.join(tests)}; then"
        yield "ip -force -batch - <<'END-OF-ROUTES'"
        yield from batch(self.edit.undo_commands).decode("ascii").splitlines()
        yield "END-OF-ROUTES"
        if mine:
            yield "fi"

    @property
    def compared(self) -> object:
        """The routes that are there, and what is sent for them."""
        return self.has, self.edit.commands

    def may_follow(self, reviewed: Mapping[str, Change]) -> bool:
        """Return whether what is there now was there, or was sent; and what is missing was to go."""
        before = reviewed.get(self.key)
        if not isinstance(before, RouteChange) or (self.kind.is_change and not before.kind.is_change):
            return False
        sent = [c.route for c in before.edit.commands if c.verb is not Verb.DELETE]
        is_explained = all(r in before.has or any(is_same_route(s, r) for s in sent) for r in self.has)
        return is_explained and all(r in self.has or before._may_take_away(r) for r in before.has)

    @property
    def may_vanish(self) -> bool:
        """Whether every route goes; the kernel's own has no row by itself."""
        return all(r.is_kernel or self._may_take_away(r) for r in self.has)

    def _may_take_away(self, route: Route) -> bool:
        """Return whether the route is missing after some of the commands."""
        commands = self.edit.commands
        return any(route not in outcome(commands[: n + 1], self.has) for n in range(len(commands)))

    @property
    def unmet(self) -> str:
        """What the table has in its place."""
        if not self.has:
            return "the route is not in the table as read back."
        return f"the table as read back has it {' and '.join(describe(r) for r in self.has)}."


def describe(route: Route) -> str:
    """Return a route in a few words: `via 192.168.138.48 metric 100`, `blackhole`, `dev cnio0`."""
    if route.type != "unicast":
        text = route.type
    elif route.multipath:
        text = "via " + " and ".join(str(h) for h in route.multipath)
    elif route.gateway is not None:
        text = f"via {route.gateway}"
    else:
        text = f"dev {route.device}"
    return f"{text} metric {route.metric}" if route.metric else text


def is_same_route(recorded: Route, read: Route) -> bool:
    """Return whether what was recorded (as read then, or as sent: without the device) is what is read now."""
    one, other = (
        (r.type, r.gateway, r.multipath, r.metric, r.tos, r.source, r.extra, r.protocol) for r in (recorded, read)
    )
    return one == other and recorded.device in (None, read.device)


def _list_routes_like(route: Route) -> str:
    """Return the command that lists the routes of this prefix, with its next hop, interface and protocol if it has any.

    The route was sent, so each of its words was checked.
    """
    words = [f"ip route show exact {route.prefix}"]
    words += [f"via {route.gateway}"] if route.gateway is not None else []
    words += [f"dev {route.device}"] if route.device is not None else []
    return " ".join((*words, f"proto {route.protocol}"))
