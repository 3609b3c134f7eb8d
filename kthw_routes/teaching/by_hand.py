"""What somebody typed by hand, row by row: right, missing, or wrong, and then what is wrong with it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts, Route
from kthw_routes.plan.changes import HostPlan, NameChange, Plan, RouteChange
from kthw_routes.plan.changes.route import describe
from kthw_routes.plan.codes import NameCode, RouteCode, of_name, of_route


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """One row of a host: what was to be typed, or what was typed besides."""

    host: str
    what: str
    """The prefix, or the name."""
    is_right: bool = False
    wrong: str | None = None
    """What is wrong with it and what to type instead, in sentences; None while it is only missing, or right."""


@dataclass(frozen=True, slots=True)
class State:
    """How the hosts are at one time."""

    plan: Plan
    """What is still to be done."""
    facts: Mapping[str, HostFacts]


def judge(cluster: Cluster, first: State, now: State) -> list[Typed]:
    """Return all rows, host by host. What is new in `now`, and was not there in `first`, was typed."""
    began = {host.node: host for host in first.plan.hosts}
    return [
        row
        for host in now.plan.hosts
        for row in (
            *_of_host(cluster, host, now.facts.get(host.node), first.facts.get(host.node)),
            *_of_others(began.get(host.node), host),
        )
    ]


def _of_others(began: HostPlan | None, host: HostPlan) -> Iterator[Typed]:
    """Yield the rows that are neither routes nor names: files, forwarding."""
    due = {row.key for row in host.due}
    for row in began.due if began is not None else ():
        if not isinstance(row, RouteChange | NameChange):
            yield Typed(host=host.node, what=row.title, is_right=row.key not in due)


def _of_host(cluster: Cluster, host: HostPlan, facts: HostFacts | None, before: HostFacts | None) -> Iterator[Typed]:
    own = next((n.pod_cidr for n in cluster if n.name == host.node), None)
    for row in host.routes:
        code = of_route(row, own)
        if row.next_hop is not None and code is not RouteCode.NOT_READ:
            wrong = _wrong_route(cluster, host, row, code) if row.has else None
            yield Typed(host=host.node, what=str(row.prefix), is_right=code is RouteCode.RIGHT, wrong=wrong)
    for name in host.names:
        yield from _of_name(host, name)
    if facts is not None and before is not None:
        shown = {row.prefix for row in host.routes if row.next_hop is not None}
        for route in facts.routes:
            if route not in before.routes and route.prefix not in shown and not route.is_kernel:
                wrong = _besides(cluster, host, route, own)
                if wrong is not None:
                    shown.add(route.prefix)  # the next one of it when this one is gone
                    yield Typed(host=host.node, what=str(route.prefix), wrong=wrong)


def _of_name(host: HostPlan, name: NameChange) -> Iterator[Typed]:
    code = of_name(name)
    if name.address is None:
        return
    wrong = None
    if code is NameCode.WRONG:
        wrong = (
            f"{host.node}: {name.name} has another address in /etc/hosts ({'; '.join(name.has)}); its internal address "
            f"is {name.address}. The first line that has a name counts."
        )
    yield Typed(host=host.node, what=name.name, is_right=code in (NameCode.RIGHT, NameCode.TWICE), wrong=wrong)


def _wrong_route(cluster: Cluster, host: HostPlan, row: RouteChange, code: RouteCode) -> str | None:
    match code:
        case RouteCode.RIGHT:
            return None
        case RouteCode.SECOND_ROUTE:
            what = f"{host.node}: {row.prefix}: {row.reason}"
            return f"{what}. Of two, the one with the smaller metric wins. Remove it: {row.commands[0]}"
        case RouteCode.FOREIGN:
            return f"{host.node}: {row.prefix}: {row.reason}."
        case _:
            return _wrong_next_hop(cluster, host, row)


def _wrong_next_hop(cluster: Cluster, host: HostPlan, row: RouteChange) -> str:
    first = row.has[0]
    whose = _owner(cluster, first.gateway)
    is_own = whose is not None and whose.name == host.node
    through = f" dev {row.device} onlink" if row.device is not None else ""
    who = f", the address of {'this host itself' if is_own else whose.name}" if whose is not None else ""
    return (
        f"{host.node}: {row.prefix} is {row.worker}'s pod CIDR, and its route leads {describe(first)}{who}. "
        f"Correct it: ip route replace {row.prefix} via {row.next_hop}{through}"
    )


def _besides(cluster: Cluster, host: HostPlan, route: Route, own: IPv4Network | None) -> str | None:
    """Return what is wrong with a new route that is not wanted; None where it has nothing to do with this."""
    remove = f"Remove it: ip route del {route.prefix} {describe(route)}"
    if own is not None and route.prefix.overlaps(own):
        return (
            f"{host.node}: {route.prefix} {'is its own' if route.prefix == own else 'overlaps its own'} pod CIDR"
            f"{'' if route.prefix == own else f' {own}'}: its pods are on its bridge. Was it meant for another host? "
            f"{remove}"
        )
    owner = _owner(cluster, route.gateway)
    near = next((n for n in cluster.workers if n.pod_cidr is not None and _is_near(route.prefix, n.pod_cidr)), None)
    if near is None and owner is not None and owner.is_worker and owner.pod_cidr is not None:
        near = owner
    if near is None or near.name == host.node:
        return None
    return f"{host.node}: {route.prefix} is not a pod CIDR; that of {near.name} is {near.pod_cidr}. {remove}"


def _is_near(typed: IPv4Network, pods: IPv4Network) -> bool:
    """Whether a prefix is that of a pod CIDR with another length, or lies in it."""
    return typed != pods and (typed.network_address == pods.network_address or typed.subnet_of(pods))


def _owner(cluster: Cluster, address: IPv4Address | None) -> Node | None:
    return next(
        (n for n in cluster if address is not None and address in {n.internal, *(a.ip for a in n.addresses)}), None
    )
