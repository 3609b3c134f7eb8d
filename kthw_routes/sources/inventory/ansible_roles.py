"""Which groups of an Ansible inventory hold workers, and which controllers: named by an option, else by usual names.

Case, `-` and `_` make no difference. Of the usual names the more certain ones come first: `nodes` counts only where no
group such as `workers` has hosts, as `nodes` is often the group of all machines.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from kthw_routes.cluster import Role
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.inventory.problems import Place, Problems
from kthw_routes.sources.inventory.values import expected

ALL: Final = "all"
UNGROUPED: Final = "ungrouped"
USUAL_WORKERS: Final = "workers"
USUAL_CONTROLLERS: Final = "controllers"
OPTIONS: Final = {Role.WORKER: "--worker-group", Role.CONTROLLER: "--controller-group"}

_SEPARATORS: Final = re.compile(r"[-_. ]")
_CLUSTER: Final = "(?:k8s|k3s|kube|kubernetes|cluster)"
_USUAL: Final = {
    Role.WORKER: (
        re.compile(rf"{_CLUSTER}?worker(?:node|host|server|machine|vm)?s?|kubenodes?"),
        re.compile(rf"{_CLUSTER}?(?:node|computenode|compute|agent|agentnode|minion)s?"),
    ),
    Role.CONTROLLER: (
        re.compile(rf"{_CLUSTER}?(?:controller|master|controlplane|control)(?:node|host|server|machine|vm)?s?"),
        re.compile(rf"{_CLUSTER}?(?:server|manager)s?"),
    ),
}
"""By role, patterns of group names without case and separators; a later one counts where no earlier one finds hosts."""


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """Which groups the person named as those of the workers and the controllers; None: the usual names count."""

    workers: str | None = None
    controllers: str | None = None

    def of(self, role: Role) -> str | None:
        """Return the group that was named for a role."""
        return self.workers if role is Role.WORKER else self.controllers


USUAL: Final = GroupChoice()


def folded(name: str) -> str:
    """Return a group's name without what makes no difference."""
    return _SEPARATORS.sub("", name.casefold())


def groups_of_role(
    role: Role, groups: Collection[str], with_hosts: Collection[str], choice: GroupChoice, problems: Problems
) -> frozenset[str]:
    """Find the groups whose hosts have a role; a problem is added where the group that was named does not exist.

    Args:
        role: worker or controller.
        groups: all groups of the file.
        with_hosts: those that hold a host, directly or not.
        choice: what the person named.
        problems: where to say so.
    """
    named = choice.of(role)
    if named is not None:
        alike = [named] if named in groups else [g for g in groups if folded(g) == folded(named)]
        if not alike:
            known = own_groups(groups) or [USUAL_WORKERS, USUAL_CONTROLLERS]
            sentence = f"{OPTIONS[role]}: there is no group {clean_line(named)}; expected {expected(named, known)}"
            problems.add(Place(1, 1), sentence)
        return frozenset(alike)
    for pattern in _USUAL[role]:
        if found := frozenset(g for g in groups if g in with_hosts and pattern.fullmatch(folded(g))):
            return found
    return frozenset(g for g in groups if _USUAL[role][0].fullmatch(folded(g)))


def own_groups(groups: Iterable[str]) -> list[str]:
    """List the groups that the file itself names, without Ansible's own two."""
    return [clean_line(g) for g in groups if g not in (ALL, UNGROUPED)]


def why_no_worker(groups: Iterable[str]) -> str:
    """Return why no host is a worker, and which groups are there."""
    there = own_groups(groups)
    listed = f"its groups are {', '.join(there[:10])}{' and others' if len(there) > 10 else ''}" if there else ""
    return (
        f"no host of this file is in a group of workers{f'; {listed}' if listed else ''}; expected a group workers, "
        f"worker_nodes, kube_node, k8s-workers, nodes or the like, or another one named with {OPTIONS[Role.WORKER]}"
    )
