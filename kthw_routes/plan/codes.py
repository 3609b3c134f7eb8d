"""What a row of the plan is, in one stable word for programs: the reason next to it is for people and may change. Pure.

The kind of a row says what becomes of it, the code why: after a reboot and for a new worker routes are added alike.
"""

from enum import StrEnum
from ipaddress import IPv4Network

from kthw_routes.iproute2.commands import Verb
from kthw_routes.plan.changes import ChangeKind, NameChange, RouteChange


class RouteCode(StrEnum):
    """What a host's routes for one prefix are."""

    RIGHT = "right"
    MISSING = "missing"
    """Wanted, and there is none."""
    WRONG_NEXT_HOP = "wrong-next-hop"
    """Wanted, and the one that is there leads to another next hop, through another interface, or nowhere."""
    SECOND_ROUTE = "second-route"
    """The right one is there, and another next to it."""
    STALE = "stale"
    """Not wanted, and ours, or marked for removal."""
    FOREIGN = "foreign"
    """Neither wanted nor ours, or the kernel's own where one is wanted."""
    NOT_READ = "not-read"
    """Cannot be judged, as the worker that it leads to, or should, was not read: left as it is."""
    OWN_ROUTED_AWAY = "own-routed-away"
    """Leads the host's own pods away."""


class NameCode(StrEnum):
    """What one worker's name in one `/etc/hosts` is."""

    RIGHT = "right"
    MISSING = "missing"
    WRONG = "wrong"
    """A line of it has another address."""
    TWICE = "twice"
    """The right line is there more than once."""
    STALE = "stale"
    """Ours, and of no worker that is listed."""


def of_route(change: RouteChange, own: IPv4Network | None) -> RouteCode:
    """Return what the routes of a row are. `own`: the pod CIDR of the host itself."""
    if change.next_hop is None and own is not None and change.prefix.subnet_of(own):
        return RouteCode.OWN_ROUTED_AWAY
    match change.kind:
        case ChangeKind.KEEP:
            return RouteCode.RIGHT if change.next_hop is not None else RouteCode.NOT_READ
        case ChangeKind.ADD:
            return RouteCode.MISSING
        case ChangeKind.REPLACE:
            # Only where the right one stays is nothing put in the place of what goes.
            spare_goes = all(command.verb is Verb.DELETE for command in change.edit.commands)
            return RouteCode.SECOND_ROUTE if spare_goes else RouteCode.WRONG_NEXT_HOP
        case ChangeKind.REMOVE | ChangeKind.STALE:
            return RouteCode.STALE
        case ChangeKind.FOREIGN:
            return RouteCode.FOREIGN


def of_name(change: NameChange) -> NameCode:
    """Return what the name of a row is."""
    match change.kind:
        case ChangeKind.KEEP | ChangeKind.FOREIGN:
            return NameCode.RIGHT
        case ChangeKind.ADD:
            return NameCode.MISSING
        case ChangeKind.REPLACE:
            is_right = all(line.split()[:1] == [str(change.address)] for line in change.has)
            return NameCode.TWICE if is_right else NameCode.WRONG
        case ChangeKind.REMOVE | ChangeKind.STALE:
            return NameCode.STALE
