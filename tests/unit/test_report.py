"""A saved report: the same traces as from what it was made of; and redacted, the same verdicts and nothing real."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kthw_routes.errors import UsageError
from kthw_routes.facts import InterfaceAddress, Route
from kthw_routes.overlay.model import DEVICE
from kthw_routes.proof.path import PolicyRule
from kthw_routes.proof.readings import Masquerading, Proof
from kthw_routes.record.documents import CheckDocument
from kthw_routes.record.json_proof import check_document
from kthw_routes.record.json_values import Value, parse
from kthw_routes.record.pseudonyms import Pseudonyms
from kthw_routes.record.redact import redact
from kthw_routes.record.report import parse_report, read_json
from kthw_routes.teaching.hops import Kind, Trace
from kthw_routes.teaching.trace import trace
from tests.schema import check_document as check_schema

from .builders import ip, net
from .pairs import CLUSTER, ends, host, of_pods, path, proof_of, saved

ASTRAY = Route(net("10.200.1.0/24"), ip("192.168.128.12"), "eth0", "200")
MASKED = "-s 10.200.0.0/24 ! -d 10.200.0.0/24 -j MASQUERADE"


def tunneled(worker: int) -> Route:
    """The route to a worker's pods through the overlay."""
    return Route(net(f"10.200.{worker}.0/24"), ip(f"10.200.{worker}.0"), DEVICE, "200", flags=frozenset({"onlink"}))


LOOKUP = PolicyRule(
    "10: from 10.200.0.0/24 lookup secretvpn", "secretvpn", ("default via 172.30.9.9 dev secretvpn0 proto static",)
)
PROOFS: dict[str, Callable[[], Proof]] = {
    "all is well": lambda: proof_of(of_pods(received=3, round_trip=0.4, **ends(3, 3, 3, 3))),
    "astray": lambda: proof_of(of_pods(), worker_0=host(0, [ASTRAY])),
    "no route back": lambda: proof_of(of_pods(**ends(3, 3, 3, 0)), worker_1=host(1, [])),
    "forwarding": lambda: proof_of(of_pods(), worker_1=host(1, ip_forward=False)),
    "network": lambda: replace(proof_of(of_pods(**ends(3, 3, 3, 0))), paths={"worker-0": path(), "worker-1": path()}),
    "masked": lambda: replace(proof_of(of_pods(received=3, **ends(3, 3, 3, 3))), paths={"worker-0": saved(nat=MASKED)}),
    "firewall": lambda: replace(
        proof_of(of_pods()),
        paths={"worker-0": path(), "worker-1": saved("FORWARD -s 10.200.0.0/16 -j DROP")},
    ),
    "overlay": lambda: proof_of(
        of_pods(received=3, **ends(3, 3, 3, 3)),
        **{f"worker_{n}": host(n, [tunneled(m) for m in range(3) if m != n]) for n in range(3)},
    ),
    "rule": lambda: replace(
        proof_of(of_pods()),
        paths={"worker-0": path(policy_rules=(LOOKUP,))},
    ),
}


def document(proof: Proof) -> CheckDocument:
    """The report of a proof."""
    return check_document(CLUSTER, proof.plan, (), proof)


def test_a_report_shows_the_overlay() -> None:
    read = parse_report(Value(redact(document(PROOFS["overlay"]()))))
    found = trace(read.proof, read.cluster, "worker-a", "worker-b", read.causes)
    assert found is not None
    tunnels = [hop.host for hop in found.hops if hop.kind is Kind.TUNNEL]
    assert tunnels == ["worker-a", "worker-b", "worker-b", "worker-a"]


def way(found: Trace | None) -> list[tuple[object, ...]]:
    """How the hops are passed, without their values."""
    assert found is not None
    return [(hop.kind, hop.is_back, hop.passage) for hop in found.hops]


@pytest.mark.parametrize("name", PROOFS)
def test_a_trace_by_a_report_is_the_trace_by_what_was_read(name: str) -> None:
    proof = PROOFS[name]()
    made = document(proof)
    check_schema("check", made)
    read = parse_report(parse(json.dumps(made).encode()))
    direct = trace(proof, CLUSTER, "worker-0", "worker-1")
    by_report = trace(read.proof, read.cluster, "worker-0", "worker-1", read.causes)
    assert direct is not None
    assert by_report is not None
    assert by_report.hops == direct.hops
    assert by_report.verdict == direct.verdict
    assert (by_report.cause and by_report.cause.sentence) == (direct.cause and direct.cause.sentence)


def test_a_pair_that_was_not_judged_is_not_said_to_keep_its_address() -> None:
    made = document(PROOFS["masked"]())
    made["proof"]["pairs"][0]["masquerading"] = None
    read = parse_report(Value(made))
    assert read.proof.pairs[0].masquerading == Masquerading(None)


@pytest.mark.parametrize("name", PROOFS)
@settings(max_examples=15)
@given(seed=st.integers())
def test_redacted_it_gives_the_same_verdict(name: str, seed: int) -> None:
    proof = PROOFS[name]()
    hidden = redact(document(proof), Random(seed))
    check_schema("check", hidden)
    read = parse_report(Value(hidden))
    direct = trace(proof, CLUSTER, "worker-0", "worker-1")
    by_report = trace(read.proof, read.cluster, "worker-a", "worker-b", read.causes)
    assert way(by_report) == way(direct)
    assert by_report is not None
    assert direct is not None
    assert by_report.arrives == direct.arrives


MARK = "private"
"""A word of the person's own: no word of the program's has it in it."""


def marked(value: Any) -> Any:
    """A document with a word of the person's own at the end of every text that is none of an address or a choice."""
    if isinstance(value, dict):
        return {key: value[key] if key in _CHOICES else marked(value[key]) for key in value}
    if isinstance(value, list):
        return [marked(item) for item in value]
    if isinstance(value, str) and not re.fullmatch(r"[\d./]+", value):
        return f"{value}{MARK}"
    return value


_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_CHOICES = frozenset({"role", "pod_cidr_source", "selection", "evidence", "layer", "kind", "code", "privilege"})


@pytest.mark.parametrize("name", PROOFS)
def test_redacted_it_holds_no_word_of_the_persons_own(name: str) -> None:
    """Every text of a report carries a mark, the keys of its objects that are names too; none comes through."""
    text = json.dumps(document(PROOFS[name]()))
    text = text.replace("worker-", f"{MARK}worker-").replace("secretvpn", f"{MARK}vpn").replace("cni-1", f"{MARK}-cni")
    whole = marked(json.loads(text))
    assert MARK in json.dumps(whole)
    hidden = json.dumps(redact(whole, Random(0)))
    assert MARK not in hidden
    assert set(_ADDRESS.findall(text)) & set(_ADDRESS.findall(hidden)) <= {"0.0.0.0"}
    assert "worker-a" in hidden


ADDRESSES = st.lists(st.integers(0, 2**32 - 1).map(IPv4Address), min_size=1, max_size=12)
NETWORKS = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(4, 32)).map(lambda n: IPv4Network(n, strict=False)), max_size=8
)
NEAR = st.tuples(ADDRESSES, st.lists(st.integers(0, 512), max_size=8)).map(
    lambda found: [IPv4Address((int(found[0][0]) + near) % 2**32) for near in found[1]] + found[0]
)
"""Some of them next to each other, as the nodes of a network are."""


@given(NEAR, NETWORKS, st.integers())
def test_addresses_keep_their_relations_and_none_stays(
    addresses: list[IPv4Address], networks: list[IPv4Network], seed: int
) -> None:
    text = " ".join(map(str, [*addresses, *networks]))
    new = Pseudonyms(text, Random(seed))
    places = {a: IPv4Address(new.address(str(a))) for a in addresses}
    nets = {n: IPv4Network(new.network(str(n))) for n in networks}
    for a, b in places.items():
        for n, m in nets.items():
            assert (a in n) == (b in m)
            interface = IPv4Interface(new.interface(f"{a}/{n.prefixlen}"))
            assert (interface.network == m) == (IPv4Interface(f"{a}/{n.prefixlen}").network == n)
        for c, d in places.items():
            assert (a < c) == (b < d)
    for n, m in nets.items():
        assert all(n.supernet_of(o) == m.supernet_of(nets[o]) for o in nets)
    assert not set(places) & set(places.values())
    assert [new.address(str(a)) for a in addresses] == [str(places[a]) for a in addresses]


class NeverTurns(Random):
    """Chance that leaves everything as it is."""

    def random(self) -> float:
        """Return what is above all limits."""
        return 1.0


def test_no_address_stays_whatever_chance_says_and_chance_decides_the_rest() -> None:
    real = ["192.168.8.20", "192.168.8.21", "10.200.1.0"]
    new = Pseudonyms(" ".join(real), NeverTurns())
    assert not set(real) & {new.address(text) for text in real}
    others = {Pseudonyms(" ".join(real), Random(seed)).address(real[0]) for seed in range(20)}
    assert len(others) > 10, "nobody can turn it back"


def test_a_real_name_is_never_a_new_one() -> None:
    new = Pseudonyms('"worker-a" "worker-b"', Random(0))
    assert [new.name(name, "worker") for name in ("worker-b", "worker-a", "worker-b")] == [
        "worker-c",
        "worker-d",
        "worker-c",
    ]


def test_what_programs_print_keeps_its_known_words() -> None:
    new = Pseudonyms("10.200.0.0/24", Random(1))
    rule = new.words("10: from 10.200.0.0/24 fwmark 0x1 lookup company-vpn")
    assert re.fullmatch(r"… from [\d.]+/24 … lookup …", rule)
    assert "10.200.0.0" not in rule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '{"version": 1, "proof": [',
            "it is not JSON: Expecting value (line 1, column 26). It seems to be cut off.",
        ),
        ("", "It seems to be cut off."),
        ("no report", "it is not JSON: Expecting value (line 1, column 1)."),
        (
            '{"version": 1, "error": {"sentence": "It is gone."}}',
            "the command ended with an error: It is gone.",
        ),
        ('{"version": 1, "runs": []}', "it is of `runs --json`."),
        ('{"version": 1, "nodes": []}', "it holds no proof; it is of another command than `check --json`."),
        ('{"version": 2, "proof": {}}', "it is of version 2, and this program reads version 1."),
        ('{"version": 1, "proof": {}}', "`nodes` is missing; an older version wrote it, or it was changed."),
        ('{"nodes": []}', "kthw-routes did not write it: it has no `version`."),
        ("[]", "it is not an object."),
    ],
)
def test_another_document_is_refused_with_what_it_is(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        parse_report(read_json(file), file)
    assert caught.value.sentence.startswith(f"{file} cannot be used as a report: ")
    assert caught.value.sentence.endswith(words)
    assert "check --json > report.json" in caught.value.hint


def test_a_file_that_is_missing_is_said_to_be() -> None:
    with pytest.raises(UsageError, match=r"/no/such\.json cannot be read: No such file or directory\."):
        read_json(Path("/no/such.json"))


@given(st.data())
def test_a_report_that_was_changed_is_read_or_refused(data: st.DataObject) -> None:
    """Any value may be another, or missing: never anything but UsageError comes of it."""
    whole: Any = deepcopy(json.loads(json.dumps(document(PROOFS["masked"]()))))
    parent, key = whole, "proof"
    while True:
        here = parent[key]
        keys = list(here) if isinstance(here, dict) else list(range(len(here))) if isinstance(here, list) else []
        if not keys or data.draw(st.integers(0, 3)) == 0:
            break
        parent, key = here, data.draw(st.sampled_from(keys))
    if data.draw(st.booleans()):
        parent[key] = data.draw(st.sampled_from([None, "", "x", -1, 2**70, [], {}, [1], True, "10.0.0.1", 1.5]))
    else:
        del parent[key]
    try:
        read = parse_report(parse(json.dumps(whole).encode()))
    except UsageError:
        return
    for pair in read.proof.pairs:
        trace(read.proof, read.cluster, pair.source, pair.target, read.causes)


def test_the_bridge_of_a_host_is_found_among_its_bridges() -> None:
    other = InterfaceAddress("docker0", IPv4Interface("172.17.0.1/16"))
    proof = PROOFS["all is well"]()
    facts = {n: replace(f, bridges=(other, *((f.bridge,) if f.bridge else ()))) for n, f in proof.facts.items()}
    read = parse_report(Value(document(replace(proof, facts=facts))))
    assert read.proof.facts["worker-0"].bridge == proof.facts["worker-0"].bridge
