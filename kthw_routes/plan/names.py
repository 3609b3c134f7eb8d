"""What becomes of workers' names on a host, in /etc/hosts and in the template that cloud-init makes it from. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from kthw_routes.cluster import Cluster, Node, PodCidrSource
from kthw_routes.facts import HostFacts, HostFile
from kthw_routes.node_names import expected_pod_cidr, is_address, is_host_name
from kthw_routes.options import NamesOn, Options
from kthw_routes.persistence.paths import ETC_HOSTS, TEMPLATES, is_template
from kthw_routes.plan import etc_hosts
from kthw_routes.plan.changes import MAX_FILE, ChangeKind, EtcHostsEdit, FileChange
from kthw_routes.plan.hosts_lines import BrokenBlock, has_block
from kthw_routes.plan.wanted import wanted_names


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesPlan:
    """What becomes of the workers' names on one host."""

    edit: EtcHostsEdit | None = None
    template: tuple[FileChange, ...] = ()
    """The row of cloud-init's template, where that is edited."""
    problem: str | None = None
    """Why a file cannot be edited, as a sentence."""
    are_missing: bool = False
    """Whether names that are wanted cannot be written for that reason."""
    are_lost_at_boot: bool = False
    """Whether cloud-init rewrites /etc/hosts at each boot, from a template that is left alone."""


def with_host_names(cluster: Cluster, facts: Mapping[str, HostFacts]) -> Cluster:
    """Return the cluster where each node that only has an address for a name has the one that its host has for itself.

    None is given where two nodes would have it.
    """
    has = {node.name: _short_name(facts[node.name]) for node in cluster if is_address(node.name) and node.name in facts}
    taken = Counter(has.get(node.name, node.name).casefold() for node in cluster)

    def named(node: Node) -> Node:
        name = has.get(node.name)
        if name is None or not is_host_name(name) or taken[name.casefold()] > 1:
            return node
        cidr = expected_pod_cidr(name, cluster.cidr) if node.is_worker and node.pod_cidr is None else None
        if cidr is None:
            return replace(node, name=name)
        return replace(node, name=name, pod_cidr=cidr, pod_cidr_source=PodCidrSource.LABEL)

    return replace(cluster, nodes=tuple(named(n) for n in cluster))


def _short_name(facts: HostFacts) -> str:
    return facts.hostname.partition(".")[0]


def names_of_host(cluster: Cluster, node: Node, facts: HostFacts, options: Options) -> NamesPlan:
    """Return the workers' names in /etc/hosts and, where asked for, in cloud-init's template.

    Where a block of ours is there already it is kept right, in either file, unless no names at all are wanted. A file
    that is missing is not made: it would lack what else belongs there, and something took it away.
    """
    asked = options.names_on.counts(node)
    if not asked and (options.names_on is NamesOn.NONE or not has_block(facts.etc_hosts)):
        return NamesPlan()
    addresses = wanted_names(cluster, node)
    if facts.etc_hosts is None:
        why = facts.etc_hosts_problem or "there is no /etc/hosts that could be read"
        problem = f"{why}, so the workers' names are not added to it."
        return NamesPlan(problem=problem, are_missing=bool(addresses))
    gone = {n.name for n in cluster if n.is_worker and not n.is_member}
    marked = {name for host, name in options.marked_names if host == node.name}
    listed = {n.name for n in cluster if n.is_member}
    edit = partial(etc_hosts.edit, gone=gone, prune=options.prune, marked=marked, listed=listed)
    template = facts.network.hosts_template
    if template is not None and not options.hosts_template and not has_block(template.content):
        template = None
    broken: list[str] = []
    too_large: list[str] = []

    def edited(path: str, content: bytes) -> EtcHostsEdit | None:
        try:
            wanted = edit(content, addresses)
        except BrokenBlock as error:
            broken.append(f"{path} {error}")
            return None
        return wanted if _fits(wanted, path, too_large) else None

    of_hosts = edited(str(ETC_HOSTS), facts.etc_hosts)
    of_template = edited(str(template.path), template.content) if template is not None else None
    sentences = [f"{' and '.join(broken)}; correct or remove these lines by hand."] if broken else []
    lost = sorted(str(path) for path in facts.network.unread if path == TEMPLATES or is_template(path))
    if lost and options.hosts_template:
        sentences.append(f"{lost[0]} could not be read, so the workers' names are not added to cloud-init's template.")
    problem = " ".join([*sentences, *too_large])
    return NamesPlan(
        edit=of_hosts,
        template=(_template_change(template, of_template.after),) if template and of_template else (),
        problem=problem or None,
        are_missing=bool(problem and addresses),
        are_lost_at_boot=facts.network.hosts_template is not None and template is None,
    )


def _fits(edit: EtcHostsEdit, path: str, too_large: list[str]) -> bool:
    """Return whether the file can be read whole after the edit, so that it can be undone; else a sentence is added."""
    if edit.is_empty or len(edit.after) <= MAX_FILE:
        return True
    too_large.append(
        f"{path} would have {len(edit.after)} bytes with the names; no file of more than {MAX_FILE >> 20} MiB is read, "
        "so it was left alone."
    )
    return False


def _template_change(template: HostFile, after: bytes) -> FileChange:
    same = template.content == after
    return FileChange(
        kind=ChangeKind.KEEP if same else ChangeKind.REPLACE,
        path=template.path,
        before=template.content,
        after=after,
        mode=template.mode,
        reason="cloud-init rewrites /etc/hosts from it at each boot",
        before_mode=template.mode,
        is_ours=False,
    )
