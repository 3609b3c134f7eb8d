"""The files of every manager: their whole text, read back, and whether a host reads them."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path, PurePosixPath

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.facts import HostFile, LinkSetup, NetworkSetup
from kthw_routes.persistence import ifupdown, netplan, networkd, unit
from kthw_routes.persistence.managers import MODULES, ignored_reason, manager_of, parse, persisted_in
from kthw_routes.persistence.model import Manager, PersistedRoute

from . import setups
from .setups import ALMA, BARE, BIONIC, DEBIAN, DESKTOP, FITTING, LINODE, NETPLAN, SET_NAME, held, ruled, standing

ROUTES = (held(2), held(1))
HEAD = (
    "# Written by kthw-routes, which writes it anew when the routes change: an edit here does not last.\n"
    "# `kthw-routes undo` takes it back.\n"
)


def made(manager: Manager, network: NetworkSetup, routes: Sequence[PersistedRoute] = ROUTES) -> dict[str, HostFile]:
    return {str(f.path): f for f in MODULES[manager].render(routes, network)}


def text(file: HostFile) -> str:
    return file.content.decode()


# --- golden texts -----------------------------------------------------------------------------------------------


def test_the_drop_in_stands_beside_the_file_that_rules_the_interface() -> None:
    files = made(Manager.NETWORKD, LINODE)
    (file,) = files.values()
    assert list(files) == ["/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf"]
    assert file.mode == 0o644
    assert text(file) == (
        "# The routes to the pods on other nodes, through eth0.\n"
        + HEAD
        + "\n[Route]\nDestination=10.200.1.0/24\nGateway=192.168.128.11\nProtocol=200\n"
        + "\n[Route]\nDestination=10.200.2.0/24\nGateway=192.168.128.12\nProtocol=200\n"
    )
    assert list(made(Manager.NETWORKD, NETPLAN)) == [
        "/etc/systemd/network/10-netplan-eth0.network.d/90-kthw-routes.conf"
    ]


def test_one_drop_in_per_interface() -> None:
    other = PurePosixPath("/etc/systemd/network/06-eth1.network")
    network = setups.with_links(LINODE, (ruled(), ruled("eth1", other)))
    files = made(Manager.NETWORKD, network, (held(1), held(2, device="eth1")))
    assert [parse(f, network) for f in files.values()] == [(held(1),), (held(2, device="eth1"),)]
    assert [PurePosixPath(p).parent.name for p in files] == ["05-eth0.network.d", "06-eth1.network.d"]


def test_the_file_of_netplan_names_its_id_and_never_the_interface() -> None:
    (file,) = made(Manager.NETPLAN, SET_NAME).values()
    assert (str(file.path), file.mode) == ("/etc/netplan/90-kthw-routes.yaml", 0o600)
    assert text(file) == (
        "# The routes to the pods on other nodes; netplan merges them with its other files.\n"
        + HEAD
        + """network:
  version: 2
  ethernets:
    id0:
      routes:
        - to: 10.200.1.0/24
          via: 192.168.128.11
        - to: 10.200.2.0/24
          via: 192.168.128.12
"""
    )


@pytest.mark.parametrize("section", ["bonds", "vlans", "bridges", "wifis"])
def test_the_file_of_netplan_names_the_section_in_which_the_id_stands(section: str) -> None:
    network = replace(NETPLAN, netplan=f"network:\n  version: 2\n  {section}:\n    eth0: {{}}\n")
    (file,) = made(Manager.NETPLAN, network).values()
    assert list(yaml.safe_load(text(file))["network"]) == ["version", section]


@pytest.mark.parametrize("name", ["on", "no", "1e3", "10", "0x1f", "null", "a.b", "en:0", "y", "e_1"])
def test_an_id_that_yaml_takes_for_something_else_is_quoted(name: str) -> None:
    path = PurePosixPath(f"/run/systemd/network/10-netplan-{name}.network")
    network = setups.with_links(BIONIC, (ruled(file=path),))
    (file,) = made(Manager.NETPLAN, network).values()
    assert list(yaml.safe_load(text(file))["network"]["ethernets"]) == [name]
    assert parse(file, network) == tuple(sorted(ROUTES))


def test_the_script_of_ifupdown() -> None:
    (file,) = made(Manager.IFUPDOWN, DEBIAN).values()
    assert (str(file.path), file.mode) == ("/etc/network/if-up.d/kthw-routes", 0o755)
    assert text(file) == (
        "#!/bin/sh\n# Puts the routes to the pods on other nodes back when ifup brings an interface up.\n"
        + HEAD
        + """
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
[ "${ADDRFAM:-inet}" = inet ] || exit 0
case "$IFACE" in
eth0 | eth0:*)
    ip route replace 10.200.1.0/24 via 192.168.128.11 dev eth0 proto 200 || true
    ip route replace 10.200.2.0/24 via 192.168.128.12 dev eth0 proto 200 || true
    ;;
esac
exit 0
"""
    )


def test_the_script_of_networkmanager() -> None:
    (file,) = made(Manager.NETWORKMANAGER, ALMA, (held(1), held(2, device="eth1"))).values()
    assert (str(file.path), file.mode) == ("/etc/NetworkManager/dispatcher.d/90-kthw-routes", 0o755)
    assert text(file) == (
        "#!/bin/sh\n# Puts the routes to the pods on other nodes back when NetworkManager brings an interface up.\n"
        + HEAD
        + """
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
case "$2" in
up | reapply | dhcp4-change) ;;
*) exit 0 ;;
esac
case "$1" in
eth0)
    ip route replace 10.200.1.0/24 via 192.168.128.11 dev eth0 proto 200 || true
    ;;
eth1)
    ip route replace 10.200.2.0/24 via 192.168.128.12 dev eth1 proto 200 || true
    ;;
esac
exit 0
"""
    )


def test_the_files_of_the_unit() -> None:
    files = made(Manager.UNIT, BARE)
    assert list(files) == [
        "/etc/kthw-routes/routes.batch",
        "/etc/systemd/system/kthw-routes.service",
        "/etc/systemd/system/kthw-routes.timer",
    ]
    assert {f.mode for f in files.values()} == {0o644}
    batch, service, timer = (text(f) for f in files.values())
    assert batch == (
        "# The routes to the pods on other nodes: lines for `ip -force -batch`, run by kthw-routes.service.\n"
        + HEAD
        + "route replace 10.200.1.0/24 via 192.168.128.11 proto 200\n"
        + "route replace 10.200.2.0/24 via 192.168.128.12 proto 200\n"
    )
    assert service.splitlines()[3:] == [
        "[Unit]",
        "Description=Routes to the pods on other nodes",
        "Wants=network-online.target",
        "After=network-online.target",
        "Before=kubelet.service",
        "",
        "[Service]",
        "Type=oneshot",
        "ExecStart=-/usr/bin/env ip -force -batch /etc/kthw-routes/routes.batch",
        "# What ip complains of is logged; that it ran, every ten seconds, is not.",
        "SyslogLevel=notice",
        "LogLevelMax=notice",
    ]
    assert timer.splitlines()[3:] == [
        "[Unit]",
        "Description=Routes to the pods on other nodes, put back where they are gone",
        "",
        "[Timer]",
        "OnActiveSec=5s",
        "OnUnitInactiveSec=10s",
        "AccuracySec=1s",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]


@pytest.mark.parametrize("manager", Manager)
def test_no_route_needs_no_file(manager: Manager) -> None:
    assert MODULES[manager].render((), FITTING[manager]) == ()


@pytest.mark.parametrize("manager", Manager)
def test_every_file_says_whose_it_is_and_how_it_goes(manager: Manager) -> None:
    for file in MODULES[manager].render(ROUTES, FITTING[manager]):
        assert "kthw-routes undo" in text(file)
        assert "kthw-routes" in file.path.name or file.path.parent == unit.FOLDER
        assert manager_of(file.path) is manager


# --- what a shell makes of the scripts --------------------------------------------------------------------------


def _run(file: HostFile, arguments: list[str], **environment: str) -> list[str]:
    """The `ip` commands that a script runs; each of them fails."""
    body = text(file).replace("#!/bin/sh\n", '#!/bin/sh\nset -u\nip() { echo "ip $*"; return 2; }\n', 1)
    done = subprocess.run(["sh", "-c", body, "script", *arguments], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_the_script_of_ifupdown_answers_to_its_interface_alone() -> None:
    (file,) = made(Manager.IFUPDOWN, DEBIAN, (held(1), held(2, device="eth1"))).values()
    one = ["ip route replace 10.200.1.0/24 via 192.168.128.11 dev eth0 proto 200"]
    assert _run(file, [], IFACE="eth0", ADDRFAM="inet") == one
    assert _run(file, [], IFACE="eth0") == one, "ifupdown-ng (Alpine) sets no ADDRFAM"
    assert _run(file, [], IFACE="eth0:1", ADDRFAM="inet") == one
    assert _run(file, [], IFACE="eth0", ADDRFAM="inet6") == []
    assert _run(file, [], IFACE="--all", ADDRFAM="meta") == []
    assert _run(file, [], IFACE="eth01", ADDRFAM="inet") == []


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_the_script_of_networkmanager_answers_to_its_interface_and_to_few_events() -> None:
    (file,) = made(Manager.NETWORKMANAGER, ALMA, (held(1), held(2, device="eth1"))).values()
    two = ["ip route replace 10.200.2.0/24 via 192.168.128.12 dev eth1 proto 200"]
    assert [_run(file, ["eth1", action]) for action in ("up", "reapply", "dhcp4-change")] == [two] * 3
    assert _run(file, ["eth1", "down"]) == []
    assert _run(file, ["eth2", "up"]) == []


# --- read back --------------------------------------------------------------------------------------------------

networks = st.builds(
    lambda number, length: IPv4Network((number, length), strict=False), st.integers(0, 2**32 - 1), st.integers(1, 32)
)
addresses = st.builds(IPv4Address, st.integers(1, 2**32 - 2))


@given(st.lists(st.builds(PersistedRoute, networks, addresses, st.just("eth0")), max_size=12), st.sampled_from(Manager))
def test_what_a_file_holds_is_what_was_put_into_it(routes: list[PersistedRoute], manager: Manager) -> None:
    files = MODULES[manager].render(routes, FITTING[manager])
    found = [route for file in files for route in parse(file, FITTING[manager])]
    device = "" if manager is Manager.UNIT else "eth0"
    assert found == sorted({replace(r, device=device) for r in routes})
    assert MODULES[manager].render(list(reversed(routes)), FITTING[manager]) == files


_SCRAPS = """[Route]
Destination=10.200.1.0/24
Gateway=192.168.128.11
Gateway=
=
[
network:
  ethernets:
    eth0:
      routes:
        - to: 10.200.1.0/24
          via: 1.2.3.4
- *x
&x [*x]
{{
? [a]: b
2001-99-99: 1
ip route replace 10.200.1.0/33 via 1.2.3.4 || true
route replace x via y
route replace 10.200.1.5/24 via 1.2.3.4
!!python/object:os.system x
[[[[[[[[[[[[[[[[[[[["""
_WORDS = st.sampled_from(_SCRAPS.splitlines())


@given(
    st.sampled_from(Manager),
    st.one_of(st.binary(max_size=200), st.lists(_WORDS, max_size=8).map(lambda lines: "\n".join(lines).encode())),
)
def test_a_file_that_is_not_understood_holds_nothing_and_breaks_nothing(manager: Manager, content: bytes) -> None:
    network = FITTING[manager]
    for file in MODULES[manager].render(ROUTES, network):
        broken = replace(file, content=content)
        assert isinstance(parse(broken, network), tuple)
        assert ignored_reason(broken, standing(network, broken)) != ""
        assert isinstance(persisted_in([broken]), dict)


@given(st.text(max_size=300))
def test_whatever_netplan_prints_is_survived(printed: str) -> None:
    network = replace(NETPLAN, netplan=printed)
    assert netplan.unsupported_reason(["eth0"], network) != ""
    assert netplan.render(ROUTES, network)


def test_netplans_configuration_may_be_too_deep_or_too_long_to_look_into() -> None:
    for printed in ("[" * 50_000, "#" * 2_000_000, "a: &a [1]\n" + "b: [*a, *a]\n" * 1000):
        assert netplan.unsupported_reason(["eth0"], replace(NETPLAN, netplan=printed)) is None


def test_what_people_wrote_into_a_file_of_ours_does_not_hide_the_rest() -> None:
    drop_in = HostFile(
        PurePosixPath("/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf"),
        0o644,
        b"[Network]\nDNS=1.1.1.1\nGateway=10.0.0.1\n; a note\n[Route]\ngateway = 192.168.128.11\n"
        b"Destination=10.200.1.0/24\n[Route]\nDestination=10.200.2.0/24\n[Route]\n#Gateway=1.2.3.4\n",
    )
    assert parse(drop_in, LINODE) == (held(1),)
    script = HostFile(
        ifupdown.PATH,
        0o755,
        b"# ip route replace 10.200.3.0/24 via 192.168.128.13\n ip route replace 10.200.1.0/24 via 192.168.128.11\n",
    )
    assert parse(script) == (held(1, device=""),)


def test_what_makes_a_route_ours() -> None:
    (file,) = made(Manager.NETPLAN, NETPLAN).values()
    (other,) = made(Manager.NETWORKD, LINODE, (held(2), held(3))).values()
    forwarding = HostFile(PurePosixPath("/etc/sysctl.d/90-kthw-routes.conf"), 0o644, b"net.ipv4.ip_forward = 1\n")
    assert {
        str(prefix): (str(hop), name) for (prefix, hop), name in persisted_in([file, other, forwarding]).items()
    } == {
        "10.200.1.0/24": ("192.168.128.11", "netplan/90-kthw-routes.yaml"),
        "10.200.2.0/24": ("192.168.128.12", "netplan/90-kthw-routes.yaml"),
        "10.200.3.0/24": ("192.168.128.13", "05-eth0.network.d/90-kthw-routes.conf"),
    }


@pytest.mark.parametrize(
    "path",
    [
        "/etc/systemd/network/90-kthw-routes.conf",
        "/etc/systemd/network/x.network.d/y/90-kthw-routes.conf",
        "/run/systemd/network/05-eth0.network.d/90-kthw-routes.conf",
        "/etc/systemd/system/kthw-routes.service.d/kthw-routes.conf",
        "/etc/netplan/.90-kthw-routes.yaml.new",
    ],
)
def test_a_path_that_no_module_makes_is_none_of_ours(path: str) -> None:
    assert manager_of(PurePosixPath(path)) is None


# --- whether a host reads it ------------------------------------------------------------------------------------


@pytest.mark.parametrize("manager", Manager)
def test_a_host_reads_what_was_made_for_it(manager: Manager) -> None:
    files = MODULES[manager].render(ROUTES, FITTING[manager])
    assert [ignored_reason(f, standing(FITTING[manager], *files)) for f in files] == [None] * len(files)


@pytest.mark.parametrize(
    ("manager", "network", "words"),
    [
        (Manager.NETPLAN, LINODE, "eth0 is configured by /etc/systemd/network/05-eth0.network, which is not netplan's"),
        (Manager.NETPLAN, SET_NAME, "netplan manages none of these interfaces under the name eth0"),
        (Manager.NETPLAN, ALMA, "netplan is not installed"),
        (Manager.NETPLAN, replace(NETPLAN, netplan_problem="/etc/netplan/01.yaml:3: tabs"), "01.yaml:3: tabs"),
        (Manager.NETWORKD, NETPLAN, "manages eth0 by /run/systemd/network/10-netplan-eth0.network, not by 05-eth0"),
        (Manager.NETWORKD, DEBIAN, "systemd-networkd manages none"),
        (Manager.IFUPDOWN, LINODE, "ifup brought up none"),
        (Manager.NETWORKMANAGER, DEBIAN, "NetworkManager manages none"),
        (Manager.UNIT, setups.ALPINE, "systemd is not the init"),
    ],
)
def test_a_host_that_reads_another_file(manager: Manager, network: NetworkSetup, words: str) -> None:
    files = MODULES[manager].render(ROUTES, FITTING[manager])
    assert words in str(ignored_reason(files[0], standing(network, *files)))


@pytest.mark.parametrize(
    ("manager", "mode", "words"),
    [
        (Manager.NETWORKD, 0o600, "may not read it"),
        (Manager.IFUPDOWN, 0o644, "not executable"),
        (Manager.NETWORKMANAGER, 0o644, "not executable"),
        (Manager.NETWORKMANAGER, 0o775, "others than root may write"),
    ],
)
def test_a_mode_with_which_a_file_is_passed_over(manager: Manager, mode: int, words: str) -> None:
    (file,) = MODULES[manager].render(ROUTES, FITTING[manager])
    assert words in str(ignored_reason(replace(file, mode=mode), FITTING[manager]))


def test_a_timer_that_is_not_enabled_or_not_whole() -> None:
    files = unit.render(ROUTES, BARE)
    whole = standing(BARE, *files)
    assert "does not start kthw-routes.timer" in str(
        unit.ignored_reason(files[0], replace(whole, timer_is_enabled=False))
    )
    assert "/etc/systemd/system/kthw-routes.service is missing" in str(
        unit.ignored_reason(files[0], standing(BARE, files[0], files[2]))
    )


# --- what a manager cannot do -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manager", "network"),
    [
        (Manager.NETWORKD, DEBIAN),
        (Manager.NETWORKD, ALMA),
        (Manager.NETPLAN, LINODE),
        (Manager.NETPLAN, DEBIAN),
        (Manager.NETPLAN, replace(NETPLAN, netplan="network:\n  ethernets:\n    other: {}\n")),
        (Manager.IFUPDOWN, LINODE),
        (Manager.NETWORKMANAGER, LINODE),
        (Manager.UNIT, setups.NOTHING),
    ],
)
def test_a_manager_of_other_interfaces_is_refused(manager: Manager, network: NetworkSetup) -> None:
    assert MODULES[manager].unsupported_reason(["eth0"], network)


def test_netplan_under_networkmanager_is_known_by_the_name_of_the_connection() -> None:
    assert netplan.unsupported_reason(["eth0"], DESKTOP) is None
    (file,) = made(Manager.NETPLAN, DESKTOP).values()
    assert "    eth0:\n" in text(file)


def test_two_interfaces_ruled_by_one_file_cannot_have_routes_of_their_own() -> None:
    shared = (ruled("eth0"), ruled("eth1"))
    assert "is for both eth0 and eth1" in str(networkd.unsupported_reason(["eth0"], setups.with_links(LINODE, shared)))
    generated = (ruled("eth0", setups.GENERATED), ruled("eth1", setups.GENERATED))
    assert "is both eth0 and eth1" in str(netplan.unsupported_reason(["eth0"], setups.with_links(NETPLAN, generated)))


def test_a_complaint_of_netplan_against_our_own_file_is_no_reason_to_leave_it() -> None:
    ours = replace(NETPLAN, netplan_problem="/etc/netplan/90-kthw-routes.yaml:4:3: unknown key", netplan="")
    assert netplan.unsupported_reason(["eth0"], ours) is None


@pytest.mark.parametrize("device", ["*", "eth0;reboot", "eth 0", "$x", "", "-x", "eth0\n", "ünder"])
@pytest.mark.parametrize("manager", [m for m in Manager if m is not Manager.UNIT])
def test_a_strange_interface_name_gets_into_no_file(manager: Manager, device: str) -> None:
    link = LinkSetup(device, setups.NETWORK_HELPER, "routable (configured)", "netplan-eth0", by_ifupdown=True)
    network = setups.with_links(NETPLAN, (link,))
    assert "characters that no file" in str(MODULES[manager].unsupported_reason([device], network))
    with pytest.raises(ValueError, match="not a plain interface name"):
        MODULES[manager].render([held(1, device=device)], network)


@pytest.mark.parametrize("name", ["..network", "-x.network", "a b.network", "a\n.network"])
def test_a_strange_file_name_gets_into_no_path(name: str) -> None:
    network = setups.with_links(LINODE, (ruled(file=PurePosixPath("/etc/systemd/network") / name),))
    assert networkd.unsupported_reason(["eth0"], network)
    with pytest.raises(ValueError, match="is not managed by"):
        networkd.render(ROUTES, network)


def test_systemd_itself_finds_no_fault_with_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    for file in unit.render(ROUTES, BARE)[1:]:
        (tmp_path / file.path.name).write_bytes(file.content)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / p.name) for p in (unit.SERVICE, unit.TIMER))],
        capture_output=True,
        text=True,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:/usr/lib/systemd/system:/lib/systemd/system", "PATH": "/usr/bin:/bin"},
        timeout=60,
    )
    assert "kthw-routes" not in done.stderr, done.stderr
