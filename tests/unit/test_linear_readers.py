"""What reads text from outside takes its length, not its square, whatever is in it."""

import contextlib
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import PurePosixPath

import pytest

from kthw_routes.events import Phase
from kthw_routes.facts import HostFile
from kthw_routes.hosts import netplan_check, read_network
from kthw_routes.hosts.cni import read_cni, read_kubelet
from kthw_routes.hosts.ping_output import count_full_tables, parse_counters, parse_ping, parse_pings
from kthw_routes.hosts.read_cloud_init import hosts_template
from kthw_routes.hosts.read_facts import read_facts
from kthw_routes.hosts.task import HostTask
from kthw_routes.hosts.verdicts import verdicts
from kthw_routes.iproute2.output import failed_lines, parse_addresses
from kthw_routes.persistence import ifupdown, netplan, networkd
from kthw_routes.plan import etc_hosts
from kthw_routes.plan.hosts_lines import BrokenBlock
from kthw_routes.sanitize import inline
from kthw_routes.sources.linode.errors import Answer, of_answer
from kthw_routes.ssh.command import Result
from kthw_routes.undo.limits import Limits
from kthw_routes.undo.reverse_patch import reverse

from .answering import Answering, said
from .builders import cluster, facts, worker

LENGTH = 100_000
"""Characters; what looks at each of them from each of them takes minutes."""

HOSTILE = [
    *(
        "\n",
        " ",
        "\t",
        "a",
        "1",
        "0.",
        "/",
        ":",
        "=",
        "[",
        "]",
        "{",
        '"',
        "'",
        "#",
        "-",
        "\\",
        "`",
        "\x9d",
        "\x1b]",
        "é",
    ),
    *(
        "\n ",
        " a",
        "a:",
        "a=1\n",
        "[x]\n",
        "podCIDR: ",
        "podCIDR:\n",
        "- a\n",
        "Error: ",
        "Command failed -:",
        "Icmp: 1\n",
    ),
    *("From 1 icmp_seq=1 ", "ping: ", "= 1/", "1 packets transmitted, ", "10.200.1.1 0 ", "- &a [*a]\n", "<a "),
    *("Network File: ", " Network File: \n", "route replace ", "nexthop via ", "1.2.3.4 w\n", "1.2.3.4 worker-1\n"),
]


def _facts(text: str) -> None:
    answer = said(text)
    plain = {"ip": said("[]"), "ip -V": said("ip utility, iproute2-6.1.0\n")}
    read_facts(HostTask(Answering(plain, otherwise=answer), Phase.CHECKS, lambda _: None), worker(0))


def _network(text: str) -> None:
    read_network.read(HostTask(Answering({}, otherwise=said(text)), Phase.CHECKS, lambda _: None), ("eth0",))


def _names(text: str) -> None:
    wanted = {f"worker-{n}": IPv4Address(0xC0A88000 + n) for n in range(50)}
    for content in (text, f"1.2.3.4 {text}", text.replace(" ", "\n")):
        with contextlib.suppress(BrokenBlock):
            etc_hosts.edit(content.encode(), wanted, listed=wanted)


def _undone(text: str) -> None:
    before, after, now = (
        "".join(f"{line}{end}{n % 7}{n}" for n, line in enumerate(text.splitlines(keepends=True))).encode()
        for end in ("a", "b", "c")
    )
    plain = text.encode()
    reverse(now, (before, after))
    reverse(plain, (after, before))
    reverse(plain + b"t\n", (plain + plain + b"y\nt\n", plain + b"NEW\nt\n"))
    limits = Limits(cluster(), worker(0), facts(worker(0)))
    for content in (plain, b"# BEGIN kthw-routes\n" + plain + b"\n# END kthw-routes\n"):
        limits.names(content, content + b"\n192.168.128.11 worker-1\n")


def _held(text: str) -> None:
    networkd.parse(HostFile(networkd.FOLDER / "x.network.d/90-kthw-routes.conf", 0o644, f"[Route]\n{text}".encode()))
    ifupdown.parse(HostFile(PurePosixPath("/x"), 0o755, f"ip route replace {text}".encode()))
    netplan.parse(HostFile(netplan.PATH, 0o600, b"x" * 50_000 + text.encode()))


def _addresses(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_addresses(
            f'[{{"ifname": "eth0", "addr_info": [{{"family": "inet", "local": "{text}", "prefixlen": 1}}]}}]'
        )


def _proved(text: str) -> None:
    result, pinged = Result(0, text.encode(), text.encode()), IPv4Address("10.200.1.1")
    parse_ping(result)
    parse_pings(Result(0, f"{pinged} 0 {inline(text)}".encode(), b""), [pinged])
    parse_pings(result, [pinged])
    parse_counters(text)
    count_full_tables(f"a table_fulls\n{text}")
    members = cluster(3)
    answering = Answering({}, otherwise=result)
    verdicts(HostTask(answering, Phase.PROOF, lambda _: None), members, worker(0), facts(worker(0)))


def _configured(text: str) -> None:
    read_cni(PurePosixPath("/x.conf"), text)
    read_cni(PurePosixPath("/x.conf"), f'{{"type": "bridge", "ipam": {{"type": "host-local", "subnet": "{text}"}}}}')
    read_kubelet(PurePosixPath("/x"), text)
    read_kubelet(PurePosixPath("/x"), f"podCIDR: {inline(text)}")
    on = "/etc/cloud/cloud.cfg:manage_etc_hosts: true"
    answers = {"grep": said(f"{on}\n{on}{text}\n{text}\n/etc/os-release:ID={text}")}
    hosts_template(HostTask(Answering(answers), Phase.CHECKS, lambda _: None))


@pytest.mark.parametrize(
    "reader",
    [
        _undone,
        _proved,
        _configured,
        _facts,
        _network,
        _names,
        _held,
        _addresses,
        failed_lines,
        inline,
        lambda text: netplan_check.summarize_errors(Result(1, b"", text.encode())),
        lambda text: of_answer(Answer(400, reasons=(text, text)), "api.linode.com", "here"),
    ],
)
def test_a_reader_takes_one_pass(reader: Callable[[str], object]) -> None:
    for piece in HOSTILE:
        begun = time.process_time()
        reader(piece * (LENGTH // len(piece)) + "!")
        assert time.process_time() - begun < 8, ascii(piece)
