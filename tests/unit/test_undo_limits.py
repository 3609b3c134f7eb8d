"""A record that no run wrote: whatever it asks for beyond what a run changes is shown, and not done."""

from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import PurePosixPath

import pytest

from kthw_routes.cluster import Cluster, Endpoint
from kthw_routes.facts import HostFacts, HostFile, InterfaceAddress, NetworkSetup, Route
from kthw_routes.persistence import ifupdown, managers, unit
from kthw_routes.persistence.model import Manager
from kthw_routes.persistence.paths import FORWARDING_FILE
from kthw_routes.plan import etc_hosts
from kthw_routes.plan.changes import ChangeKind, HostPlan, Plan
from kthw_routes.record.journal import HostRecord, HostsFileRecord, Journal, RouteRecord
from kthw_routes.undo import plan as undo_plan
from kthw_routes.undo.reasons import REFUSED
from tests.unit.builders import cluster, controller, facts, file_change, internal, ip, net, pod_route, worker
from tests.unit.setups import ALL, DEBIAN, FITTING, held

HOST = worker(0)
NODES = cluster()


def taken_back(entry: HostRecord, now: HostFacts, of: Cluster = NODES) -> HostPlan:
    return undo_plan.planner(Journal((entry,)), of)(of.node(entry.host), now)


def is_refused(plan: HostPlan) -> bool:
    """Whether nothing of it is done, and that is told."""
    reasons = [*(r.reason for r in plan.routes), *(n.reason for n in plan.names), *(f.reason for f in plan.files)]
    (finding,) = undo_plan.refusals(Plan((plan,))) or (None,)
    return (
        plan.is_empty and not plan.undo_commands and finding is not None and all(r.startswith(REFUSED) for r in reasons)
    )


# --- routes -----------------------------------------------------------------------------------------------------

EVIL = ip("192.168.128.66")
BRIDGE = InterfaceAddress("cnio0", IPv4Interface("10.200.0.1/24"))
OWN = Route(net("10.200.0.0/24"), device="cnio0", protocol="kernel", scope="link", source=ip("10.200.0.1"))


@pytest.mark.parametrize("restored", [True, False])
@pytest.mark.parametrize(
    ("prefix", "cidr"),
    [
        ("0.0.0.0/0", "10.200.0.0/16"),
        ("8.8.8.8/32", "10.200.0.0/16"),
        ("10.201.0.0/24", "10.200.0.0/16"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("8.8.8.8/32", "0.0.0.0/0"),
        ("8.8.8.8/32", "8.8.8.0/24"),
        ("0.0.0.0/1", "0.0.0.0/0"),
        ("192.168.0.0/16", "192.168.0.0/16"),
        ("192.168.128.11/32", "192.168.0.0/16"),
        ("192.168.200.0/24", "192.168.0.0/16"),
        ("127.0.0.0/8", "127.0.0.0/8"),
        ("169.254.169.254/32", "169.254.0.0/16"),
    ],
)
def test_no_route_outside_of_a_sane_cluster_cidr(prefix: str, cidr: str, restored: bool) -> None:
    route = Route(net(prefix), EVIL, "eth0", protocol="200")
    entry = RouteRecord(route.prefix, (route,), ()) if restored else RouteRecord(route.prefix, (), (route,))
    now = facts(HOST, () if restored else (route,))
    assert is_refused(taken_back(HostRecord(HOST.name, (entry,)), now, replace(NODES, cidr=net(cidr))))


def test_a_cluster_cidr_that_does_not_hold_the_hosts_own_pods_is_none() -> None:
    route = Route(net("10.201.1.0/24"), EVIL, "eth0")
    entry = HostRecord(HOST.name, (RouteRecord(route.prefix, (route,), ()),))
    moved = replace(NODES, cidr=net("10.201.0.0/16"))
    assert is_refused(taken_back(entry, facts(HOST, cni_cidr=net("10.200.0.0/24")), moved))
    assert not taken_back(entry, facts(HOST), moved).is_empty


def test_no_route_to_an_address_by_which_a_node_is_reached() -> None:
    reached = replace(worker(1), ssh=Endpoint("10.200.9.9"))
    route = Route(net("10.200.9.0/24"), EVIL, "eth0")
    entry = HostRecord(HOST.name, (RouteRecord(route.prefix, (route,), ()),))
    assert is_refused(taken_back(entry, facts(HOST), Cluster((HOST, reached))))


@pytest.mark.parametrize(
    ("before", "after", "now"),
    [
        ([], [OWN], [OWN]),
        ([pod_route(0, via=2)], [pod_route(0, via=1)], [OWN, pod_route(0, via=1)]),
        ([OWN], [], []),
    ],
)
def test_the_nodes_own_pods_are_left_alone(before: list[Route], after: list[Route], now: list[Route]) -> None:
    entry = HostRecord(HOST.name, (RouteRecord(OWN.prefix, tuple(before), tuple(after)),))
    plan = taken_back(entry, facts(HOST, now, bridge=BRIDGE, bridges=(BRIDGE,)))
    assert plan.is_empty
    assert not [c for row in plan.routes for c in row.edit.commands if c.route.is_kernel]


def test_the_repair_is_taken_back() -> None:
    away = pod_route(0, via=1, protocol="boot")
    entry = HostRecord(HOST.name, (RouteRecord(OWN.prefix, (away,), (OWN,)),))
    plan = taken_back(entry, facts(HOST, [OWN], bridge=BRIDGE, bridges=(BRIDGE,)))
    assert [str(c.verb) for row in plan.routes for c in row.edit.commands] == ["replace"]


# --- names ------------------------------------------------------------------------------------------------------

CONTROLLER = controller(0)
ETC_HOSTS = b"127.0.0.1 localhost\n10.0.0.9 printer printer.lan # mine\n192.168.177.9 worker-1\n"
APPLIED = etc_hosts.edit(ETC_HOSTS, {f"worker-{n}": internal(n) for n in range(3)}).after
BLOCK = b"# BEGIN kthw-routes\n%s\n# END kthw-routes\n"


def names(before: bytes, after: bytes = APPLIED, now: bytes = APPLIED, of: Cluster = NODES) -> HostPlan:
    entry = HostRecord(CONTROLLER.name, hosts_file=HostsFileRecord(before, after, ("worker-1",)))
    return taken_back(entry, facts(CONTROLLER, etc_hosts=now), of)


@pytest.mark.parametrize(
    "before",
    [
        b"6.6.6.6 github.com\n",
        b"6.6.6.6 worker-1\n",
        b"10.0.0.6 github.com\n",
        b"192.168.128.6 vault\n",
        b"192.168.128.11 worker-1 github.com\n",
        b"192.168.128.11 worker-1 # github.com\n",
        b"192.168.128.6 controller-0\n",
        BLOCK % b"6.6.6.6 github.com",
        BLOCK % b"6.6.6.6 worker-1",
        BLOCK % b"10.0.0.6 github.com",
        BLOCK % b"10.0.0.6 worker-1 github.com",
        BLOCK % b"10.0.0.6 localhost",
        BLOCK % b"::1 worker-1",
        b"# BEGIN kthw-routes\n10.0.0.6 worker-1\n",
        b"fe80::6 worker-1\n",
        b"\xff\xfe\n",
        b"# a comment\n",
    ],
)
def test_no_line_that_is_not_a_workers(before: bytes) -> None:
    assert is_refused(names(ETC_HOSTS + before))
    elsewhere = APPLIED + b"10.0.0.7 since\n"
    assert names(ETC_HOSTS + before, now=elsewhere).hosts_file is not None
    assert names(ETC_HOSTS + before, now=elsewhere).is_empty


def test_no_line_of_others_goes_with_the_record() -> None:
    assert is_refused(names(b"127.0.0.1 localhost\n"))
    assert is_refused(names(b""))
    planted = Cluster((*NODES.nodes, worker(6, name="github.com", internal=ip("6.6.6.6"))))
    assert is_refused(names(ETC_HOSTS + b"6.6.6.6 github.com\n", of=planted))


@pytest.mark.parametrize(
    "before",
    [
        ETC_HOSTS,
        ETC_HOSTS + b"192.168.128.77 worker-7\n",
        ETC_HOSTS + BLOCK % b"192.168.128.77 gamma\n192.168.128.10 worker-0",
        ETC_HOSTS + BLOCK % b"# what somebody wrote here\n\n192.168.128.10 worker-0",
        ETC_HOSTS.removesuffix(b"\n"),
    ],
)
def test_what_a_run_changes_goes_back(before: bytes) -> None:
    plan = names(before)
    assert plan.hosts_file is not None
    assert plan.hosts_file.after == before


# --- files ------------------------------------------------------------------------------------------------------


def stored(path: PurePosixPath | str, before: bytes | None, mode: int = 0o644, *, is_ours: bool = True) -> HostPlan:
    """The plan that takes back that a file was removed."""
    change = file_change(
        kind=ChangeKind.REMOVE, path=PurePosixPath(path), before=before, mode=mode, before_mode=mode, is_ours=is_ours
    )
    template = HostFile(PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl"), 0o644, b"")
    network = NetworkSetup(hosts_template=template)
    return taken_back(HostRecord(HOST.name, files=(change,)), facts(HOST, network=network))


@pytest.mark.parametrize(
    ("manager", "setup"),
    [
        pytest.param(manager, setup, id=f"{manager}-{name}")
        for manager in Manager
        for name, setup in ALL.items()
        if not managers.MODULES[manager].unsupported_reason(["eth0"], setup)
    ],
)
def test_every_file_that_is_written_comes_back(manager: Manager, setup: NetworkSetup) -> None:
    routes = [held(1), held(2)]
    for file in managers.MODULES[manager].render(routes, setup):
        (row,) = stored(file.path, file.content, file.mode).files
        assert (row.kind, row.after) == (ChangeKind.ADD, file.content)
        other_version = file.content.replace(b"# Written by kthw-routes", b"# Written by another version")
        assert stored(file.path, other_version, file.mode).files[0].kind is ChangeKind.ADD


def test_the_files_of_earlier_versions_come_back() -> None:
    (script,) = ifupdown.render([held(1)], DEBIAN)
    former = script.content.replace(b"${ADDRFAM:-inet}", b"$ADDRFAM")
    assert former != script.content
    assert stored(script.path, former, script.mode).files[0].after == former
    assert stored(FORWARDING_FILE.path, FORWARDING_FILE.content).files[0].kind is ChangeKind.ADD


WRITTEN = {
    file.path: file
    for manager in Manager
    for file in managers.MODULES[manager].render([held(1), held(2)], FITTING[manager])
} | {FORWARDING_FILE.path: FORWARDING_FILE}
CHANGED: list[tuple[bytes, bytes]] = [
    (b"192.168.128.11", b"192.168.128.11; reboot"),
    (b"10.200.1.0/24", b"0.0.0.0/0"),
    (b"10.200.1.0/24", b"8.8.8.0/24"),
    (b"10.200.1.0/24", b"10.200.0.0/24"),
    (b"10.200.1.0/24", b"192.168.128.0/24"),
    (b"dev eth0", b"dev $(reboot)"),
    (b"eth0)", b"eth0) reboot"),
    (b"proto 200", b"proto 201"),
    (b"Protocol=200", b"Protocol=200\nDNS=6.6.6.6"),
    (b"/usr/bin/env ip", b"/tmp/evil"),
    (b"[Timer]", b"[Timer]\nUnit=evil.service"),
    (b"ip_forward = 1", b"ip_forward = 1\nkernel.core_pattern = |/tmp/evil"),
    (b"exit 0\n", b"reboot\n"),
    (b"version: 2", b"version: 2\n  renderer: NetworkManager"),
    (b"      routes:", b"      dhcp4: false\n      routes:"),
    (b"\n", b"\nreboot\n"),
    (b"# Written", b"# \\\n# Written"),
    (b"# Written", b"\xff# Written"),
    (b"# Written", b"# \x1b[2J Written"),
    (b"#!/bin/sh", b"#!/bin/evil"),
]


@pytest.mark.parametrize(("old", "new"), CHANGED)
def test_no_file_of_another_content(old: bytes, new: bytes) -> None:
    tried = [file for file in WRITTEN.values() if old in file.content]
    assert tried
    for file in tried:
        for content in {file.content.replace(old, new), file.content.replace(old, new, 1)}:
            assert is_refused(stored(file.path, content, file.mode)), (file.path, content)


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh\nreboot\n", b"x" * 100_000, b"network: &a [*a]\n", b"[Route]\n", b"\0"]
)
@pytest.mark.parametrize("path", WRITTEN, ids=str)
def test_no_file_of_any_content(path: PurePosixPath, content: bytes) -> None:
    assert is_refused(stored(path, content))


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1777, 0o777, 0o666, 0o664])
@pytest.mark.parametrize("path", WRITTEN, ids=str)
def test_no_file_that_others_may_write(path: PurePosixPath, mode: int) -> None:
    assert is_refused(stored(path, WRITTEN[path].content, mode))


@pytest.mark.parametrize(
    "path",
    [
        "/etc/kthw-routes/../shadow",
        "/etc/shadow",
        "/etc/kthw-routes/other",
        "/etc/network/if-up.d/evil",
        "/etc/systemd/system/evil.service",
        "/etc/systemd/network/../../x/05-eth0.network.d/90-kthw-routes.conf",
        "/etc/systemd/network/05-eth0.network.d/evil.conf",
        "//etc/kthw-routes/routes.batch",
        "etc/kthw-routes/routes.batch",
        "/etc/cloud/templates/hosts.debian.tmpl",
        "/etc/hosts",
        "/",
        "",
    ],
)
@pytest.mark.parametrize("is_removal", [True, False])
def test_no_file_elsewhere(path: str, is_removal: bool) -> None:
    if is_removal:
        assert is_refused(stored(path, WRITTEN[unit.BATCH].content))
        return
    change = file_change(kind=ChangeKind.ADD, path=PurePosixPath(path), after=b"x", folder_is_ours=True)
    standing = NetworkSetup(
        files=(HostFile(PurePosixPath(path), 0o644, b"x"),), folders=frozenset({PurePosixPath(path).parent})
    )
    assert is_refused(taken_back(HostRecord(HOST.name, files=(change,)), facts(HOST, network=standing)))


@pytest.mark.parametrize(
    "before",
    [
        b"## template:jinja\n{{ cycler.__init__.__globals__.os.system('reboot') }}\n",
        BLOCK % b"# {{ evil }}",
        BLOCK % b"6.6.6.6 worker-1",
        BLOCK % b"10.0.0.6 worker-1 {{ evil }}",
        b"6.6.6.6 github.com\n",
    ],
)
def test_nothing_else_in_cloud_inits_template(before: bytes) -> None:
    path, plain = PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl"), b"## template:jinja\n127.0.0.1 localhost\n"
    after = etc_hosts.edit(plain, {"worker-1": internal(1)}).after

    def back(content: bytes) -> HostPlan:
        change = file_change(
            kind=ChangeKind.REPLACE, path=path, before=content, after=after, before_mode=0o644, is_ours=False
        )
        network = NetworkSetup(hosts_template=HostFile(path, 0o644, after))
        return taken_back(HostRecord(HOST.name, files=(change,)), facts(HOST, network=network))

    assert is_refused(back(plain + before))
    assert back(plain).files[0].after == plain


def test_the_rest_goes_on() -> None:
    sent = Route(net("10.200.1.0/24"), internal(1), protocol="200")
    entry = HostRecord(
        HOST.name,
        (RouteRecord(sent.prefix, (), (sent,)), RouteRecord(net("0.0.0.0/0"), (Route(net("0.0.0.0/0"), EVIL),), ())),
    )
    plan = taken_back(entry, facts(HOST, [pod_route(1)]))
    assert list(plan.commands) == ["ip route del 10.200.1.0/24 via 192.168.128.11 dev eth0 proto 200"]
    (finding,) = undo_plan.refusals(Plan((plan,)))
    assert finding.sentence.endswith("what no run of kthw-routes does (0.0.0.0/0).")
