"""One cause, measured: what is broken on a real node is named there, and never blamed on the provider.

Each break is one of those that people report (the rows of `tests/unit/test_symptoms.py`), made with the programs that
they made it with. Made elsewhere are: a dead next hop (7), forwarding (10), FORWARD's policy and rules (12) and the MTU
(25) in `test_proof_layers`; reboots (17) in `test_persistence` and `test_boot_readers`; names (19 to 22) in
`test_names` and `test_persistence`. Not made at all is what would take what a test machine has not: Docker, ufw and
firewalld themselves, of which only the chains are made here as they make them.
"""

import subprocess
from dataclasses import dataclass

import pytest

from kthw_routes.demo.api.account import LinodeFirewall
from tests.journeys.stage import RealNodes, Stage

pytestmark = [pytest.mark.nodes, pytest.mark.parametrize("stage", ["real nodes"], indirect=True)]


CLOUD_FIREWALL = """\
table bridge provider {
    chain forward {
        type filter hook forward priority 0;
        ether type ip ip protocol icmp drop
    }
}
"""


@dataclass(frozen=True)
class Break:
    """What is done on one node, and what has to be said of it."""

    on: str
    commands: tuple[str, ...]
    what: str
    shows: str
    fix: str = ""
    """Or what else is said."""
    code: int = 4
    masquerade: bool = True
    """Whether pods leave their node with its address, as the tutorial's do."""


BREAKS = {
    "the policy of FORWARD": Break(
        "worker-1",
        ("iptables -P FORWARD DROP",),
        "worker-1 itself drops them: the policy of its FORWARD chain is to drop (iptables).",
        "On worker-1: sudo iptables -S FORWARD",
        "On worker-1: sudo iptables -I FORWARD -s 10.200.0.0/16 -j ACCEPT; sudo iptables -I FORWARD -d 10.200.0.0/16 "
        "-j ACCEPT",
    ),
    "Docker": Break(
        "worker-0",
        ("iptables -N DOCKER-USER", "iptables -A FORWARD -j DOCKER-USER", "iptables -A DOCKER-USER -j RETURN",
         "iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
         "iptables -P FORWARD DROP"),
        "worker-0 itself drops them: the policy of its FORWARD chain is to drop (Docker).",
        "On worker-0: sudo iptables -S FORWARD",
        "On worker-0: sudo iptables -I DOCKER-USER -s 10.200.0.0/16 -j ACCEPT; sudo iptables -I DOCKER-USER -d "
        "10.200.0.0/16 -j ACCEPT",
    ),
    "ufw": Break(
        "worker-1",
        ("iptables -N ufw-reject-forward", "iptables -A FORWARD -j ufw-reject-forward",
         "iptables -A ufw-reject-forward -j DROP"),
        "worker-1 itself drops them: the rule `-A ufw-reject-forward -j DROP` in its FORWARD chain, come to by "
        "ufw-reject-forward (ufw).",
        "On worker-1: sudo ufw status verbose",
        "On worker-1: sudo ufw route allow from 10.200.0.0/16; sudo ufw route allow to 10.200.0.0/16",
    ),
    "ufw as it comes": Break(
        "worker-1",
        ("iptables -P FORWARD DROP", "iptables -N ufw-before-forward", "iptables -A FORWARD -j ufw-before-forward",
         "iptables -A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
         "iptables -A ufw-before-forward -p icmp --icmp-type echo-request -j ACCEPT"),
        "Pings get through, and worker-1 itself drops connections between pods: the policy of its FORWARD chain is to "
        "drop (ufw).",
        "On worker-1: sudo ufw status verbose",
        "4 of 6 pairs of workers let only pings through.",
    ),
    "case 10": Break(
        "worker-1",
        ("iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited",),
        "worker-1 itself rejects them (Host Prohibited): the rule `-A FORWARD -j REJECT --reject-with "
        "icmp-host-prohibited` in its FORWARD chain (iptables).",
        "On worker-1: sudo iptables -S FORWARD",
    ),
    "firewalld": Break(
        "worker-1",
        ("nft add table inet firewalld",
         "nft 'add chain inet firewalld filter_FORWARD { type filter hook forward priority filter + 10; }'",
         "nft add rule inet firewalld filter_FORWARD ct state established,related accept",
         "nft add rule inet firewalld filter_FORWARD ct status dnat accept",
         "nft add rule inet firewalld filter_FORWARD iifname lo accept",
         "nft add rule inet firewalld filter_FORWARD ct state invalid drop",
         "nft add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited"),
        "worker-1 itself rejects them (Packet filtered): the rule `reject with icmpx admin-prohibited` in its "
        "filter_FORWARD chain (table inet firewalld) (firewalld).",
        "On worker-1: sudo firewall-cmd --list-all-zones",
    ),
    "nftables": Break(
        "worker-1",
        ("nft add table ip wall", "nft 'add chain ip wall forward { type filter hook forward priority 0; }'",
         "nft add rule ip wall forward ip saddr 10.200.0.0/16 counter drop",
         "nft add rule ip wall forward ip saddr 192.168.0.0/16 counter drop"),
        "worker-1 itself drops them: the rule `ip saddr",
        "On worker-1: sudo nft list chain ip wall forward",
    ),
    "a policy rule": Break(
        "worker-0",
        ("ip route add blackhole 10.200.1.0/24 table 100", "ip rule add to 10.200.1.0/24 lookup 100 priority 77"),
        "A policy rule of worker-0, `77: from all to 10.200.1.0/24 lookup 100`, refuses",
        "On worker-0: ip rule; ip route show table all",
        "Table 100 has `blackhole 10.200.1.0/24`.",
    ),
    "a policy rule to elsewhere": Break(
        "worker-0",
        ("ip route add default via 192.0.2.9 dev eth0 onlink table 101",
         "ip rule add from 10.200.0.0/24 lookup 101 priority 77"),
        "A policy rule of worker-0, `77: from 10.200.0.0/24 lookup 101`, sends them elsewhere than the main table: ",
        "On worker-0: ip rule; ip route show table all",
        "Table 101 has `default via 192.0.2.9 dev eth0 onlink`.",
    ),
    "the reverse path filter": Break(
        "worker-1",
        ("ip link add link eth0 name eth1 type macvlan mode bridge", "ip link set eth1 up",
         "ip address add 192.168.140.250/17 dev eth1", "sysctl -qw net.ipv4.conf.eth0.rp_filter=1",
         "ip route replace 10.200.0.0/24 via $(ip route show 10.200.0.0/24 | cut -d' ' -f3) dev eth1 proto 200"),
        "worker-1's reverse path filter (rp_filter = 1) drops them: they come in by eth0, and its own route back to "
        "their source does not lead there.",
        "On worker-1: sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.eth0.rp_filter",
        "On worker-1: sudo sysctl -w net.ipv4.conf.eth0.rp_filter=2",
        code=3,  # that route is another than the planned one, too
        masquerade=False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_what_a_node_breaks_is_named_there(stage: Stage, name: str) -> None:
    broken = BREAKS[name]
    assert isinstance(stage, RealNodes)
    for worker in stage.lab.workers:
        worker.add_pod(masquerade=broken.masquerade)
    assert stage.tool("apply", "--yes").code == 0
    for command in broken.commands:
        stage.run(broken.on, command)
    answer = stage.tool("check")
    said = answer.out
    assert answer.code == broken.code, answer.out
    assert f": {broken.what}" in said, said
    assert f"    Next: {broken.shows}\n" in said
    assert broken.fix in said
    assert "provider" not in said


@pytest.mark.parametrize("masquerade", [True, False])
@pytest.mark.parametrize("pods", [True, False])
def test_the_providers_filter_is_what_is_left(stage: Stage, pods: bool, masquerade: bool) -> None:
    """Where pods leave their node with its address the request arrives, and the reply is dropped."""
    assert isinstance(stage, RealNodes)
    for worker in stage.lab.workers if pods else ():
        worker.add_pod(masquerade=masquerade)
    stage.filter_pods()
    answer = stage.tool("apply", "--yes")
    assert answer.code == 4, answer.out
    said = answer.out
    lost = (
        "replies whose source is a pod address: a source filter of the provider"
        if pods and masquerade
        else ("packets with pod addresses: the provider's filter")
    )
    assert f": Something between the nodes drops {lost}." in said
    assert "Between the internal addresses of worker-" in said
    if pods:
        assert "Three requests from worker-1's own address on its pods' side to worker-" in said or not masquerade
        assert "itself: none arrived there." in said
    forwarding = "forwarding, " if pods else ""
    assert (
        f"    Ruled out: the routes of both, the next hops, {forwarding}policy rules and reverse path filters, "
        "Cloud Firewalls: the nodes have none, the firewall rules of worker-0 and worker-1.\n"
    ) in said


def test_a_cloud_firewall_that_lets_nothing_pass_is_no_filter_of_pod_addresses(stage: Stage) -> None:
    """It drops what comes from the private range, whatever its address is; SSH goes by another."""
    assert isinstance(stage, RealNodes)
    stage.add_pods()
    assert stage.tool("apply", "--yes").code == 0
    subprocess.run(stage.lab.entering(["nft", "-f", "-"]), input=CLOUD_FIREWALL, text=True, check=True)
    answer = stage.tool("check")
    assert answer.code == 4, answer.out
    said = "The nodes do not get answers from each other's own addresses either: a firewall between them, or one on "
    assert f": {said}worker-" in answer.out
    accepted: dict[str, object] = {
        "action": "ACCEPT",
        "protocol": "ICMP",
        "label": "a",
        "addresses": {"ipv4": ["10.0.0.0/16"]},
    }
    stage.set_firewall("worker-1", LinodeFirewall("kubernetes", (accepted,), inbound_policy="DROP"))
    answer = stage.tool("check")
    assert answer.code == 4, answer.out
    assert ': The Cloud Firewall "kubernetes" of worker-1: no inbound rule accepts ICMP from 10.200.' in answer.out
    assert (
        "    Fix: In Cloud Manager, Firewalls: a rule that accepts TCP, UDP and ICMP from 10.200.0.0/16, inbound.\n"
    ) in answer.out


def test_services_on_the_same_node_are_the_last_layer(stage: Stage) -> None:
    stage.add_pods()
    stage.run("worker-1", "sysctl -qw net.bridge.bridge-nf-call-iptables=0")
    try:
        answer = stage.tool("apply", "--yes")
    finally:
        stage.run("worker-1", "sysctl -qw net.bridge.bridge-nf-call-iptables=1")
    assert answer.code == 0, answer.out
    assert "net.bridge.bridge-nf-call-iptables = 0 on worker-1: a pod may not reach a service" in answer.out
    assert "Pods of all workers reach each other." in answer.out


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("ip route del 10.200.1.0/24", "worker-0 has no right route to worker-1's pod CIDR."),
        (
            "ip route del 10.200.1.0/24 && ip route del default",
            "worker-0 has no right route to worker-1's pod CIDR.",
        ),
        (
            "ip route replace 10.200.1.0/24 via $(ip -4 -o address show eth0 | grep -o '192.168[0-9.]*' | head -1)",
            "worker-0 has no right route to worker-1's pod CIDR for 10.200.1.2: 10.200.1.0/24 via 192.168.",
        ),
        (
            "ip route add blackhole 10.200.1.0/25",
            "worker-0 has no right route to worker-1's pod CIDR for 10.200.1.2: 10.200.1.0/25 blackhole takes it.",
        ),
        (
            "ip route add unreachable 10.200.1.0/25",
            "worker-0 has no right route to worker-1's pod CIDR for 10.200.1.2: 10.200.1.0/25 unreachable takes it.",
        ),
        (
            "ip route add prohibit 10.200.1.0/25",
            "worker-0 has no right route to worker-1's pod CIDR for 10.200.1.2: 10.200.1.0/25 prohibit takes it.",
        ),
    ],
    ids=["1 missing", "2 and no default", "8 own address", "9 blackhole", "9 unreachable", "9 prohibit"],
)
def test_a_wrong_table_is_named_on_its_host(stage: Stage, command: str, what: str) -> None:
    stage.add_pods()
    assert stage.tool("apply", "--yes").code == 0
    stage.run("worker-0", command)
    answer = stage.tool("check")
    assert answer.code in (3, 4), answer.out
    assert f"worker-0 → worker-1: {what}" in answer.out
    assert "    Next: On worker-0: ip route\n" in answer.out
    assert "the provider's filter" not in answer.out
    assert "source filter" not in answer.out


ADDRESS = "$(ip -4 -o address show eth0 | grep -o '192.168[0-9.]*/17')"
"""worker-0's internal address."""


@pytest.mark.parametrize(
    ("on", "command", "code", "words"),
    [
        (
            "worker-0",
            "ip route add 10.200.1.0/24 via $(ip route show default | cut -d' ' -f3)",
            3,
            "! replace 10.200.1.0/24 (worker-1)",
        ),
        (
            "worker-0",
            f"a={ADDRESS}; ip address del $a dev eth0; ip address add ${{a%/17}}/32 dev eth0",
            2,
            "worker-0: no route to 192.168.",
        ),
        (
            "worker-1",
            "sed -i s,10.200.1.0/24,10.200.1.5/24, /etc/cni/net.d/10-bridge.conf",
            3,
            "is an address inside 10.200.1.0/24",
        ),
        (
            "worker-1",
            "sed -i s,10.200.1.0/24,10.200.0.0/24, /etc/cni/net.d/10-bridge.conf",
            2,
            "overlap",
        ),
        (
            "worker-1",
            "ip link add cnio0 type bridge; ip address add 10.200.9.1/24 dev cnio0; ip link set cnio0 up",
            3,
            "worker-1: cnio0 has 10.200.9.1/24, and the pod CIDR is 10.200.1.0/24",
        ),
    ],
    ids=["3 file exists", "4 not on-link", "5 host bits", "15 twice", "16 old bridge"],
)
def test_what_is_wrong_before_any_packet_is_sent(stage: Stage, on: str, command: str, code: int, words: str) -> None:
    stage.run(on, command)
    answer = stage.tool("plan", "--exit-code")
    assert answer.code == code, answer.out + answer.err
    assert words in answer.out + answer.err


def test_who_may_not_change_routes_is_told_on_which_host(stage: Stage) -> None:
    """Row 6: `Operation not permitted`."""
    answer = stage.tool("plan", "--user", "guest")
    assert answer.code == 1
    assert "worker-0: guest is not root" in answer.out + answer.err


def test_controllers_without_routes_are_named_where_they_should_have_them(stage: Stage) -> None:
    """Row 24: webhooks and `kubectl proxy` from a controller to pods."""
    assert stage.tool("apply", "--yes").code == 0
    answer = stage.tool("check", "--routes-on", "all")
    assert answer.code == 3, answer.out
    assert "controller-0\n  + add     10.200.0.0/24 (worker-0)" in answer.out
