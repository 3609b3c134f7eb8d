"""Commands on the routes of one prefix, and the commands that take them back: pure, exact, in the kernel's terms.

To the kernel a route is known by (prefix, tos, metric, table): `replace` swaps only the first of a key, `add` refuses a
second, `append` and `prepend` put one there (measured).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kthw_routes.facts import InterfaceAddress, Route
from kthw_routes.iproute2.commands import RouteCommand, Verb


@dataclass(frozen=True, slots=True)
class Edit:
    """Commands on the routes of one prefix, and what takes them back."""

    commands: tuple[RouteCommand, ...] = ()
    undo_commands: tuple[RouteCommand, ...] = ()


NO_EDIT: Final = Edit()


def _key(route: Route) -> tuple[int, int]:
    """Return what, with the prefix, makes two routes one to the kernel."""
    return route.metric, route.tos


def put(new: Route, has: tuple[Route, ...]) -> Edit:
    """Put `new` in the place of all that the host has for this prefix, without a moment in which there is none."""
    swapped = next((r for r in has if _key(r) == _key(new)), None)
    # `add` where there is nothing to swap: should a route have come up meanwhile, the kernel refuses to lose it.
    first = RouteCommand(Verb.REPLACE if swapped else Verb.ADD, new)
    rest = tuple(RouteCommand(Verb.DELETE, r) for r in has if r is not swapped)
    if swapped is not None and not rest:
        return Edit((first,), (RouteCommand(Verb.REPLACE, swapped),))
    back = _restore(has, has, survivors=(new,))
    return Edit((first, *rest), (*back, RouteCommand(Verb.DELETE, new)))


def take_away(gone: list[Route], has: tuple[Route, ...]) -> Edit:
    """Delete some of a host's routes for this prefix, in its order: `del` takes the first that matches."""
    kept = tuple(r for r in has if not any(r is g for g in gone))
    return Edit(tuple(RouteCommand(Verb.DELETE, r) for r in gone), _restore(gone, has, survivors=kept))


def become(wanted: Sequence[Route], has: tuple[Route, ...], movable: Sequence[Route] = ()) -> Edit:
    """Turn the routes of one prefix into those wanted; a route that is among both is not touched, in whatever order.

    What comes is put in before anything goes. Of one key it is put before the routes that stay where all of these
    follow it in `wanted`, else behind them; those that are `movable` are then put behind it again, where they belong.
    The kernel's own route is never deleted: only another of its key swaps it.

    Raises ValueError where `wanted` has a kernel's route that no command puts where it belongs.
    """
    commands = _towards(wanted, has, movable)
    return Edit(commands, _towards(has, outcome(commands, has)))


def _towards(wanted: Sequence[Route], has: Sequence[Route], movable: Sequence[Route] = ()) -> tuple[RouteCommand, ...]:
    """List commands, swaps after additions: while a route is missing, one that has to go is still there."""
    coming: list[RouteCommand] = []
    swapping: list[RouteCommand] = []
    going: list[Route] = []
    for key in dict.fromkeys(_key(r) for r in (*wanted, *has)):
        goal = [r for r in wanted if _key(r) == key]
        twins = [r for r in has if _key(r) == key]
        first = next((i for i, r in enumerate(goal) if r in twins), len(goal))
        before = [r for r in goal[:first] if r not in twins]
        old = [r for r in twins if r not in goal]
        if not twins:
            coming += [RouteCommand(Verb.APPEND if n else Verb.ADD, r) for n, r in enumerate(goal)]
            continue
        coming += _behind(goal[first:], twins, movable)
        swaps = bool(before) and twins[0] in old and (len(before) == 1 or twins[0].is_kernel)
        if swaps:
            swapping.append(RouteCommand(Verb.REPLACE, before.pop()))
            old.remove(twins[0])
        (swapping if swaps else coming).extend(RouteCommand(Verb.PREPEND, r) for r in reversed(before))
        going += [r for r in old if not r.is_kernel]
    return (*coming, *swapping, *(RouteCommand(Verb.DELETE, r) for r in going))


def _behind(goal: Sequence[Route], twins: Sequence[Route], movable: Sequence[Route]) -> list[RouteCommand]:
    """List the commands that put routes of one key behind a route that stays."""
    missing = [r for r in goal if r not in twins]
    staying = [r for r in twins if r in goal]
    in_place = next((n for n, (r, s) in enumerate(zip(goal, staying, strict=False)) if r != s), len(staying))
    rest = goal[in_place:]
    if any(r in twins and r not in movable for r in rest):
        return [RouteCommand(Verb.APPEND, r) for r in missing]
    moved = [(RouteCommand(Verb.DELETE, r), RouteCommand(Verb.APPEND, r)) for r in rest]
    return [c for r, both in zip(rest, moved, strict=True) for c in (both if r in twins else both[1:])]


def outcome(commands: Iterable[RouteCommand], has: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes of one prefix after these commands, in the kernel's order; new ones as they were sent."""
    routes = list(has)
    for command in commands:
        route = command.route
        twins = [i for i, r in enumerate(routes) if _key(r) == _key(route)]
        match command.verb:
            case Verb.REPLACE if twins:
                routes[twins[0]] = route
            case Verb.DELETE:
                gone = next((i for i, r in enumerate(routes) if r is route or r == route), None)
                routes = [r for i, r in enumerate(routes) if i != gone]
            case Verb.ADD if twins:
                continue  # refused
            case Verb.PREPEND if twins:
                routes.insert(twins[0], route)
            case _:
                behind = (
                    twins[-1] + 1
                    if twins
                    else next(
                        (i for i, r in enumerate(routes) if (r.tos, r.metric) > (route.tos, route.metric)), len(routes)
                    )
                )
                routes.insert(behind, route)
    return tuple(routes)


def give_back(away: list[Route], has: tuple[Route, ...], bridge: InterfaceAddress | None) -> Edit:
    """Delete the routes that override a pod CIDR; the connected route of its bridge, where there is one, comes back.

    `ip route replace` of a pod CIDR takes the bridge's route away (measured); the same verb puts it back, without a
    moment in which there is none.
    """
    edit = take_away(away, has)
    if bridge is None or any(r.is_kernel and r.device == bridge.device for r in has):
        return edit
    own = Route(bridge.address.network, device=bridge.device, protocol="kernel", scope="link", source=bridge.address.ip)
    swapped = next((r for r in away if _key(r) == _key(own)), None)
    if swapped is None:
        return Edit((RouteCommand(Verb.ADD, own), *edit.commands), edit.undo_commands)
    rest = [r for r in away if r is not swapped]
    kept = take_away(rest, tuple(r for r in has if r is not swapped))
    return Edit(
        (RouteCommand(Verb.REPLACE, own), *kept.commands), (*kept.undo_commands, RouteCommand(Verb.REPLACE, swapped))
    )


def _restore(
    gone: Iterable[Route], has: tuple[Route, ...], *, survivors: tuple[Route, ...]
) -> tuple[RouteCommand, ...]:
    """Put routes back among the survivors, in the order in which `has` lists them.

    Of several routes of one key the first wins, and `add` refuses a second: what was before the survivors of its
    key is put before them, last first; the rest is put behind (also what was between two of them: no order of
    commands puts it there without touching theirs).
    """
    before: list[RouteCommand] = []
    behind: list[RouteCommand] = []
    for route in gone:
        twins = [r for r in has if _key(r) == _key(route)]
        staying = [r for r in survivors if _key(r) == _key(route)]
        follows = [r for r in twins[_position(route, twins) + 1 :] if any(r is s for s in staying)]
        is_new = any(not any(s is r for r in has) for s in staying)
        if staying and (is_new or len(follows) == len(staying)):
            before.insert(0, RouteCommand(Verb.PREPEND, route))
        else:
            behind.append(RouteCommand(Verb.APPEND if len(twins) > 1 else Verb.ADD, route))
    return (*before, *behind)


def _position(route: Route, among: list[Route]) -> int:
    return next(number for number, r in enumerate(among) if r is route)
