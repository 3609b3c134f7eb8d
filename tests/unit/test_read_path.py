"""What is read of a host where a pair fails: policy rules, answers of the kernel, rules of firewalls, as printed."""

from ipaddress import IPv4Interface

import pytest

from kthw_routes.events import Phase
from kthw_routes.facts import InterfaceAddress
from kthw_routes.hosts import programs
from kthw_routes.hosts.read_path import Partner, answers_in_order, parse_policy_rules, read_path
from kthw_routes.hosts.task import HostTask
from kthw_routes.netfilter.rules import Hook, Packet
from kthw_routes.netfilter.walk import drops
from kthw_routes.proof.path import HostPath, Lookup, PolicyRule, Way
from kthw_routes.ssh.command import Result

from .answering import MISSING, Answering, said
from .builders import cluster, facts, ip

DEFAULT_RULES = "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n"
SAVED = "*filter\n:FORWARD DROP [3:252]\nCOMMIT\n"
NATIVE = """table ip filter {
\tchain FORWARD {
\t\ttype filter hook forward priority filter; policy drop;
\t}
}
table inet wall {
\tchain forward {
\t\ttype filter hook forward priority filter; policy drop;
\t}
}
"""
BRIDGE = InterfaceAddress("cnio0", IPv4Interface("10.200.0.1/24"))
POD = Partner("worker-1", ip("10.200.0.2"), ip("10.200.1.2"), is_pod=True)
NODE = Partner("worker-1", ip("10.200.0.1"), ip("10.200.1.1"), is_pod=False)


def read(answers: dict[str, Result], partner: Partner = POD, bridge: InterfaceAddress | None = BRIDGE) -> HostPath:
    """What is read of worker-0; programs that are not named are missing."""
    node = cluster().node("worker-0")
    host = Answering(dict(answers), otherwise=MISSING)
    found = read_path(HostTask(host, Phase.PROOF, lambda _: None), facts(node, bridge=bridge), "eth0", [partner])
    assert len(host.ran) == 6, "a few programs, whatever is there"
    read.asked = [c.stdin.decode() for c in host.commands if c.stdin and b"route get" in c.stdin]  # type: ignore[attr-defined]
    return found


def test_nothing_of_it_is_no_error() -> None:
    """But where neither program is there, nothing is known of rules that something else may have made."""
    assert read({}) == HostPath(in_device="eth0", unread=("nft",))


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (DEFAULT_RULES, ()),
        ("", ()),
        ("nonsense\n", ()),
        (
            f"{DEFAULT_RULES}77:\tfrom all lookup vpn\n78:\tfrom all unreachable\n"
            "default via 192.0.2.9 dev tun0 table vpn proto static metric 50 \n10.9.0.0/16 dev tun0 table vpn\n"
            "default via 192.168.128.1 dev eth0 \nbroadcast 10.9.255.255 dev eth0 table local scope link \n",
            (
                PolicyRule(
                    "77: from all lookup vpn",
                    "vpn",
                    ("default via 192.0.2.9 dev tun0 proto static metric 50", "10.9.0.0/16 dev tun0"),
                ),
                PolicyRule("78: from all unreachable"),
            ),
        ),
        (
            f"{DEFAULT_RULES}77:\tfrom 10.200.0.0/24 lookup 100\n",
            (PolicyRule("77: from 10.200.0.0/24 lookup 100", "100"),),
        ),
        ("5:\tfrom all to 10.200.1.0/24 prohibit\n", (PolicyRule("5: from all to 10.200.1.0/24 prohibit"),)),
        ("9:\tfrom all lookup vpn\n", (PolicyRule("9: from all lookup vpn", "vpn"),)),
    ],
)
def test_rules_that_are_there_by_default_are_none(text: str, rules: tuple[PolicyRule, ...]) -> None:
    assert parse_policy_rules(text) == rules


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("77: from 10.200.0.0/24 lookup 100", True),
        ("77: from 10.201.0.0/24 lookup 100", False),
        ("77: from all to 10.200.1.0/24 prohibit", True),
        ("77: from all to 10.200.3.0/24 prohibit", False),
        ("77: from 10.200.0.2 lookup x", True),
        ("77: from all fwmark 0x1 lookup x", True),
        ("77: from odd lookup x", True),
        ("77: lookup x from", True),
    ],
)
def test_a_rule_is_about_some_addresses(text: str, fits: bool) -> None:
    assert PolicyRule(text).may_fit(ip("10.200.0.2"), ip("10.200.1.2")) is fits


def test_the_kernel_is_asked_about_both_ways() -> None:
    answer = said(
        "10.200.1.2 from 10.200.0.2 via 192.168.128.11 dev eth0 \n    cache iif cnio0 \n",
        status=1,
        err="RTNETLINK answers: Invalid cross-device link\nCommand failed -:2\n",
    )
    found = read({"ip -force": answer})
    assert read.asked == [  # type: ignore[attr-defined]
        "route get 10.200.1.2 from 10.200.0.2 iif cnio0\nroute get 10.200.0.2 from 10.200.1.2 iif eth0\n"
    ]
    assert found.lookups == {
        (Way.OUT, "worker-1"): Lookup("10.200.1.2 from 10.200.0.2 via 192.168.128.11 dev eth0 cache iif cnio0", False),
        (Way.IN, "worker-1"): Lookup("RTNETLINK answers: Invalid cross-device link", True),
    }


def test_packets_of_the_node_itself_come_in_by_no_interface() -> None:
    read({}, partner=NODE)
    assert read.asked == [  # type: ignore[attr-defined]
        "route get 10.200.1.1 from 10.200.0.1\nroute get 10.200.0.1 from 10.200.1.1 iif eth0\n"
    ]


@pytest.mark.parametrize("text", ["", "one\n", "one\ntwo\nthree\n"])
def test_answers_that_are_too_few_or_too_many_are_given_to_none(text: str) -> None:
    assert answers_in_order(said(text), 2) == ()


@pytest.mark.parametrize(
    ("answers", "names", "unread"),
    [
        ({"iptables-save": said(SAVED), "nft": said(NATIVE)}, ["filter", "wall"], ()),
        ({"iptables-save": said(SAVED)}, ["filter"], ()),
        ({"nft": said(NATIVE)}, ["filter", "wall"], ()),
        ({"nft": said(NATIVE), "cat": said("filter\n")}, ["filter", "wall"], ("iptables",)),
        ({"iptables-save": said(status=1, err="Permission denied"), "nft": said(status=1)}, [], ("iptables", "nft")),
        (
            {"iptables-save": said(SAVED, err="# Warning: iptables-legacy tables present, use iptables-legacy-save")},
            ["filter"],
            ("iptables-legacy",),
        ),
        ({"iptables-save": Result(0, b"", b"", is_cut=True), "nft": said("")}, [], ("iptables",)),
        ({"nft": said(status=124)}, [], ("nft",)),
    ],
    ids=["both", "iptables", "nft", "old tables", "refused", "legacy", "too long", "hangs"],
)
def test_rules_are_read_once_whoever_lists_them(
    answers: dict[str, Result], names: list[str], unread: tuple[str, ...]
) -> None:
    found = read(answers)
    assert [table.name for table in found.tables] == names
    assert found.unread == unread
    if "filter" in names:
        assert drops(found.tables, Hook.FORWARD, Packet(source=None, destination=None)) is not None


def test_the_larger_reverse_path_filter_counts() -> None:
    def settings(everywhere: int, eth0: int) -> str:
        folder = "/proc/sys/net/ipv4/conf"
        return f"{folder}/all/rp_filter:{everywhere}\n{folder}/eth0/rp_filter:{eth0}\n"

    assert read({"grep": said(settings(0, 1))}).effective_rp_filter("eth0") == 1
    assert read({"grep": said(settings(2, 1))}).effective_rp_filter("eth0") == 2
    assert read({"grep": said(settings(0, 0))}).effective_rp_filter("eth0") == 0
    assert read({"grep": said(settings(0, 1))}).effective_rp_filter("eth9") is None
    assert programs.rp_filters(["eth0"]).argv[-1] == "/proc/sys/net/ipv4/conf/eth0/rp_filter"
