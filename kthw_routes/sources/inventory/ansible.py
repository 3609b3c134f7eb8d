"""What the INI and the YAML form of an Ansible inventory have in common: groups, hosts, variables.

The group `workers` holds the workers, `controllers` the controllers; a group below one of them counts as part of it,
as in Ansible. The singular, and Kubespray's `kube_node` and `kube_control_plane`, mean the same. A host in
both is a worker, as pods run there. Hosts in neither are ignored. A host's variable wins over its groups', a group's
over that of the groups above it. `group_vars` and `host_vars` folders, templates and plugins are not read.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from kthw_routes.cluster import Endpoint, Role, parse_address, parse_host, parse_port, parse_user
from kthw_routes.errors import InvalidInput
from kthw_routes.findings.model import Finding, Level
from kthw_routes.options import OwnSettings
from kthw_routes.sanitize import clean_line, quoted
from kthw_routes.sources.inventory import values
from kthw_routes.sources.inventory.nodes import Draft, ParsedInventory
from kthw_routes.sources.inventory.problems import Place, Problems, Stated

T = TypeVar("T")

WORKERS: Final = ("workers", "worker", "kube_node")
CONTROLLERS: Final = ("controllers", "controller", "kube_control_plane")
ALL: Final = "all"
MAX_HOSTS: Final = 1000
_MAX_GROUPS: Final = 1000
_MAX_VARIABLES: Final = 200_000
"""How often a variable may be stated for a host; ranges state it for many at once."""
_MAX_CHILDREN: Final = 2000

HOST, USER, PORT, KEY = "ansible_host", "ansible_user", "ansible_port", "ansible_ssh_private_key_file"
READ: Final = frozenset({HOST, USER, PORT, KEY, "internal_ip", "pod_cidr"})
"""The variables that count here."""
_OLD_NAMES: Final = {"ansible_ssh_host": HOST, "ansible_ssh_user": USER, "ansible_ssh_port": PORT}
"""Of Ansible before 2.0; still read by it."""
_NOT_READ: Final = frozenset(
    {"ansible_connection", "ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_private_key_file"}
)
"""Variables that say how a host is reached, and that count for nothing here."""


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
        """Set a variable; a later one wins. Names of old are read as the new ones."""
        self._variables += 1
        if self._variables > _MAX_VARIABLES:
            raise TooMany(f"is more than the {_MAX_VARIABLES} variables that are read")
        variables[_OLD_NAMES.get(name, name)] = Stated(text, place, name)


def reading_of(found: Inventories, folder: Path, problems: Problems) -> ParsedInventory:
    """Find the nodes among the hosts. `folder`: where the file lies."""
    above = _Above(found, problems)
    drafts: list[Draft] = []
    identities: dict[str, Stated[str]] = {}
    others: list[str] = []
    both: list[str] = []
    shared = found.groups[ALL].variables
    for host in found.hosts.values():
        groups = above.groups_of(host.name.value)
        is_worker, is_controller = (any(g in groups for g in names) for names in (WORKERS, CONTROLLERS))
        if not is_worker and not is_controller:
            others.append(host.name.value)
            continue
        if is_worker and is_controller:
            both.append(host.name.value)
        variables = _merged(found.groups, groups, host)
        if KEY in variables:
            identities[variables[KEY].value] = variables[KEY]
        drafts.append(
            _draft(host, Role.WORKER if is_worker else Role.CONTROLLER, variables, shared.get(USER), problems)
        )
    user = problems.value(shared[USER], _plain(parse_user)) if USER in shared else None
    keys = [problems.value(stated, _plain(partial(values.identity, folder=folder))) for stated in identities.values()]
    identity = keys[0] if len(keys) == 1 else None
    where = next((g.place for n in WORKERS if (g := found.groups.get(n)) and g.place), Place(1, 1))
    notices = (*_of_hosts(others, both), *_of_variables(found, len(keys)))
    return ParsedInventory(
        drafts=tuple(drafts),
        settings=OwnSettings(user=user, identity=identity),
        notices=notices,
        others=len(others),
        where=where,
        is_whole=found.is_whole,
    )


class _Above:
    """Which groups are above which, and how far below `all` each is."""

    def __init__(self, found: Inventories, problems: Problems) -> None:
        """Add a problem for a group that does not exist, or would be part of itself."""
        self._groups = groups = found.groups
        self._parents: dict[str, list[str]] = {}
        for name, group in groups.items():
            for child, place in group.children.items():
                if child not in groups:
                    known = [g for g in groups if g != ALL] or [WORKERS[0], CONTROLLERS[0]]
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
        return sorted({ALL, *found}, key=lambda g: (self._depths[g], g))

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


def _merged(groups: dict[str, Group], names: list[str], host: Host) -> dict[str, Stated[str]]:
    merged: dict[str, Stated[str]] = {}
    for name in names:
        merged |= groups[name].variables
    return merged | host.variables


def _draft(
    host: Host, role: Role, variables: dict[str, Stated[str]], shared_user: Stated[str] | None, problems: Problems
) -> Draft:
    place = host.name.place
    name = problems.value(host.name, _host_name)

    def stated(key: str, convert: Callable[[str], T]) -> Stated[T | None] | None:
        given = variables.get(key)
        return Stated(problems.value(given, _plain(convert)), given.place, given.key) if given else None

    if HOST in variables:
        given = variables[HOST]
        address: str | None = problems.value(given, _plain(parse_host))
        at = given.place
    else:
        address, at = name, place
    user = stated(USER, parse_user) if variables.get(USER) is not shared_user else None
    port = stated(PORT, parse_port)
    endpoint = Endpoint(address, user.value if user else None, port.value if port else None) if address else None
    pods = stated("pod_cidr", values.pod_cidr) if role is Role.WORKER else None
    return Draft(
        place=place,
        role=role,
        name=Stated(name, place, "host"),
        ssh=Stated(endpoint, at, HOST),
        internal=stated("internal_ip", values.internal_ip),
        pod_cidr=pods,
    )


def _plain(convert: Callable[[str], T]) -> Callable[[str], T]:
    """Restrict `convert` to text that is not a template."""

    def converted(text: str) -> T:
        if "{{" in text:
            raise InvalidInput("is a template, which only Ansible can fill in; expected the value itself")
        return convert(text)

    return converted


def _host_name(text: str) -> str:
    try:
        parse_address(text)
    except InvalidInput:
        return values.node_name(text)
    raise InvalidInput(f"is an address, not a name; expected, for example, worker-0 with {HOST} {text}")


def _of_hosts(others: list[str], both: list[str]) -> Iterator[Finding]:
    if others:
        sentence = f"In neither of the groups workers and controllers, so ignored: {_listed(others)}."
        yield Finding("inventory-ignored", Level.NOTICE, sentence)
    if both:
        sentence = f"In both of the groups workers and controllers, so taken as workers: {_listed(both)}."
        yield Finding(
            "inventory-in-both-groups", Level.NOTICE, sentence, "Names for /etc/hosts go to controllers only."
        )


def _of_variables(found: Inventories, identities: int) -> Iterator[Finding]:
    tables = [*(g.variables for g in found.groups.values()), *(h.variables for h in found.hosts.values())]
    unread = sorted({key for table in tables for key in table} & _NOT_READ)
    if unread:
        hint = "Your SSH configuration counts: put ProxyJump and the like there."
        yield Finding("inventory-variables-ignored", Level.NOTICE, f"Not read: {', '.join(unread)}.", hint)
    if identities > 1:
        sentence = f"The hosts name {identities} different private keys ({KEY}), so none of them is taken."
        yield Finding("inventory-several-keys", Level.NOTICE, sentence, "Put them into the SSH configuration.")


def _listed(names: list[str]) -> str:
    shown = [clean_line(n)[:64] for n in names[:10]]
    return ", ".join(shown) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
