"""What the host's own configuration states of pod routes, compared with those that are wanted. Pure.

A stated route that is right needs no file of ours. One with another next hop comes back at the next boot beside
whatever we write: no file of ours is to hold its prefix, and a person has to correct it.
"""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.facts import NetworkSetup, StatedRoute
from kthw_routes.persistence import stated
from kthw_routes.persistence.managers import persisted_in
from kthw_routes.persistence.model import Choice, PersistedRoute
from kthw_routes.persistence.text import listed
from kthw_routes.plan.changes import ChangeKind, RouteChange, StaleRoute, StatedFile


def rows(
    network: NetworkSetup, routes: Iterable[RouteChange], goes: Callable[[StatedRoute], bool]
) -> tuple[StatedFile, ...]:
    """Return a row per file that states a wanted route, or one that should not come back.

    Args:
        network: what was read of the host's network.
        routes: the rows of its routes.
        goes: whether a route, to none of the wanted prefixes, should not be there.
    """
    if not network.stated:
        return ()
    wanted = {row.prefix: row.next_hop for row in routes if row.next_hop and row.kind is not ChangeKind.FOREIGN}
    back = [route for route in network.stated if stated.comes_back(route, network)]
    wrong = {r.prefix for r in back if _is_stale(r, wanted.get(r.prefix), goes)}
    by_path: dict[object, list[StatedRoute]] = {}
    for route in back:
        by_path.setdefault(route.path, []).append(route)
    made: list[StatedFile] = []
    for alike in by_path.values():
        right = [r for r in alike if wanted.get(r.prefix) == r.next_hop]
        kept: list[StatedRoute] = []
        unsure: list[StatedRoute] = []
        for r in right:
            (kept if stated.is_kept(r, network) and r.prefix not in wrong else unsure).append(r)
        stale = [r for r in alike if _is_stale(r, wanted.get(r.prefix), goes)]
        if right or stale:
            made.append(
                StatedFile(
                    path=alike[0].path,
                    kept=tuple(kept),
                    unsure=tuple(unsure),
                    doubt=_doubt(unsure[0], network) if unsure else None,
                    stale=tuple(StaleRoute(route=r, wanted=wanted.get(r.prefix)) for r in stale),
                )
            )
    return tuple(made)


def _is_stale(route: StatedRoute, wanted: IPv4Address | None, goes: Callable[[StatedRoute], bool]) -> bool:
    return route.next_hop != wanted if wanted is not None else goes(route)


def _doubt(route: StatedRoute, network: NetworkSetup) -> str:
    if reason := stated.idle_reason(route, network):
        return reason
    if route.rewritten_by:
        return f"{route.rewritten_by} may rewrite this file at a boot"
    return "another file states another next hop"


def to_write(
    wanted: Iterable[PersistedRoute], files: Iterable[StatedFile], network: NetworkSetup, *, twice: bool
) -> tuple[PersistedRoute, ...]:
    """Return the wanted routes that files of ours are to hold.

    Args:
        wanted: all of them.
        files: what the host's own configuration states.
        network: what was read there; what a file of ours holds already stays in it.
        twice: whether to hold those, too, that the configuration keeps.
    """
    found = tuple(files)
    ours = persisted_in(network.files)
    kept = frozenset(pair for file in found for pair in file.pairs)
    contradicted = contradicted_in(found)
    return tuple(
        route
        for route in wanted
        if (pair := (route.prefix, route.next_hop)) in ours
        or (route.prefix not in contradicted and (twice or pair not in kept))
    )


def contradicted_in(files: Iterable[StatedFile]) -> frozenset[IPv4Network]:
    """Return the prefixes for which the configuration states another next hop, or which should have no route."""
    return frozenset(prefix for file in files for prefix in file.contradicted)


def nothing_to_write(files: Sequence[StatedFile]) -> Choice:
    """Return the choice where the host's own configuration leaves nothing for a file of ours to hold."""
    if kept := [str(file.path) for file in files if file.kept]:
        return Choice(None, f"kept by {listed(kept)}")
    return Choice(None, "; ".join(f"{file.path}: {stale.words}" for file in files for stale in file.stale))
