"""Commands on the routes of one prefix, and the commands that take them back: pure, exact, in the kernel's terms.

To the kernel a route is known by (prefix, tos, metric, table): `replace` swaps only the first of a key, `add` refuses a
second, `append` and `prepend` put one there (measured).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kthw_routes.iproute2 import RouteCommand, Verb
from kthw_routes.observed import Route


@dataclass(frozen=True, slots=True)
class Edit:
    """Commands on the routes of one prefix, and what takes them back."""

    commands: tuple[RouteCommand, ...] = ()
    inverse: tuple[RouteCommand, ...] = ()


NO_EDIT: Final = Edit()


def _key(route: Route) -> tuple[int, int]:
    """What, beside the prefix, makes two routes one to the kernel."""
    return route.metric, route.tos


def put(new: Route, has: tuple[Route, ...]) -> Edit:
    """`new` in the place of all that the host has for this prefix, without a moment in which there is none."""
    swapped = next((r for r in has if _key(r) == _key(new)), None)
    # `add` where there is nothing to swap: should a route have come up meanwhile, the kernel refuses to lose it.
    first = RouteCommand(Verb.REPLACE if swapped else Verb.ADD, new)
    rest = tuple(RouteCommand(Verb.DELETE, r) for r in has if r is not swapped)
    if swapped is not None and not rest:
        return Edit((first,), (RouteCommand(Verb.REPLACE, swapped),))
    back = _restore(has, has, survivors=(new,))
    return Edit((first, *rest), (*back, RouteCommand(Verb.DELETE, new)))


def take_away(gone: list[Route], has: tuple[Route, ...]) -> Edit:
    """Some of the routes that the host has for this prefix go, in their order: `del` takes the first that matches."""
    kept = tuple(r for r in has if not any(r is g for g in gone))
    return Edit(tuple(RouteCommand(Verb.DELETE, r) for r in gone), _restore(gone, has, survivors=kept))


def _restore(
    gone: Iterable[Route], has: tuple[Route, ...], *, survivors: tuple[Route, ...]
) -> tuple[RouteCommand, ...]:
    """Put routes back among the survivors, in the order in which `has` lists them.

    Of several routes of one key the first wins, and `add` refuses a second: what stood before the survivors of its
    key is put before them, last first; the rest is put behind (also what stood between two of them: no order of
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
