"""The TOML of our own: `[[nodes]]` and, above them, what holds for the whole cluster."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from kthw_routes.cluster import Endpoint, Role, parse_user
from kthw_routes.options import NamesOn, OwnSettings, RoutesOn
from kthw_routes.overlay.model import Overlay
from kthw_routes.persistence.model import Persist
from kthw_routes.sanitize import quoted
from kthw_routes.sources.inventory import values
from kthw_routes.sources.inventory.nodes import Draft, ParsedInventory
from kthw_routes.sources.inventory.problems import Place, Problems, Stated
from kthw_routes.sources.inventory.toml_positions import Positions, positions_in
from kthw_routes.sources.inventory.toml_syntax import parse

T = TypeVar("T")
W = TypeVar("W", bound=StrEnum)

SETTINGS: Final = ("cluster_cidr", "user", "identity", "hosts_file", "persist", "routes_on", "overlay", "draft")
"""The keys above the nodes."""
NODE_KEYS: Final = ("name", "role", "ssh", "internal_ip", "pod_cidr", "region", "identity", "next_hop")
"""The keys of a node; the first three are needed."""

_EXAMPLES: Final = {
    "name": 'name = "worker-0"',
    "role": 'role = "worker" or role = "controller"',
    "ssh": 'ssh = "192.168.8.20" or ssh = "root@192.168.8.20:22"',
    "internal_ip": 'internal_ip = "192.168.8.20"',
    "pod_cidr": 'pod_cidr = "10.200.0.0/24"',
    "region": 'region = "eu-west"',
    "cluster_cidr": 'cluster_cidr = "10.200.0.0/16"',
    "user": 'user = "root"',
    "identity": 'identity = "~/.ssh/id_ed25519"',
    "persist": 'persist = "auto"',
    "routes_on": 'routes_on = "workers"',
    "overlay": 'overlay = "vxlan"',
    "next_hop": 'next_hop = "10.240.0.1"',
}


def read_toml(text: str, folder: Path, problems: Problems) -> ParsedInventory:
    """Read what the file states. `folder`: where it is, from which a relative `identity` is taken.

    `ssh = ""` and `internal_ip = ""` state that none is known, which is a finding later and no problem of the file.
    """
    parsed = parse(text, problems)
    if parsed is None:
        return ParsedInventory((), is_whole=False)
    table = _Table(parsed.document, (), positions_in(parsed.text), problems)
    table.check_keys((*SETTINGS, "nodes"), "not a setting of this file")
    given = table.fields.get("nodes", [])
    listed = given if isinstance(given, list) else []
    if listed is not given:
        problems.add(table.key_place("nodes"), "nodes is not a list; expected [[nodes]] before each node")
    drafts = tuple(d for n, fields in enumerate(listed) if (d := _draft(table, n, fields, folder)))
    whole = parsed.is_whole and listed is given and all(d.role for d in drafts) and len(drafts) == len(listed)
    settings = _settings(table, folder)
    is_draft = table.fields.get("draft", False)
    if not isinstance(is_draft, bool):
        table.problems.add(table.value_place("draft"), "draft is neither true nor false; expected draft = true")
    known = settings.cluster_cidr is not None or (parsed.is_whole and "cluster_cidr" not in table.fields)
    return ParsedInventory(drafts, settings, is_whole=whole, is_draft=is_draft is True, is_cidr_known=known)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the document, with its place in the text."""

    fields: Mapping[str, object]
    path: tuple[str | int, ...]
    positions: Positions
    problems: Problems

    def key_place(self, key: str) -> Place:
        return self.positions.of_key(*self.path, key)

    def value_place(self, key: str) -> Place:
        return self.positions.of_value(*self.path, key)

    def check_keys(self, known: tuple[str, ...], what: str) -> None:
        """Add a problem for each key that means nothing here."""
        for key in self.fields:
            if key in known:
                continue
            if self.path and key in SETTINGS:
                sentence = f"{key} is below a node; expected above the first [[nodes]], as it is for all nodes"
            elif not self.path and key in NODE_KEYS:
                sentence = f"{key} is above the nodes; expected below a line [[nodes]]"
            else:
                sentence = f"{quoted(key)} is {what}; expected {values.expected(key, known)}"
            self.problems.add(self.key_place(key), sentence)

    def text(self, key: str, convert: Callable[[str], T], *, empty: bool = False) -> Stated[T | None] | None:
        """Read the value of a key that wants text; None where the key is missing.

        Args:
            convert: makes the value, or raises InvalidInput.
            empty: whether an empty text states that there is none.
        """
        if key not in self.fields:
            return None
        place, given = self.value_place(key), self.fields[key]
        value: T | None = None
        if not isinstance(given, str):
            self.problems.add(place, f"{key} is not text in quotes; expected, for example, {_EXAMPLES[key]}")
        elif given or not empty:
            value = self.problems.value(Stated(given, place, key), convert)
        return Stated(value, place, key)

    def needed(self, key: str, convert: Callable[[str], T], *, empty: bool = False) -> Stated[T | None]:
        """Read it as `text` does; a missing key is a problem of the table."""
        stated = self.text(key, convert, empty=empty)
        if stated is None:
            place = self.positions.of_value(*self.path)
            self.problems.add(place, f"this node has no {key}; expected, for example, {_EXAMPLES[key]}")
            return Stated(None, place, key)
        return stated

    def word(self, key: str, words: type[W]) -> W | None:
        """Read the value of a key that wants one of these words."""
        stated = self.text(key, partial(_one_of, words))
        return stated.value if stated else None


def _draft(top: _Table, number: int, fields: object, folder: Path) -> Draft | None:
    path = ("nodes", number)
    place = top.positions.of_value(*path)
    if not isinstance(fields, dict):
        top.problems.add(
            place, 'this is not a node; expected { name = "worker-0", role = "worker", ssh = "192.168.8.20" }'
        )
        return None
    table = _Table(fields, path, top.positions, top.problems)
    table.check_keys(NODE_KEYS, "not a key of a node")
    role = table.needed("role", values.role)
    pods = None
    if role.value is not Role.CONTROLLER:
        pods = table.text("pod_cidr", values.pod_cidr)
    elif "pod_cidr" in table.fields:
        sentence = "a controller has no pod CIDR, as no pods run there; expected no pod_cidr here"
        top.problems.add(table.key_place("pod_cidr"), sentence)
    return Draft(
        place=place,
        role=role.value,
        name=table.needed("name", values.node_name),
        ssh=table.needed("ssh", Endpoint.parse, empty=True),
        internal=table.text("internal_ip", values.internal_ip, empty=True),
        pod_cidr=pods,
        region=table.text("region", values.region),
        identity=table.text("identity", partial(values.identity, folder=folder)),
        next_hop=table.text("next_hop", values.internal_ip),
    )


def _settings(table: _Table, folder: Path) -> OwnSettings:
    cidr = table.text("cluster_cidr", values.cluster_cidr)
    user = table.text("user", parse_user)
    identity = table.text("identity", partial(values.identity, folder=folder))
    return OwnSettings(
        cluster_cidr=cidr.value if cidr else None,
        user=user.value if user else None,
        identity=identity.value if identity else None,
        hosts_file=_hosts_file(table),
        persist=table.word("persist", Persist),
        routes_on=table.word("routes_on", RoutesOn),
        overlay=table.word("overlay", Overlay),
    )


def _hosts_file(table: _Table) -> bool | NamesOn | None:
    given = table.fields.get("hosts_file")
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, str):
        return table.word("hosts_file", NamesOn)
    sentence = f"hosts_file is neither true nor false; expected one of them, or in quotes {', '.join(NamesOn)}"
    table.problems.add(table.value_place("hosts_file"), sentence)
    return None


def _one_of(words: type[W], text: str) -> W:
    return words(values.one_of(text, words))
