"""What is explained: commands, lines of the routing table, findings; and what is said of everything else."""

import ast
import contextlib
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import kthw_routes
from kthw_routes.cli.main import main
from kthw_routes.errors import UsageError
from kthw_routes.teaching.explain import UNKNOWN, Explanation, explain, finding_codes

from .builders import cluster

ROUTE = "ip route add 10.200.1.0/24 via 192.168.128.11"


def _codes() -> set[str]:
    """The codes of all findings that the source makes."""
    found = set()
    for path in Path(kthw_routes.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and re.search(
                r"Finding|^finding$|Finding\.(stop|notice)", ast.unparse(call.func)
            ):
                given = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "code")]
                found |= {a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return found


def _meanings(found: Explanation) -> dict[str, str]:
    return {word.text: word.meaning for word in found.words}


def test_every_finding_is_explained_and_nothing_else() -> None:
    over = {f"pod-cidr-over-{what}" for what in ("service-network", "docker", "node-network")}  # made of two parts
    assert set(finding_codes()) - over == _codes() - {"pod-cidr-over-"}
    for code in finding_codes():
        assert re.fullmatch(r"[A-Z“].*\.", explain(code).says, re.IGNORECASE), code


def test_a_route_is_explained_word_by_word_with_what_breaks_without_it() -> None:
    found = explain(ROUTE)
    assert list(_meanings(found)) == ["ip", "route", "add", "10.200.1.0/24", "via 192.168.128.11"]
    assert "10.200.1.0 to 10.200.1.255, 256 addresses" in _meanings(found)["10.200.1.0/24"]
    assert "on-link" in _meanings(found)["via 192.168.128.11"]
    assert found.without.startswith("packets for 10.200.1.0/24 take the next best route")


def test_addresses_are_called_by_their_nodes_where_the_cluster_is_known() -> None:
    of = cluster()
    worker = of.workers[1]
    meanings = _meanings(explain(f"ip route add {worker.pod_cidr} via {worker.internal}", of))
    assert meanings[str(worker.pod_cidr)].endswith("(worker-1's pod CIDR)")
    assert meanings[f"via {worker.internal}"].endswith("(worker-1's internal address)")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "10.200.1.0/24 via 192.168.8.21 dev eth0 proto 200",
            ["10.200.1.0/24", "via 192.168.8.21", "dev eth0", "proto 200"],
        ),
        ("default via 10.0.0.1 dev eth0 onlink", ["default", "via 10.0.0.1", "dev eth0", "onlink"]),
        ("blackhole 10.200.0.0/16", ["blackhole", "10.200.0.0/16"]),
        (
            "  route get 10.200.1.5 from 10.200.0.1 iif cnio0",
            ["route", "get", "10.200.1.5", "from 10.200.0.1", "iif cnio0"],
        ),
        ("$ ip r a 10.200.1.0/24 via 10.0.0.1", ["ip", "r", "a", "10.200.1.0/24", "via 10.0.0.1"]),
        ("ip a", ["ip", "a"]),
        ("ssh root@10.0.0.1 'sudo ip route'", ["ssh", "root@10.0.0.1", "sudo", "ip", "route"]),
        ("ip netns exec cni-1 cat /proc/net/snmp", ["ip", "netns", "exec cni-1", "cat", "/proc/net/snmp"]),
        ("ip route | grep kernel", ["ip", "route", "|", "grep", "kernel"]),
    ],
)
def test_what_is_typed_and_what_is_printed_is_read(text: str, words: list[str]) -> None:
    found = explain(text)
    assert [word.text for word in found.words] == words
    assert UNKNOWN not in [word.meaning for word in found.words]


def test_only_what_leads_somewhere_has_something_missing_without_it() -> None:
    assert explain("10.200.0.0/24 dev cnio0 proto kernel scope link src 10.200.0.1").without == ""
    assert explain("default via 10.0.0.1").without == ""
    assert explain("ip route show").without == ""
    assert explain("10.200.1.0/24 via 10.0.0.1").without


@pytest.mark.parametrize("text", ["", " ", "$ ", "make coffee", "10.200.1.0/33"])
def test_anything_else_is_refused_with_what_can_be_explained(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain(text)
    assert "ip route add" in caught.value.hint
    assert "forwarding-off" in caught.value.hint


@given(
    st.text()
    | st.lists(st.sampled_from(["ip", "route", "sudo", "ssh", ";", "&&", "'", '"', "-n", "10.0.0.0/8"])).map(" ".join)
)
def test_whatever_is_given_has_an_explanation_or_none(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert explain(text).says or explain(text).words


def test_a_long_line_is_explained_up_to_a_bound() -> None:
    for piece in ("sudo ", "ip ; ", "ip route add 10.0.0.0/8 ", "( "):
        assert len(explain("ip " + piece * 100_000).words) < 1000


def test_the_command_prints_it() -> None:
    runner = CliRunner()
    together = runner.invoke(main, ["explain", ROUTE])
    apart = runner.invoke(main, ["explain", *ROUTE.split()])
    assert together.exit_code == apart.exit_code == 0
    assert together.output == apart.output
    assert re.search(r"^via 192\.168\.128\.11 +the next hop: ", together.output, re.MULTILINE)
    assert "Without it, packets for 10.200.1.0/24 take" in together.output
    options = runner.invoke(main, ["explain", "ping", "-n", "-c", "3", "10.200.1.5"])
    assert re.search(r"^-c 3 +3 requests", options.output, re.MULTILINE)
    assert runner.invoke(main, ["explain", "coffee"]).exit_code == 2
