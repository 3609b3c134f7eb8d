"""What the hostile host of a recorded walk is like: together the setups make that every program is run.

The lab has some programs only: what the others answer is written here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from kthw_routes.demo.topology import ADDRESSES
from kthw_routes.options import NamesOn, Options, RoutesOn
from kthw_routes.overlay import table
from kthw_routes.overlay.model import Overlay
from kthw_routes.persistence.model import Persist
from kthw_routes.ssh.command import MAX_CAPTURE, Command, Result
from tests.unit.answering import said
from tests.unit.test_netfilter import NATIVE, RECORDED

OPTIONS: Final = Options(
    names_on=NamesOn.ALL, routes_on=RoutesOn.ALL, persist=Persist.AUTO, ip_forward=True, prune=True, repair=True
)
Instead = Callable[[Command], Result | None]
"""What a host answers instead of the lab; None: what the lab does."""


def always(text: str = "", status: int = 0, err: str = "") -> Instead:
    """Answer this."""
    return lambda _: said(text, status, err)


def in_turn(*texts: str) -> Instead:
    """Answer the first of these first, and the last for ever."""
    left = list(texts)
    return lambda _: said(left.pop(0) if len(left) > 1 else left[0])


def cut_unless_read_whole(command: Command) -> Result | None:
    """Answer as where a file is larger than what is kept of other output."""
    return Result(0, b"x", b"", is_cut=True) if command.capture == MAX_CAPTURE else None


@dataclass(frozen=True, slots=True)
class Setup:
    """What the hostile host is like, and what is asked for."""

    instead: Mapping[str, Instead] = field(default_factory=dict)
    """What it answers instead of the lab's: by the beginning of the command, the longest that fits."""
    files: Mapping[str, str] = field(default_factory=dict)
    options: Options = OPTIONS
    has_pod: bool = True
    setup: Sequence[str] = ()
    """Commands that are run on it before."""


_W1, _W2 = (ADDRESSES[f"worker-{n}"][1] for n in (1, 2))
_SCRATCH = "/tmp/kthw-routes.abcdefgh"
_GENERATED = f"{_SCRATCH}/run/systemd/network/10-netplan-id0.network"
_BEFORE = f"{_GENERATED}:[Match]\n{_GENERATED}:Name=eth0\n{_GENERATED}:\n"
_FIRST = f"{_GENERATED}:[Route]\n{_GENERATED}:Destination=10.200.1.0/24\n{_GENERATED}:Gateway={_W1}\n{_GENERATED}:\n"
_BOTH = _BEFORE + _FIRST + _FIRST.replace("10.200.1.0", "10.200.2.0").replace(_W1, _W2)

SETUPS: Final[Mapping[str, Setup]] = {
    "lab": Setup(
        setup=(
            f"ip route add 10.200.1.0/24 via {_W2} dev eth0 metric 100 mtu 1400",
            "ip route add blackhole 10.200.77.0/24 proto 200",
        )
    ),
    "netplan and cloud-init": Setup(
        instead={
            "networkctl --no-pager status": always(
                "* 2: eth0\n  Network File: /run/systemd/network/10-netplan-id0.network\n"
                "  State: routable (configured)\n"
            ),
            "netplan get": always("network:\n  version: 2\n  ethernets:\n    id0: {addresses: [10.0.0.1/8]}\n"),
            "netplan generate": always(),
            "mktemp": always(f"{_SCRATCH}\n"),
            "cp -a --parents": always(),
            f"dd of={_SCRATCH}": always(),
            "grep -arsH ''": in_turn(_BEFORE, _BOTH, _BEFORE, _BEFORE + _FIRST),
        },
        files={
            "/etc/netplan/90-kthw-routes.yaml": "network:\n  ethernets:\n    id0:\n"
            f"      routes: [{{to: 10.200.1.0/24, via: {_W1}}}]\n",
            "/etc/network/if-up.d/kthw-routes": f"ip route replace 10.200.1.0/24 via {_W1} dev eth0\n",
            "/run/kthw-routes-undo-20261121T101500Z-1abc.sh": "",
            "/etc/cloud/cloud.cfg": "manage_etc_hosts: true\n",
            "/etc/os-release": "ID=ubuntu\nID_LIKE=debian\n",
            "/etc/cloud/templates/hosts.debian.tmpl": "## template:jinja\n127.0.1.1 {{fqdn}}\n",
        },
    ),
    "NetworkManager and ifupdown": Setup(
        instead={
            "networkctl": always(status=127, err="no such program"),
            "stat -c '%a %n %F' /run/systemd": always(
                "755 /run/NetworkManager directory\n644 /run/network/ifstate regular file\n"
            ),
            "iptables-save": always(RECORDED, err="# Warning: iptables-legacy tables present\n"),
            "nft list ruleset": always(NATIVE),
            "cat /proc/net/ip_tables_names": always("nat\nfilter\n"),
            "ip -4 -force -batch -": always(
                "0:\tfrom all lookup local\n100:\tfrom 10.200.0.0/16 lookup 7\n32766:\tfrom all lookup main\n"
                "default via 192.0.2.9 dev eth0 table 7 onlink \ndefault via 203.0.113.1 dev eth0 proto static \n"
            ),
            "nmcli": always("netplan-id0\n100 (connected)\n"),
        },
        files={"/run/network/ifstate": "lo=lo\neth0=eth0\n"},
        setup=("ip route add blackhole 10.200.2.254/32",),
    ),
    "a timer, and an automatic rollback": Setup(
        options=replace(OPTIONS, persist=Persist.UNIT, commit_within=600), has_pod=False
    ),
    "an overlay of which a part is wrong": Setup(
        options=replace(OPTIONS, routes_on=RoutesOn.WORKERS, persist=Persist.UNIT, overlay=Overlay.VXLAN),
        setup=(
            "ip link add kthw-routes0 address 02:c8:c0:a8:8a:30 mtu 1450 type vxlan id 200 dstport 4789 "
            "local 192.168.138.48 nolearning",
            "ip link set kthw-routes0 up",
            f"bridge fdb add 02:c8:c0:a8:91:6b dev kthw-routes0 dst {_W2}",
            "ip neigh add 10.200.1.0 lladdr 02:00:00:00:00:07 dev kthw-routes0 nud permanent",
        ),
    ),
    "an overlay that nobody wants any more": Setup(
        options=replace(OPTIONS, persist=Persist.NONE, overlay=Overlay.NONE),
        setup=(
            "ip link add kthw-routes0 type vxlan id 200 dstport 4789",
            f"nft -f - <<E\n{table.render(frozenset())}E",
        ),
    ),
    "a long table, a large file, and a narrow way": Setup(
        instead={
            "sh -c 'set -f": always(
                "".join(
                    f"10.200.{n}.254 0 PING 3 packets transmitted, 3 received, 0% packet loss\n"
                    f"10.200.{n}.254 full 1 PING From 192.168.138.1 icmp_seq=1 Frag needed and DF set (mtu = 1400) "
                    f"--- 10.200.{n}.254 ping statistics --- 1 packets transmitted, 0 received, 100% packet loss\n"
                    for n in (1, 2)
                )
            ),
            "ip -json -4 -batch": always(status=1),
            "ip -json route show": lambda _: Result(0, b"[\n", b"", is_cut=True),
            "ip -json route show root": lambda _: None,
            "ip -json route show match": lambda _: None,
            "cat /etc/hosts": cut_unless_read_whole,
            "cat /proc/net/stat/arp_cache": always(
                "entries  allocs   destroys hash_grows lookups  hits     table_fulls\n"
                "00000004 00000023 0000001f 00000000 000000a1 0000003b 00000002\n"
            ),
        },
        options=replace(OPTIONS, persist=Persist.NONE),
    ),
}
