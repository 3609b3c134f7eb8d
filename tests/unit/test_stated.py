"""What the host's own configuration states of pod routes: read, counted, and never written twice."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.cluster import Selection
from kthw_routes.facts import LinkSetup, NetworkSetup, StatedRoute
from kthw_routes.findings.model import Finding
from kthw_routes.findings.plan import ends_at_reboot, of_plan
from kthw_routes.hosts import programs
from kthw_routes.options import Options
from kthw_routes.persistence import stated
from kthw_routes.persistence.managers import MODULES
from kthw_routes.persistence.model import Choice, Manager, Persist
from kthw_routes.persistence.readers import DISPATCHER, NETWORKD, NETWORKING, NETWORKMANAGER
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import ChangeKind, HostPlan, Plan, StatedFile
from kthw_routes.ssh.errors import OutputCut
from kthw_routes.words import REBOOT, reboot_summary, summary

from .answering import said
from .builders import changed, cluster, facts, ip, net, pod_route
from .setups import ALMA, DEBIAN, DESKTOP, FITTING, LINODE, NETPLAN, SET_NAME, held, ruled, standing, with_links
from .test_network_setup import NETWORK_FILE, networkctl, read, there
from .test_readers import with_state

CLUSTER = cluster()
NODE = CLUSTER.node("worker-0")
AUTO, ASKED = Options(persist=Persist.AUTO), Options()
HOP = {1: "192.168.128.11", 2: "192.168.128.12"}
OLD = "192.168.128.99"

YAML = "network:\n  version: 2\n  ethernets:\n    {id}:\n      routes:\n        - to: {to}\n          via: {via}\n"
FLOW = "network: {ethernets: {eth0: {routes: [{to: 10.200.1.0/24, via: 192.168.128.11}]}}}"
ROUTE = "[Match]\nName=eth0\n\n[Route]\nDestination={to}\nGateway={via}\n"
STANZA = "auto lo eth0\niface lo inet loopback\niface eth0 inet static\n  address 192.168.128.10/17\n  up {up}\n"
KEYFILE = "[connection]\nid=System eth0\n\n[ipv4]\nmethod=manual\nroute1={to},{via}\n"

Found = list[tuple[str, str, str, int]]


def listing(files: Mapping[str, str]) -> list[str]:
    """What `grep -Hn` prints of files."""
    return [f"{path}:{n}:{line}" for path, text in files.items() for n, line in enumerate(text.splitlines(), 1)]


def found(files: Mapping[str, str], links: Sequence[LinkSetup], *, rewriters: Sequence[str] = ()) -> Found:
    """Prefix, next hop, file and line of each route that is found."""
    routes = stated.find(listing(files), links, net("10.200.0.0/16"), rewriters=rewriters)
    return [(str(r.prefix), str(r.next_hop), str(r.path), r.line) for r in routes]


def plain(text: str, **words: str) -> str:
    return text.format(**({"to": "10.200.1.0/24", "via": HOP[1], "id": "eth0"} | words))


NETPLAN_FILE, DROP_IN = "/etc/netplan/90-pod-routes.yaml", "/etc/systemd/network/05-eth0.network.d/pods.conf"
ADD = f"ip route add 10.200.1.0/24 via {HOP[1]}"
IFCFG, ROUTES = "/etc/sysconfig/network-scripts/ifcfg-eth0", "/etc/sysconfig/network-scripts/route-eth0"
INTERFACES, PROFILE = "/etc/network/interfaces", "/etc/NetworkManager/system-connections/eth0.nmconnection"


@pytest.mark.parametrize(
    ("files", "network", "line"),
    [
        ({NETPLAN_FILE: plain(YAML)}, NETPLAN, 7),
        ({NETPLAN_FILE: plain(YAML, id="id0")}, SET_NAME, 7),
        ({NETPLAN_FILE: plain(YAML)}, DESKTOP, 7),
        ({"/lib/netplan/10-pods.yaml": plain(YAML)}, NETPLAN, 7),
        ({NETPLAN_FILE: FLOW}, NETPLAN, 1),
        ({str(NETWORK_FILE): plain(ROUTE)}, LINODE, 6),
        ({DROP_IN: plain(ROUTE)}, LINODE, 6),
        ({"/etc/systemd/network/10-netplan-eth0.network.d/pods.conf": plain(ROUTE)}, NETPLAN, 6),
        ({INTERFACES: STANZA.format(up=ADD)}, DEBIAN, 5),
        ({INTERFACES: STANZA.format(up=f"/sbin/{ADD.replace(' route', ' -4 route')} dev eth0 || true")}, DEBIAN, 5),
        ({INTERFACES: STANZA.format(up=f"route add -net 10.200.1.0/24 gw {HOP[1]}")}, DEBIAN, 5),
        ({INTERFACES: STANZA.format(up=f"route add -net 10.200.1.0 netmask 255.255.255.0 gw {HOP[1]}")}, DEBIAN, 5),
        (
            {
                INTERFACES: "source interfaces.d/*\nauto eth0\n",
                "/etc/network/interfaces.d/pods": "iface eth0 inet static\n\n"
                f"  post-up ip route \\\n add 10.200.1.0/24 \\\n via {HOP[1]}\n",
            },
            DEBIAN,
            3,
        ),
        (
            {
                INTERFACES: "source-directory /etc/network/more\nallow-hotplug eth0\n",
                "/etc/network/more/pods": f"iface eth0:1 inet static\n  up {ADD}\nauto eth0:1\n",
            },
            DEBIAN,
            2,
        ),
        ({PROFILE: plain(KEYFILE)}, ALMA, 6),
        ({PROFILE: plain(KEYFILE) + "route1_options=mtu=1400\n"}, ALMA, 6),
        ({PROFILE: f"[connection]\nid=System eth0\n[ipv4]\nroute3=10.200.1.0/24,{HOP[1]},100\n"}, ALMA, 4),
        ({IFCFG: 'DEVICE="eth0"\nONBOOT=yes\n', ROUTES: f"# pods\n10.200.1.0/24 via {HOP[1]} dev eth0\n"}, ALMA, 2),
        ({IFCFG: "NAME='System eth0' # x\n", ROUTES: f"to 10.200.1.0/24 dev eth0 via {HOP[1]} metric 5\n"}, ALMA, 1),
        (
            {IFCFG: "TYPE=Ethernet\n", ROUTES: f"ADDRESS0=10.200.1.0\nNETMASK0=255.255.255.0\nGATEWAY0={HOP[1]}\n"},
            ALMA,
            3,
        ),
        ({IFCFG: "TYPE=Ethernet\n", ROUTES: f'GATEWAY7="{HOP[1]}"\nADDRESS7=10.200.1.0\nPREFIX7=24\n'}, ALMA, 1),
    ],
)
def test_each_manager_s_files_state_routes(files: Mapping[str, str], network: NetworkSetup, line: int) -> None:
    (route,) = found(files, network.links)
    assert route == ("10.200.1.0/24", HOP[1], list(files)[-1], line)


@pytest.mark.parametrize(
    ("files", "network"),
    [
        ({NETPLAN_FILE: plain(YAML, id="eth1")}, NETPLAN),
        ({NETPLAN_FILE: plain(YAML)}, LINODE),  # netplan manages nothing there
        ({NETPLAN_FILE: plain(YAML, to="10.99.1.0/24")}, NETPLAN),  # outside the cluster CIDR
        ({NETPLAN_FILE: plain(YAML) + "          table: 7\n"}, NETPLAN),
        ({NETPLAN_FILE: plain(YAML) + "          type: blackhole\n"}, NETPLAN),
        ({NETPLAN_FILE: plain(YAML) + "   : ["}, NETPLAN),
        ({"/etc/netplan/90-kthw-routes.yaml": plain(YAML)}, NETPLAN),  # ours
        ({"/etc/netplan/90-pods.yaml.bak": plain(YAML)}, NETPLAN),
        ({"/run/netplan/90-pods.yaml": plain(YAML)}, NETPLAN),  # gone at the next boot
        ({"/etc/netplan/deeper/90-pods.yaml": plain(YAML)}, NETPLAN),
        ({"/etc/systemd/network/20-other.network": plain(ROUTE)}, LINODE),
        ({"/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf": plain(ROUTE)}, LINODE),
        ({"/etc/systemd/network/05-eth0.network.d/pods.conf.off": plain(ROUTE)}, LINODE),
        ({DROP_IN: plain(ROUTE) + "Table=7\n"}, LINODE),
        ({DROP_IN: plain(ROUTE) + "Type=blackhole\n"}, LINODE),
        ({DROP_IN: plain(ROUTE, via="_dhcp4")}, LINODE),
        ({DROP_IN: plain(ROUTE)}, DEBIAN),
        ({INTERFACES: STANZA.format(up=ADD).replace("lo eth0", "lo")}, DEBIAN),
        ({INTERFACES: STANZA.format(up=f"ip route add 10.200.1.0/24 via {HOP[1]} table 7")}, DEBIAN),
        ({INTERFACES: STANZA.format(up=f"[ -e /x ] && ip route add 10.200.1.0/24 via {HOP[1]}")}, DEBIAN),
        ({INTERFACES: STANZA.format(up=ADD).replace("  up", "  down")}, DEBIAN),
        ({INTERFACES: STANZA.format(up=ADD).replace("eth0", "eth9")}, DEBIAN),
        ({INTERFACES: STANZA.format(up=ADD).replace("  up", "#  up")}, DEBIAN),
        ({INTERFACES: STANZA.format(up=ADD).replace("static", "manual")}, DEBIAN),
        ({"/etc/network/interfaces.d/pods": STANZA.format(up=ADD)}, DEBIAN),
        ({PROFILE: plain(KEYFILE).replace("System", "Other")}, ALMA),
        ({PROFILE: plain(KEYFILE).replace("\n\n", "\nautoconnect=false\n")}, ALMA),
        ({PROFILE: plain(KEYFILE) + "route1_options=table=7\n"}, ALMA),
        ({"/etc/NetworkManager/system-connections/.eth0.nmconnection": plain(KEYFILE)}, ALMA),
        ({IFCFG: "NAME=other\n", ROUTES: f"10.200.1.0/24 via {HOP[1]}\n"}, ALMA),
        ({IFCFG: "ONBOOT=no\n", ROUTES: f"10.200.1.0/24 via {HOP[1]}\n"}, ALMA),
        ({IFCFG: "TYPE=Ethernet\n", ROUTES: f"10.200.1.0/24 via {HOP[1]} table 7\n"}, ALMA),
        ({IFCFG: "TYPE=Ethernet\n", ROUTES: f"#10.200.1.0/24 via {HOP[1]}\n"}, ALMA),
        ({IFCFG: "TYPE=Ethernet\n", ROUTES: f"ADDRESS0=10.200.1.0\nNETMASK1=255.255.255.0\nGATEWAY0={HOP[1]}\n"}, ALMA),
        ({IFCFG: "TYPE=Ethernet\n", ROUTES: f"10.200.1.0/24 via {HOP[1]}\n"}, DEBIAN),
        ({ROUTES: f"10.200.1.0/24 via {HOP[1]}\n"}, ALMA),
    ],
)
def test_what_brings_no_such_route_at_boot_is_none(files: Mapping[str, str], network: NetworkSetup) -> None:
    assert found(files, network.links) == []


def test_of_one_name_the_file_in_etc_counts() -> None:
    files = {NETPLAN_FILE: plain(YAML), "/lib/netplan/90-pod-routes.yaml": plain(YAML, via=OLD)}
    assert [hop for _, hop, _, _ in found(files, NETPLAN.links)] == [HOP[1]]


def test_lines_that_stayed_on_the_host_leave_their_numbers() -> None:
    text = plain(YAML).replace("    eth0:", "    eth0:\n      auth: {password: swordfish}")
    lines = [line for line in listing({NETPLAN_FILE: text}) if "password" not in line]
    (route,) = stated.find(lines, NETPLAN.links, net("10.200.0.0/16"), rewriters=())
    assert route.line == 8


PLACES = [(NETPLAN, NETPLAN_FILE), (LINODE, DROP_IN), (DEBIAN, INTERFACES), (ALMA, PROFILE), (ALMA, IFCFG)]
PIECES = [*f"{YAML}{ROUTE}{STANZA}{KEYFILE}source x/*".split(" "), "\n", " ", "- [", "{", "&a", "*a", "\\\n", "\0"]
WORDS = st.lists(st.one_of(st.sampled_from(PIECES), st.text())).map("".join)


@given(WORDS, st.sampled_from(PLACES))
def test_whatever_stands_in_the_files_is_read(text: str, place: tuple[NetworkSetup, str]) -> None:
    network, path = place
    found({path: text}, network.links)


def test_no_line_that_may_hold_a_password_is_asked_for() -> None:
    command = programs.own_configuration()
    assert "v" in command.argv[1]
    assert set(command.argv) >= {"password", "psk", "private-key"}


@pytest.mark.parametrize(
    ("rewriters", "who"),
    [((stated.CLOUD_INIT,), stated.CLOUD_INIT), ((stated.NETWORK_HELPER,), None), ((), None)],
)
def test_a_file_that_others_write_anew_at_a_boot(rewriters: Sequence[str], who: str | None) -> None:
    head = "# This file is generated from information provided by the datasource.  Changes\n"
    (route,) = stated.find(
        listing({NETPLAN_FILE: head + plain(YAML)}), NETPLAN.links, net("10.200.0.0/16"), rewriters=rewriters
    )
    assert (route.rewritten_by, route.line) == (who, 8)


def test_it_is_read_from_the_host_in_one_command() -> None:
    lines = "\n".join(listing({DROP_IN: plain(ROUTE)}))
    setup, host = read({"networkctl": networkctl(NETWORK_FILE), "grep -arsHniv": said(lines)})
    assert [(r.prefix, r.next_hop, r.line) for r in setup.stated] == [(net("10.200.1.0/24"), ip(HOP[1]), 6)]
    assert sum("grep -arsHniv" in line for line in host.ran) == 1
    cut = OutputCut("worker-0", "too much")
    assert read({"networkctl": networkctl(NETWORK_FILE), "grep -arsHniv": cut})[0].stated == ()


@pytest.mark.parametrize(
    ("paths", "who"),
    [
        (("/etc/cloud/cloud.cfg",), stated.CLOUD_INIT),
        (("/etc/cloud/cloud.cfg", "/etc/cloud/cloud-init.disabled"), None),
        (("/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg"), None),
        ((), None),
    ],
)
def test_cloud_init_writes_the_network_only_where_it_runs(paths: Sequence[str], who: str | None) -> None:
    head = "# This file is generated from information provided by the datasource.  Changes\n"
    lines = said("\n".join(listing({DROP_IN: head + plain(ROUTE)})))
    (route,) = read({"networkctl": networkctl(NETWORK_FILE), "grep -arsHniv": lines, "stat": there(*paths)})[0].stated
    assert route.rewritten_by == who


# --- what it comes to -------------------------------------------------------------------------------------------


def states(number: int, hop: str | None = None, line: int = 7, **given: str) -> StatedRoute:
    words = {"path": NETPLAN_FILE, "manager": "netplan"} | given
    return StatedRoute(
        prefix=net(f"10.200.{number}.0/24"),
        next_hop=ip(hop or HOP[number]),
        path=PurePosixPath(words["path"]),
        line=line,
        manager=words["manager"],
        rewritten_by=given.get("rewritten_by"),
    )


def having(network: NetworkSetup, *routes: StatedRoute) -> NetworkSetup:
    return replace(network, stated=routes)


def planned(network: NetworkSetup, options: Options = ASKED, of: str = "worker-0") -> HostPlan:
    host = facts(CLUSTER.node(of), (pod_route(1), pod_route(2)), network=network)
    (made,) = planning.make(CLUSTER, {of: host}, options).hosts
    return made


def findings(network: NetworkSetup, options: Options = ASKED) -> dict[str, Finding]:
    return {f.code: f for f in of_plan(Plan((planned(network, options),)))}


KEPT = having(NETPLAN, states(1), states(2, line=9))
STALE = having(NETPLAN, states(1, OLD), states(2, line=9))


@pytest.mark.parametrize("options", [AUTO, ASKED])
def test_routes_that_the_host_keeps_need_no_file_of_ours(options: Options) -> None:
    plan = planned(KEPT, options)
    assert plan.files == ()
    assert not plan.is_drift
    assert not ends_at_reboot(plan)
    (row,) = plan.of(StatedFile)
    assert (row.kind, row.title) == (ChangeKind.KEEP, NETPLAN_FILE)
    assert reboot_summary(Plan((plan,))) == f"These routes are kept after a reboot, by {NETPLAN_FILE} on worker-0."
    said = findings(KEPT, options)
    assert said["kept-by-host"].sentence == f"Routes are kept by {NETPLAN_FILE} on worker-0."
    assert "not-persisted" not in said
    if options is AUTO:
        assert plan.persistence == Choice(None, f"kept by {NETPLAN_FILE}")
    assert planning.what_auto_takes(plan, facts(NODE, network=KEPT)) == Choice(None, f"kept by {NETPLAN_FILE}")


def test_only_the_rest_goes_into_a_file_of_ours() -> None:
    plan = planned(having(NETPLAN, states(1)), AUTO)
    (file,) = plan.files
    assert file.after is not None
    assert b"10.200.2.0/24" in file.after
    assert b"10.200.1.0/24" not in file.after
    assert not ends_at_reboot(plan)
    assert reboot_summary(Plan((plan,))) == (
        f"These routes are kept after a reboot, by netplan and {NETPLAN_FILE} on worker-0."
    )
    assert ends_at_reboot(planned(having(NETPLAN, states(1)))), "without a file of ours the other route ends"


def test_a_manager_that_was_named_holds_all() -> None:
    (file,) = planned(
        having(LINODE, states(1, manager="networkd", path=DROP_IN)), Options(persist=Persist.NETWORKD)
    ).files
    assert file.after is not None
    assert b"10.200.1.0/24" in file.after


def test_what_a_file_of_ours_holds_already_stays_in_it() -> None:
    files = MODULES[Manager.NETPLAN].render((held(1), held(2)), NETPLAN)
    network = replace(standing(NETPLAN, *files), stated=KEPT.stated)
    for options in (AUTO, ASKED):
        assert planned(network, options).is_empty


@pytest.mark.parametrize("options", [AUTO, ASKED])
def test_a_stale_route_is_said_with_file_and_line_and_is_drift(options: Options) -> None:
    plan = planned(STALE, options)
    assert plan.is_drift
    assert plan.is_empty, "nothing is written: netplan would have both routes"
    (row,) = plan.of(StatedFile)
    assert row.kind is ChangeKind.STALE
    assert f"line 7 states 10.200.1.0/24 via {OLD} instead of {HOP[1]}" in row.reason
    said = findings(STALE, options)
    assert f"worker-0: {NETPLAN_FILE}: line 7 states 10.200.1.0/24 via {OLD}" in said["stated-stale"].sentence
    assert "not-persisted" not in said
    assert plan.persistence is not None
    assert plan.persistence.problem is None
    assert ends_at_reboot(plan)
    assert reboot_summary(Plan((plan,))) == f"On worker-0 others come back from {NETPLAN_FILE}."
    assert "listed above" in summary(Plan((plan,)))
    assert "until you ask to remove it" not in summary(Plan((plan,)))


def test_of_a_stale_prefix_no_file_of_ours_keeps_the_old_next_hop() -> None:
    """Ours and theirs had the old address of a worker that was rebuilt; ours is mended as far as netplan takes it."""
    files = MODULES[Manager.NETPLAN].render((replace(held(1), next_hop=ip(OLD)), held(2)), NETPLAN)
    network = replace(standing(NETPLAN, *files), stated=(states(1, OLD),))
    for options in (AUTO, ASKED):
        (file,) = planned(network, options).files
        assert file.kind is ChangeKind.REPLACE
        assert file.after is not None
        assert OLD.encode() not in file.after
        assert b"10.200.1.0/24" not in file.after


def test_the_own_pod_cidr_and_that_of_a_worker_that_is_gone_are_stale_too() -> None:
    own = planned(having(NETPLAN, states(0, HOP[1])))
    assert "10.200.0.0/24 via 192.168.128.11, which should go" in own.of(StatedFile)[0].reason
    gone = changed(CLUSTER, "worker-2", selection=Selection.REMOVED)
    host = facts(NODE, (pod_route(1),), network=having(NETPLAN, states(2)))
    (plan,) = planning.make(gone, {"worker-0": host}, ASKED).hosts
    assert [row.kind for row in plan.of(StatedFile)] == [ChangeKind.STALE]


def test_a_route_of_no_worker_is_nobody_s_business() -> None:
    whole = replace(states(0, OLD), prefix=net("10.200.0.0/16"))
    for options in (ASKED, Options(prune=True)):
        assert planned(having(NETPLAN, states(77, OLD), whole), options).of(StatedFile) == ()


def test_two_files_that_disagree_keep_nothing() -> None:
    plan = planned(having(NETPLAN, states(1), states(2), states(1, OLD, path="/etc/netplan/95-old.yaml")))
    assert ends_at_reboot(plan)
    assert sorted(str(row.kind) for row in plan.of(StatedFile)) == ["keep", "stale"]
    assert [[str(r.prefix) for r in row.kept] for row in plan.of(StatedFile)] == [["10.200.2.0/24"], []]


def test_a_right_file_of_ours_promises_nothing_where_the_host_states_another_next_hop() -> None:
    files = MODULES[Manager.NETPLAN].render((held(1), held(2)), NETPLAN)
    network = standing(NETPLAN, *files)
    assert not ends_at_reboot(planned(network))
    plan = planned(having(network, states(1, OLD)))
    assert plan.is_empty
    assert ends_at_reboot(plan)


def test_what_may_be_written_anew_is_not_promised() -> None:
    network = having(NETPLAN, states(1, rewritten_by=stated.CLOUD_INIT), states(2, rewritten_by=stated.CLOUD_INIT))
    plan = planned(network)
    assert ends_at_reboot(plan)
    assert "cloud-init may rewrite this file" in plan.of(StatedFile)[0].reason
    assert reboot_summary(Plan((plan,))) == REBOOT
    (file,) = planned(network, AUTO).files
    assert file.after is not None
    assert b"10.200.1.0/24" in file.after
    assert b"10.200.2.0/24" in file.after


@pytest.mark.parametrize(
    ("manager", "unit"),
    [
        (Manager.NETPLAN, NETWORKD),
        (Manager.NETWORKD, NETWORKD),
        (Manager.IFUPDOWN, NETWORKING),
        (Manager.NETWORKMANAGER, NETWORKMANAGER),
    ],
)
def test_a_file_that_nothing_reads_at_boot_keeps_and_brings_back_nothing(manager: Manager, unit: str) -> None:
    network = having(FITTING[manager], states(1, manager=manager), states(2, manager=manager))
    assert not ends_at_reboot(planned(network))
    assert ends_at_reboot(planned(with_state(network, unit, "disabled")))
    old = having(FITTING[manager], states(1, OLD, manager=manager))
    assert planned(old).is_drift
    assert not planned(with_state(old, unit, "disabled")).is_drift
    unknown = replace(old, unit_states=frozenset())
    assert planned(unknown).is_drift, "what could not be read is not absent"
    assert ends_at_reboot(planned(replace(network, unit_states=frozenset())))


def test_profiles_count_though_no_script_is_run() -> None:
    network = having(ALMA, states(1, manager="networkmanager"), states(2, manager="networkmanager"))
    assert not ends_at_reboot(planned(with_state(network, DISPATCHER, "disabled")))


def test_what_netplan_does_not_read_keeps_nothing() -> None:
    assert ends_at_reboot(planned(replace(KEPT, netplan_problem="Invalid YAML")))


def test_another_interface_has_a_file_of_its_own() -> None:
    both = with_links(LINODE, (ruled(), ruled("eth1", PurePosixPath("/etc/systemd/network/06-eth1.network"))))
    files = {"/etc/systemd/network/06-eth1.network": plain(ROUTE)}
    assert len(found(files, both.links)) == 1
    assert found(files, LINODE.links) == []
