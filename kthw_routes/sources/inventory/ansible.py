"""What all forms of an Ansible inventory have in common: groups, hosts, variables.

Which groups hold workers and controllers: see `ansible_roles`; which variables count: `ansible_variables`. A group
below one of them counts as part of it, as in Ansible. A host in both is a worker, as pods run there. Hosts in neither
are ignored. A host's variable wins over its groups', a group's over that of the groups above it; what the folders
`group_vars` and `host_vars` say of the same one wins over the file (`ansible_folders`). Templates and plugins are not
read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, TypeVar

from kthw_routes.cluster import Endpoint, Role, parse_host, parse_port, parse_user
from kthw_routes.errors import InvalidInput
from kthw_routes.findings.model import Finding, Level
from kthw_routes.options import OwnSettings
from kthw_routes.sanitize import quoted
from kthw_routes.sources.inventory import ansible_variables as variables_of
from kthw_routes.sources.inventory import values
from kthw_routes.sources.inventory.ansible_folders import VariableFolders
from kthw_routes.sources.inventory.ansible_roles import (
    ALL,
    USUAL_CONTROLLERS,
    USUAL_WORKERS,
    GroupChoice,
    folded,
    groups_of_role,
    own_groups,
    why_no_worker,
)
from kthw_routes.sources.inventory.ansible_variables import HOST, KEY, PORT, USER, Remarks, first, listed
from kthw_routes.sources.inventory.nodes import NO_WORKER, Draft, ParsedInventory
from kthw_routes.sources.inventory.problems import BEGINNING, Place, Problems, Stated

T = TypeVar("T")

MAX_HOSTS: Final = 1000
_MAX_GROUPS: Final = 1000
_MAX_VARIABLES: Final = 200_000
"""How often a variable may be stated for a host; ranges state it for many at once."""
_MAX_CHILDREN: Final = 2000
_PRIORITY: Final = "ansible_group_priority"


@dataclass(slots=True)
class Host:
    """A host of the inventory."""

    name: Stated[str]
    variables: dict[str, Stated[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Group:
    """A group; what it holds by name."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Place] = field(default_factory=dict)
    variables: dict[str, Stated[str]] = field(default_factory=dict)
    place: Place | None = None
    """Where it is defined; None where it is only named."""


class TooMany(InvalidInput):
    """Nobody has as many. Its text goes on after `this`."""


@dataclass(slots=True)
class Inventories:
    """The groups and hosts of a file, as the forms put them together. What is put in is bounded: TooMany is raised."""

    groups: dict[str, Group] = field(default_factory=lambda: {ALL: Group()})
    hosts: dict[str, Host] = field(default_factory=dict)
    is_whole: bool = True
    """Whether all of the file could be read."""
    _children: int = 0
    _variables: int = 0

    def group(self, name: str) -> Group:
        """Return the group of this name, a new one if need be."""
        if name not in self.groups and len(self.groups) >= _MAX_GROUPS:
            raise TooMany(f"is more than the {_MAX_GROUPS} groups that are read")
        return self.groups.setdefault(name, Group())

    def host(self, name: Stated[str], group: str) -> Host:
        """Return the host of this name, from now on in `group` too."""
        if name.value not in self.hosts and len(self.hosts) >= MAX_HOSTS:
            raise TooMany(f"is more than the {MAX_HOSTS} hosts that are read")
        self.group(group).hosts[name.value] = None
        return self.hosts.setdefault(name.value, Host(name))

    def child(self, group: str, name: str, place: Place) -> None:
        """Put the group `name` below `group`."""
        self._children += 1
        if self._children > _MAX_CHILDREN:
            raise TooMany(f"is more than the {_MAX_CHILDREN} groups below others that are read")
        self.group(group).children.setdefault(name, place)

    def state(self, variables: dict[str, Stated[str]], name: str, text: str, place: Place) -> None:
        """Set a variable; a later one wins."""
        self._variables += 1
        if self._variables > _MAX_VARIABLES:
            raise TooMany(f"is more than the {_MAX_VARIABLES} variables that are read")
        variables[name] = Stated(text, place, name)


def reading_of(found: Inventories, folder: Path, choice: GroupChoice, problems: Problems) -> ParsedInventory:
    """Find the nodes among the hosts. `folder`: where the file lies; `choice`: the groups that the person named."""
    above = _Above(found, problems)
    groups_of = {name: above.groups_of(name) for name in found.hosts}
    with_hosts = {group for groups in groups_of.values() for group in groups}
    roles = {role: groups_of_role(role, found.groups, with_hosts, choice, problems) for role in Role}
    folders = VariableFolders(folder)
    of_groups = {
        name: folders.variables_of("group_vars", name, group.place or BEGINNING)
        for name, group in found.groups.items()
        if name in with_hosts
    }
    shared_user = first(found.groups[ALL].variables | of_groups.get(ALL, {}), USER)
    nodes: list[_Host] = []
    others: list[str] = []
    both: list[str] = []
    for host in found.hosts.values():
        groups = groups_of[host.name.value]
        has = [role for role in Role if roles[role].intersection(groups)]
        if not has:
            others.append(host.name.value)
            continue
        if len(has) == len(Role):
            both.append(host.name.value)
        role = Role.WORKER if Role.WORKER in has else Role.CONTROLLER
        of_host = folders.variables_of("host_vars", host.name.value, host.name.place)
        nodes.append(_Host(host, role, _merged(found.groups, groups, of_groups, host) | of_host))
    remarks = Remarks()
    keys = [first(node.variables, KEY) for node in nodes]
    is_one_key = len({key.value if key else None for key in keys}) == 1
    drafts = tuple(_draft(n, folder, shared_user, is_one_key, remarks, problems) for n in nodes)
    user = problems.value(shared_user, _plain(parse_user)) if shared_user else None
    key = problems.value(keys[0], partial(variables_of.identity_of, folder=folder)) if is_one_key and keys[0] else None
    named = roles[Role.WORKER]
    where = next((g.place for name, g in found.groups.items() if name in named and g.place), Place(1, 1))
    notices = (
        *_of_roles(roles),
        *_of_hosts(others, both),
        *remarks.findings(),
        *variables_of.of_unread(n.variables for n in nodes),
        *variables_of.of_files(list(folders.unread)),
    )
    return ParsedInventory(
        drafts=drafts,
        settings=OwnSettings(user=user, identity=key),
        notices=notices,
        others=len(others),
        where=where,
        why_no_worker=NO_WORKER if named else why_no_worker(found.groups),
        is_whole=found.is_whole and all(roles[role] for role in Role if choice.of(role) is not None),
    )


@dataclass(frozen=True, slots=True)
class _Host:
    """A host that is a node, with all variables that count for it."""

    host: Host
    role: Role
    variables: dict[str, Stated[str]]


class _Above:
    """Which groups are above which, and how far below `all` each is."""

    def __init__(self, found: Inventories, problems: Problems) -> None:
        """Add a problem for a group that does not exist, or would be part of itself."""
        self._groups = groups = found.groups
        self._parents: dict[str, list[str]] = {}
        for name, group in groups.items():
            for child, place in group.children.items():
                if child not in groups:
                    known = own_groups(groups) or [USUAL_WORKERS, USUAL_CONTROLLERS]
                    wrong = f"there is no group {quoted(child)}; expected {values.expected(child, known)}"
                elif name in self._ancestors([child], downwards=True):
                    wrong = f"the group {quoted(child)} would be part of itself; expected another one"
                else:
                    self._parents.setdefault(child, []).append(name)
                    continue
                problems.add(place, wrong)
                found.is_whole = False
        self._of_host: dict[str, list[str]] = {}
        for name, group in groups.items():
            for host in group.hosts:
                self._of_host.setdefault(host, []).append(name)
        self._depths = self._depths_below_all()

    def groups_of(self, host: str) -> list[str]:
        """List the groups that a host is in, directly or not, the widest first: in this order their variables count."""
        found = self._ancestors(self._of_host.get(host, ()))
        return sorted({ALL, *found}, key=lambda g: (self._depths[g], self._priority(g), g))

    def _priority(self, group: str) -> int:
        """Return what `ansible_group_priority` says of a group; of two groups equally deep the higher one wins."""
        stated = self._groups[group].variables.get(_PRIORITY)
        text = stated.value if stated else ""
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 1

    def _ancestors(self, start: Iterable[str], *, downwards: bool = False) -> set[str]:
        found: set[str] = set()
        waiting = list(start)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                further = self._groups[name].children if downwards and name in self._groups else ()
                waiting += further if downwards else self._parents.get(name, ())
        return found

    def _depths_below_all(self) -> dict[str, int]:
        """Measure the longest way down to each group. It ends, as no group is part of itself."""
        depths = {name: 0 if name == ALL else 1 for name in self._groups}
        waiting = [name for name in depths if name != ALL]
        while waiting:
            deeper: list[str] = []
            for child in waiting:
                depth = 1 + max((depths[p] for p in self._parents.get(child, ())), default=0)
                if depth > depths[child]:
                    depths[child] = depth
                    deeper += [c for c in self._groups[child].children if c in depths and c != ALL]
            waiting = list(dict.fromkeys(deeper))
        return depths


def _merged(
    groups: dict[str, Group], names: list[str], of_files: Mapping[str, dict[str, Stated[str]]], host: Host
) -> dict[str, Stated[str]]:
    """Return the variables of a host, in Ansible's order. `names`: of its groups; `of_files`: those in files."""
    merged: dict[str, Stated[str]] = {}
    for name in names:
        merged |= groups[name].variables
    for name in names:
        merged |= of_files.get(name, {})
    return merged | host.variables


def _draft(
    node: _Host, folder: Path, shared_user: Stated[str] | None, is_one_key: bool, remarks: Remarks, problems: Problems
) -> Draft:
    host, role, variables = node.host, node.role, node.variables
    place, typed = host.name.place, host.name.value

    def stated(names: Iterable[str], convert: Callable[[str], T]) -> Stated[T | None] | None:
        given = first(variables, names)
        return Stated(problems.value(given, _plain(convert)), given.place, given.key) if given else None

    named = variables_of.name_of(typed, variables, remarks)
    name = named.value if named else problems.value(host.name, values.node_name_or_address)
    user = stated(USER, parse_user) if first(variables, USER) is not shared_user else None
    port, address = stated(PORT, parse_port), stated(HOST, parse_host)
    if address is None:
        address = Stated(problems.value(host.name, parse_host) if name else None, place, "host")
    endpoint = None
    if address.value is not None:
        endpoint = Endpoint(address.value, user.value if user else None, port.value if port else None)
    internal: Stated[IPv4Address | None] | None = variables_of.internal_of(typed, variables, remarks, problems)
    return Draft(
        place=place,
        role=role,
        name=Stated(name, place, "host"),
        ssh=Stated(endpoint, address.place, address.key),
        internal=internal,
        pod_cidr=stated([variables_of.POD_CIDR], values.pod_cidr) if role is Role.WORKER else None,
        identity=None if is_one_key else stated(KEY, partial(values.identity, folder=folder)),
        next_hop=stated([variables_of.NEXT_HOP], values.internal_ip),
    )


def _plain(convert: Callable[[str], T]) -> Callable[[str], T]:
    """Restrict `convert` to text that is not a template."""

    def converted(text: str) -> T:
        variables_of.check_plain(text)
        return convert(text)

    return converted


def _of_roles(roles: dict[Role, frozenset[str]]) -> Iterator[Finding]:
    """Report which groups were taken for those of the workers and controllers, where they have other names."""
    usual = {Role.WORKER: USUAL_WORKERS, Role.CONTROLLER: USUAL_CONTROLLERS}
    if any(folded(group).rstrip("s") != str(role) for role, groups in roles.items() for group in groups):
        parts = [f"{usual[role]} are the hosts of {listed(sorted(roles[role]))}" for role in roles if roles[role]]
        sentence = ", ".join(parts)
        hint = "Other groups: --worker-group NAME, --controller-group NAME."
        yield Finding("inventory-groups", Level.NOTICE, f"{sentence[0].upper()}{sentence[1:]}.", hint)


def _of_hosts(others: list[str], both: list[str]) -> Iterator[Finding]:
    if others:
        sentence = f"In no group of workers or controllers, so ignored: {listed(others)}."
        yield Finding("inventory-ignored", Level.NOTICE, sentence)
    if both:
        sentence = f"In groups of workers and of controllers, so taken as workers: {listed(both)}."
        yield Finding(
            "inventory-in-both-groups", Level.NOTICE, sentence, "Names for /etc/hosts go to controllers only."
        )
