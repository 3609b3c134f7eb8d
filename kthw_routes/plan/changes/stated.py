"""A file of the host's own configuration that states pod routes: shown, never edited. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath
from typing import ClassVar

from kthw_routes.facts import StatedRoute
from kthw_routes.persistence.text import listed
from kthw_routes.plan.changes.row import FILE, Change, ChangeKind, Detail, OfFile


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleRoute:
    """A stated route that is not as it should be."""

    route: StatedRoute
    wanted: IPv4Address | None
    """The next hop that is right for its prefix; None where there should be no route to it."""

    @property
    def words(self) -> str:
        """Such as `line 7 states 10.200.1.0/24 via 10.0.0.7 instead of 10.0.0.8`."""
        instead = f" instead of {self.wanted}" if self.wanted is not None else ", which should go"
        return f"line {self.route.line} states {self.route.prefix} via {self.route.next_hop}{instead}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFile(OfFile):
    """What a file of somebody else's states of the routes on one host."""

    path: PurePosixPath
    kept: tuple[StatedRoute, ...] = ()
    """The wanted routes that are certain to come back from it at a boot."""
    unsure: tuple[StatedRoute, ...] = ()
    """The wanted routes that it states, and that may not come back from it."""
    doubt: str | None = None
    """Why those may not, as the end of a sentence."""
    stale: tuple[StaleRoute, ...] = ()
    """What comes back from it, and should not."""

    commands: ClassVar[tuple[str, ...]] = ()
    undo_commands: ClassVar[tuple[str, ...]] = ()
    guarded_undo: ClassVar[tuple[str, ...]] = ()
    may_vanish: ClassVar = False
    unmet: ClassVar = None
    noun: ClassVar = FILE
    section: ClassVar = "stated"

    @property
    def kind(self) -> ChangeKind:
        """Stale, where anything in it is."""
        return ChangeKind.STALE if self.stale else ChangeKind.KEEP

    @property
    def reason(self) -> str:
        """What it states, and what to do by hand."""
        if self.stale:
            words = listed([stale.words for stale in self.stale])
            return f"{words}; correct it there, as it is not a file of kthw-routes"
        if self.kept:
            return "keeps the routes after a reboot; not a file of kthw-routes"
        return f"states routes, but {self.doubt}"

    @property
    def details(self) -> tuple[Detail, ...]:
        """The routes that it states, each with its line."""
        routes = (*self.kept, *self.unsure, *(stale.route for stale in self.stale))
        in_order = sorted(routes, key=lambda route: route.line)
        return tuple(Detail(f"line {r.line}: {r.prefix} via {r.next_hop}") for r in in_order)

    @property
    def compared(self) -> object:
        """What it states."""
        return self.kept, self.unsure, self.stale

    def may_follow(self, reviewed: Mapping[str, Change]) -> bool:  # noqa: ARG002 - by its name in the protocol
        """Return False: no try changes it."""
        return False

    @property
    def pairs(self) -> frozenset[tuple[IPv4Network, IPv4Address]]:
        """The prefixes, with their next hops, that are certain to come back."""
        return frozenset((route.prefix, route.next_hop) for route in self.kept)

    @property
    def contradicted(self) -> frozenset[IPv4Network]:
        """The prefixes for which another next hop comes back."""
        return frozenset(stale.route.prefix for stale in self.stale)
