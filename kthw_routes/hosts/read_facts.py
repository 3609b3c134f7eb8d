"""Reading a host: everything that the findings and the plan need to know of it."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR, Cluster, Node, PodCidrSource
from kthw_routes.events import HostState, now
from kthw_routes.facts import (
    HostFacts,
    InterfaceAddress,
    Pod,
    PodCidrFiles,
    Privilege,
    Route,
    device_towards,
    on_link_routes,
    router_towards,
)
from kthw_routes.hosts import atomic_write, programs, read_network
from kthw_routes.hosts.cni import CniReading, read_cni, read_kubelet
from kthw_routes.hosts.read_overlay import read_overlay
from kthw_routes.hosts.task import HostTask
from kthw_routes.iproute2.output import UnreadableOutput, parse_addresses, parse_routes
from kthw_routes.sanitize import clean_line, clean_value
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.errors import HostError, NoIproute, NoRoot, OutputCut

_MAX_NAMESPACES: Final = 12
"""Network namespaces that are searched for a pod; one is enough for the proof."""
MAX_BRIDGE_ADDRESSES: Final = 200
"""Addresses of bridges that are considered; a node has a bridge or two."""
MAX_ROUTES: Final = 20_000
"""Routes within the cluster CIDR that one host may have: twenty times as many as a thousand workers need."""
MAX_ALIKE: Final = 100
"""Routes of one prefix that one host may have."""
MAX_HOST_NAME: Final = 255
"""Characters; more than the kernel keeps."""
MAX_ADDRESSES: Final = 5_000
"""IPv4 addresses that the interfaces of one host may have."""
MAX_CNI_FILES: Final = 100
"""CNI configurations that one host may have; a container runtime uses the first."""
_MAX_CNI_FILES_READ: Final = 4
"""Of these; the first that is not about the loopback interface counts."""
MAX_LINKS: Final = 50
"""Interfaces of one host that may lead to next hops: each of them is asked for."""
_TRY_IT: Final = "Check what the command prints on that host; the log names it."
_NO_MORE: Final = "Is this the right host? Nothing is planned for it; leave it out (--only names the others)."


class Unreadable(HostError):
    """The host answered in a form that is not understood."""


class TooMuch(HostError):
    """The host has more of something than is handled."""


def read_facts(
    task: HostTask,
    node: Node,
    next_hops: Collection[IPv4Address] = (),
    cluster_cidr: IPv4Network = DEFAULT_CLUSTER_CIDR,
) -> HostFacts:
    """Read one host, in two execs where nothing is odd; nothing on it is changed. The session is open.

    Args:
        task: an open session.
        node: the host.
        next_hops: the other nodes' internal addresses; of the interfaces that lead there it is read what manages them.
        cluster_cidr: within which routes are planned; up to MAX_ROUTES of them are.

    Raises:
        NoRoot: neither root nor sudo.
        NoIproute: no `ip` of iproute2.
        Unreadable, TooMuch, ConnectionLost, CommandTimedOut.
    """
    task.state(HostState.READING)
    for _ in range(2):  # what depends on no answer, and what the first answers decide
        task.ahead(lambda t: _read_all(t, node, next_hops, cluster_cidr))
    return _read_all(task, node, next_hops, cluster_cidr)


def _read_all(task: HostTask, node: Node, next_hops: Collection[IPv4Address], cluster_cidr: IPv4Network) -> HostFacts:
    session = task.session
    if session.privilege is Privilege.NONE or _read(task, programs.user_id()).strip() != "0":
        raise NoRoot(
            node.name,
            f"{session.user} is not root, and sudo does not help.",
            "Log in as root (--user root), or allow this user sudo (its password is asked for on a terminal only).",
        )
    version = _iproute2_version(task)
    addresses, bridges = read_addresses(task), _bridges(task)
    routes, routes_within = _readable_routes(task, cluster_cidr)
    on_link = on_link_routes(routes, addresses, is_whole=routes_within is None)
    devices = devices_towards(routes, on_link, next_hops)
    if len(devices) > MAX_LINKS:
        sentence = f"{len(devices):,} of its interfaces lead to nodes; kthw-routes handles up to {MAX_LINKS:,}."
        raise TooMuch(task.node, sentence, _NO_MORE)
    (cni, cni_file), (kubelet, problem) = (
        (_cni(task), _kubelet(task)) if node.is_worker else ((CniReading(), None), (None, None))
    )
    cidr_files = PodCidrFiles(
        cni=cni_file,
        kubelet=programs.KUBELET_CONFIG if kubelet else None,
        problems=tuple(p for p in (cni.problem, problem) if p is not None),
        plugin=cni.plugin,
        mtu=cni.mtu,
    )
    cidr = choose_pod_cidr(node, cni.cidr, kubelet)[0]
    content, problem = atomic_write.read_etc_hosts(task)
    bridge = next((b for b in bridges if cidr and b.address.ip in cidr), None)
    return HostFacts(
        node=node.name,
        read_at=now(),
        host_key=session.host_key,
        user=session.user,
        privilege=session.privilege,
        hostname=clean_line(_read(task, programs.hostname()), MAX_HOST_NAME),
        iproute2=version,
        addresses=addresses,
        routes=routes,
        routes_within=routes_within,
        cni_cidr=cni.cidr,
        kubelet_cidr=kubelet,
        cidr_files=cidr_files,
        ip_forward=read_forwarding(task),
        bridge=bridge,
        bridges=bridges,
        pods=_pods(task, cidr) if node.is_worker and cidr else (),
        etc_hosts=content,
        etc_hosts_problem=problem,
        network=read_network.read(task, devices, cluster_cidr),
        overlay=read_overlay(task, addresses),
    )


def choose_pod_cidr(
    node: Node, cni: IPv4Network | None, kubelet: IPv4Network | None
) -> tuple[IPv4Network | None, PodCidrSource]:
    """Choose a worker's pod CIDR by where it was read: typed, else CNI, else kubelet, else the number in its name."""
    if node.pod_cidr_source is PodCidrSource.TYPED:
        return node.pod_cidr, PodCidrSource.TYPED
    if cni:
        return cni, PodCidrSource.CNI
    if kubelet:
        return kubelet, PodCidrSource.KUBELET
    return node.pod_cidr, node.pod_cidr_source


def with_observed_pod_cidrs(cluster: Cluster, facts: Mapping[str, HostFacts]) -> Cluster:
    """Return the cluster with the pod CIDRs that the hosts themselves use; the others are marked as guesses."""

    def with_observed(node: Node) -> Node:
        read = facts.get(node.name)
        if not node.is_worker:
            return node
        if node.pod_cidr_source in (PodCidrSource.LABEL, PodCidrSource.GUESS):
            node = replace(node, pod_cidr_source=PodCidrSource.GUESS if read is None else PodCidrSource.LABEL)
        if read is None:
            return node
        cidr, source = choose_pod_cidr(node, read.cni_cidr, read.kubelet_cidr)
        if source is PodCidrSource.LABEL and read.cidr_files.problems:
            source = PodCidrSource.GUESS  # there is a file that says it, and it could not be used
        files = {PodCidrSource.CNI: read.cidr_files.cni, PodCidrSource.KUBELET: read.cidr_files.kubelet}
        return replace(node, pod_cidr=cidr, pod_cidr_source=source, pod_cidr_file=files.get(source))

    return replace(cluster, nodes=tuple(with_observed(n) for n in cluster))


def devices_towards(
    routes: Sequence[Route], on_link: Sequence[Route], next_hops: Collection[IPv4Address]
) -> tuple[str, ...]:
    """Return the interfaces that lead to next hops, each once: those at which they are, or at which their router is."""
    found: dict[str, None] = {}
    for hop in next_hops:
        device = device_towards(on_link, hop)
        if device is None and (router := router_towards(routes, on_link, hop)) is not None:
            device = router.device
        if device is not None:
            found[device] = None
    return tuple(found)


def read_forwarding(task: HostTask) -> bool:
    """Whether the kernel forwards IPv4 packets."""
    return _read(task, programs.ip_forward()).strip() == "1"


def read_routes(task: HostTask, within: IPv4Network | None = None) -> tuple[Route, ...]:
    """Read the main table, in the kernel's order.

    Args:
        task: an open session.
        within: read only the routes to this network, to parts of it and to networks that contain it. None: all.

    Raises OutputCut where the table is too long to be read, Unreadable, TooMuch, and what `Session.run` raises.
    """
    if within is None:
        routes = _routes(task, programs.routes())
    else:
        around = _routes(task, programs.routes_around(within))
        routes = (*(r for r in around if r.prefix != within), *_routes(task, programs.routes_within(within)))
    prefix, alike = max(Counter(r.prefix for r in routes).items(), key=lambda item: item[1], default=(None, 0))
    if alike > MAX_ALIKE:
        sentence = f"it has {alike:,} routes to {prefix}; kthw-routes handles up to {MAX_ALIKE:,} of one prefix."
        raise TooMuch(task.node, sentence, _NO_MORE)
    return routes


def _routes(task: HostTask, command: Command) -> tuple[Route, ...]:
    try:
        return parse_routes(_read(task, command, required=True))
    except UnreadableOutput as error:
        raise Unreadable(task.node, f"{error}.", _TRY_IT) from error


def _readable_routes(task: HostTask, cluster_cidr: IPv4Network) -> tuple[tuple[Route, ...], IPv4Network | None]:
    """Read the main table; where it is too long for that, what it has for the cluster CIDR, which is returned too."""
    try:
        return _bounded(task, read_routes(task), cluster_cidr), None
    except OutputCut:
        task.note(f"its routing table is too long to be read whole; only its routes for {cluster_cidr} are read")
    try:
        return _bounded(task, read_routes(task, cluster_cidr), cluster_cidr), cluster_cidr
    except OutputCut as error:
        sentence = f"it has more routes in {cluster_cidr} than the {MAX_ROUTES:,} that kthw-routes handles."
        raise TooMuch(task.node, sentence, _NO_MORE) from error


def _bounded(task: HostTask, routes: tuple[Route, ...], cluster_cidr: IPv4Network) -> tuple[Route, ...]:
    """Return `routes`, where no more than MAX_ROUTES are within the cluster CIDR. Raises TooMuch."""
    inside = sum(1 for route in routes if route.prefix.subnet_of(cluster_cidr))
    if inside > MAX_ROUTES:
        sentence = f"it has {inside:,} routes in {cluster_cidr}; kthw-routes handles up to {MAX_ROUTES:,} there."
        raise TooMuch(task.node, sentence, _NO_MORE)
    return routes


def read_addresses(task: HostTask) -> tuple[InterfaceAddress, ...]:
    """Read the IPv4 addresses of all interfaces. Raises Unreadable, and what `Session.run` raises."""
    return _addresses(task, programs.addresses())


def _addresses(task: HostTask, command: Command) -> tuple[InterfaceAddress, ...]:
    try:
        addresses = parse_addresses(_read(task, command, required=True))
    except UnreadableOutput as error:
        raise Unreadable(task.node, f"{error}.", _TRY_IT) from error
    if len(addresses) > MAX_ADDRESSES:
        sentence = f"it has {len(addresses):,} IPv4 addresses; kthw-routes handles up to {MAX_ADDRESSES:,}."
        raise TooMuch(task.node, sentence, _NO_MORE)
    return addresses


def _read(task: HostTask, command: Command, *, required: bool = False) -> str:
    """Return stdout of a command; empty where it failed and may."""
    result = task.run(command, silent=True)
    if required and not result.ok:
        words = result.words or "no output"
        raise Unreadable(task.node, f"`{command}` failed with status {result.status}: {words}")
    return result.out if result.ok else ""


def _iproute2_version(task: HostTask) -> str:
    version = clean_value(_read(task, programs.ip_version()))
    if "iproute2" not in version:
        raise NoIproute(
            task.node,
            "there is no usable `ip` command (busybox has its own, which is not enough).",
            "Install iproute2: `apk add iproute2` on Alpine, `apt install iproute2` on Debian and Ubuntu.",
        )
    return version


def _bridges(task: HostTask) -> tuple[InterfaceAddress, ...]:
    """Read the bridges' addresses; none where this `ip` cannot list them."""
    result = task.run(programs.bridge_addresses(), silent=True)
    try:
        return parse_addresses(result.out)[:MAX_BRIDGE_ADDRESSES] if result.ok else ()
    except UnreadableOutput:
        return ()


def _cni(task: HostTask) -> tuple[CniReading, PurePosixPath | None]:
    """Read the CNI configuration that the container runtime takes, and which file that is: the first, by name."""
    files = programs.cni_files(_read(task, programs.list_folder(programs.CNI_FOLDER)))
    if len(files) > MAX_CNI_FILES:
        sentence = f"it has {len(files):,} CNI configurations; kthw-routes handles up to {MAX_CNI_FILES:,}."
        raise TooMuch(task.node, sentence, f"Remove those that nothing uses from {programs.CNI_FOLDER}.")
    found = [(_file(task, file, read_cni), file) for file in files[:_MAX_CNI_FILES_READ]]
    return next(((reading, file) for reading, file in found if not reading.is_loopback), (CniReading(), None))


def _file(task: HostTask, file: PurePosixPath, read: Callable[[PurePosixPath, str], CniReading]) -> CniReading:
    result = task.run(programs.read_files([file], needs_root=True), silent=True)
    if not result.ok:
        return CniReading(problem=f"{file.name}: it cannot be read ({result.words or 'no output'})")
    return read(file, result.out)


def _kubelet(task: HostTask) -> tuple[IPv4Network | None, str | None]:
    """Read the kubelet's pod CIDR, and its problem."""
    result = task.run(programs.read_files([programs.KUBELET_CONFIG], needs_root=True), silent=True)
    return read_kubelet(programs.KUBELET_CONFIG, result.out) if result.ok else (None, None)


def _pods(task: HostTask, cidr: IPv4Network) -> tuple[Pod, ...]:
    """Find the first pod: a network namespace with an address in the pod CIDR."""
    names = _read(task, programs.namespaces()).splitlines()
    for name in names[:_MAX_NAMESPACES]:
        try:
            found = parse_addresses(_read(task, programs.namespace_addresses(name)))
        except ValueError:  # an odd name or odd output: no pod of a container runtime
            continue
        for address in found:
            if address.address.ip in cidr:
                return (Pod(name, address.address.ip, address.mtu),)
    return ()
