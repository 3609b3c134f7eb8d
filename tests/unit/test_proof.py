"""Headlines, and the first layer that fails."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.facts import Pod, Route
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import Plan
from kthw_routes.proof.causes import Cause, Layer, counted
from kthw_routes.proof.diagnosis import explain, pair_words
from kthw_routes.proof.readings import Counters, Evidence, ForwardingCheck, PairReading, Proof
from kthw_routes.proof.refusals import of_verdict, of_verdicts
from kthw_routes.proof.tables import HostTable
from kthw_routes.record import transcript
from kthw_routes.words import explanations

from .builders import bare_facts, cluster, facts, ip, net, pair_reading, pod_route

NAMES = ("worker-0", "worker-1", "worker-2")


def proof(*pairs: PairReading, plan: Plan | None = None, **given: object) -> Proof:
    return Proof(plan or Plan(()), (), pairs, **given)  # type: ignore[arg-type]  # the values are right by name


ALL = tuple(pair_reading(a, b) for a, b in permutations(NAMES, 2))


def test_only_pods_may_say_pods() -> None:
    assert proof(*ALL).headline == "Traffic between all pod CIDRs gets through."
    pods = [pair_reading(a, b, evidence=Evidence.POD) for a, b in permutations(NAMES, 2)]
    assert proof(*pods).headline == "Pods of all workers reach each other."
    mixed = (*pods[:5], pair_reading("worker-2", "worker-1", evidence=Evidence.BRIDGE))
    assert proof(*mixed).headline == "Traffic between all pod CIDRs gets through."
    assert proof(*mixed).evidence is Evidence.BRIDGE


def test_what_the_evidence_does_not_show_is_said() -> None:
    assert "Forwarding was not tested" in proof(*ALL).caveat
    assert proof(*[pair_reading(a, b, evidence=Evidence.POD) for a, b in permutations(NAMES, 2)]).caveat == ""
    assert proof(probed=False).caveat == ""


def test_one_failed_pair_is_no_proof() -> None:
    one = proof(*ALL[:5], pair_reading("worker-2", "worker-1", received=2))
    assert one.headline == "1 of 6 pairs of workers does not get through."
    assert not one.is_proved


def test_the_proof_holds_where_no_pair_of_the_hosts_that_were_read_failed_or_went_untested() -> None:
    def one(**given: object) -> bool:
        return proof(*ALL[1:], pair_reading(*NAMES[:2], **given)).holds_between(NAMES)  # type: ignore[arg-type]

    assert one()
    assert not one(received=2)
    assert not one(problem="ping is not installed there")
    assert one(problem="worker-1 was left out", left_out=True)
    dead = proof(*ALL[1:], pair_reading(*NAMES[:2], problem="worker-1 could not be reached"))
    assert dead.holds_between(("worker-0", "worker-2")), "it was dead before the run already"


def untested(source: str, target: str, problem: str) -> PairReading:
    return PairReading(source, target, Evidence.NONE, problem=problem)


def test_hosts_that_could_not_be_read_are_a_line_each_and_not_one_per_pair() -> None:
    """90 lines for 10 hosts hid why: each host's own sentence."""
    names = [f"h{n:03}" for n in range(10)]
    pairs = [untested(a, b, f"{a} could not be read") for a, b in permutations(names, 2)]
    unread = tuple(f"{name}: no answer within 10 s." for name in names)
    seen = proof(*pairs, unread=unread)
    lines = (
        "Not tested, h000, h001, h002, h003, h004, h005 and 4 more could not be read: 90 pairs of workers.",
        *unread,
    )
    assert explanations(seen) == lines
    told = list(transcript.tail({}, seen, "20261122T140209Z-7c1e", {}))
    assert [line for line in told if line.startswith("- ")] == [f"- {line}" for line in lines]


def test_pairs_that_were_not_tested_are_named_by_their_reason() -> None:
    pairs = [
        untested("worker-1", "worker-0", "ping is not installed on worker-1"),
        untested("worker-1", "worker-2", "ping is not installed on worker-1"),
        untested("worker-0", "worker-2", "worker-2 was left out"),
        untested("worker-2", "worker-0", "worker-2 was left out"),
    ]
    assert explanations(proof(*pairs)) == (
        "Not tested, ping is not installed on worker-1: worker-1 → worker-0, worker-1 → worker-2.",
        "Not tested, worker-2 was left out: worker-0 → worker-2, worker-2 → worker-0.",
    )


def test_what_was_not_tested_is_not_proved() -> None:
    untested = PairReading("worker-0", "worker-1", Evidence.NONE, problem="worker-1 was left out")
    assert proof(*ALL[1:], untested).headline == "Not proved: 1 of 6 pairs could not be tested."
    assert proof(probed=False).headline == "Not proved: no probe was sent, as asked."
    assert not proof(probed=False).is_proved
    assert not proof(*ALL, unread=("worker-2: unreachable",)).is_proved
    missing = planning.make(cluster(), bare_facts(cluster()))
    assert not proof(*ALL, plan=missing).is_proved
    assert proof(*ALL).is_proved


def _ends(out: int, arrived: int, replied: int, back: int) -> dict[str, Counters]:
    return {
        "at_source": Counters(requests_in=0, replies_out=0, requests_out=out, replies_in=back),
        "at_target": Counters(requests_in=arrived, replies_out=replied, requests_out=0, replies_in=0),
    }


@pytest.mark.parametrize(
    ("given", "there", "back", "layer", "words"),
    [
        (_ends(3, 0, 0, 0), False, True, Layer.ROUTE, "worker-0 has no right route"),
        (_ends(3, 0, 0, 0), True, True, Layer.NETWORK_OUT, "Three requests left worker-0, none arrived at worker-1"),
        (_ends(3, 3, 0, 0), True, True, Layer.TARGET, "no replies left worker-1"),
        (_ends(3, 3, 3, 0), True, False, Layer.ROUTE_BACK, "worker-1 has no right route"),
        (_ends(3, 3, 3, 0), True, True, Layer.NETWORK_BACK, "three replies left worker-1, none arrived"),
        ({"words": "host unreachable: the next hop 1.2.3.4 FAILED"}, True, True, Layer.NEXT_HOP, "next hop itself"),
        ({"words": "ping: connect: Network is unreachable"}, True, True, Layer.ROUTE, "refuses to send"),
        (
            {"words": "ping: sendmsg: Operation not permitted", **_ends(3, 0, 0, 0)},
            True,
            True,
            Layer.FIREWALL,
            "worker-0's own firewall",
        ),
        (_ends(0, 0, 0, 0), True, True, Layer.SOURCE, "worker-0 sent nothing: is it very busy?"),
        (
            {"silent_hop_back": "192.168.128.10 dev eth0 FAILED", **_ends(3, 3, 3, 0)},
            True,
            True,
            Layer.NEXT_HOP,
            "worker-1 gets no answer from the next hop back to worker-0 itself",
        ),
        (
            {"full_table": "worker-1", **_ends(3, 3, 3, 0)},
            True,
            True,
            Layer.NEIGHBOURS,
            "worker-1's neighbour table is",
        ),
        ({}, True, True, Layer.UNKNOWN, "No answer came."),
    ],
)
def test_the_first_layer_that_fails(
    given: dict[str, object], there: bool, back: bool, layer: Layer, words: str
) -> None:
    pair = pair_reading("worker-0", "worker-1", received=0, source_address=ip("10.200.0.254"), **given)
    found = cause_of(pair, [pod_route(1)] if there else [], [pod_route(0)] if back else [])
    assert found.layer is layer
    assert words in found.sentence
    assert found.shows


def cause_of(pair: PairReading, there: Sequence[Route] = (), back: Sequence[Route] = (), **given: object) -> Cause:
    """Why worker-0 does not reach worker-1, with these routes on each; `given`: what else was read of both."""
    of = cluster(2, controllers=0)
    hosts = {n.name: facts(n, routes, **given) for n, routes in zip(of.workers, (there, back), strict=True)}
    return explain(Proof(planning.make(of, hosts), (), (pair,), facts=hosts), pair)


def test_counts_in_words() -> None:
    pair = pair_reading("worker-0", "worker-1", received=1, **_ends(3, 2, 1, 1))
    assert counted(pair) == (
        "Three requests left worker-0, two arrived at worker-1; one reply left worker-1, one arrived."
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("RTNETLINK answers: No route to host", "forwarding is off there"),
        ("RTNETLINK answers: Invalid cross-device link", "rp_filter"),
        ("RTNETLINK answers: Invalid argument", "rp_filter"),
        ("RTNETLINK answers: Network is unreachable", "it has no route to it"),
        ("10.200.1.2 from 10.200.0.2 via 192.168.1.1 dev eth0", "via 192.168.1.1"),
    ],
)
def test_what_a_kernel_that_says_no_means(words: str, expected: str) -> None:
    assert expected in of_verdict(ForwardingCheck("worker-0", "worker-1", net("10.200.1.0/24"), False, words))


def astray(route: Route | None) -> str:
    """What is said of worker-0 -> worker-1 where worker-0's table has the right routes, and this one."""
    of = cluster()
    node = of.node("worker-0")
    table = [pod_route(1), pod_route(2), *([route] if route else [])]
    host = facts(node, table)
    pair = pair_reading("worker-0", "worker-1", received=0, source_address=ip("10.200.0.254"))
    seen = Proof(planning.make(of, {"worker-0": host}), (), (pair,), facts={"worker-0": host})
    found = explain(seen, pair)
    return found.sentence if found.layer is Layer.ROUTE else ""


def test_a_route_for_a_part_of_the_pod_cidr_leads_astray_beside_the_right_one() -> None:
    assert astray(None) == ""
    assert astray(Route(net("10.200.1.0/25"), ip("192.168.128.12"), "eth0")) == ""
    thief = Route(net("10.200.1.128/25"), ip("192.168.128.12"), "eth0")
    assert "10.200.1.128/25 via 192.168.128.12 takes it" in astray(thief)
    assert "10.200.1.254/32 blackhole takes it" in astray(Route(net("10.200.1.254/32"), type="blackhole"))


@pytest.mark.parametrize(
    ("address", "metric", "is_blamed"), [("10.200.0.2", 0, True), ("10.200.0.2", 9, False), ("10.200.0.1", 0, False)]
)
def test_a_pod_that_its_own_host_routes_away_is_no_filter_of_the_provider(
    address: str, metric: int, is_blamed: bool
) -> None:
    of = cluster()
    away = Route(net("10.200.0.0/24"), ip("192.168.128.11"), "eth0", "boot", metric)
    bridge = [Route(net("10.200.0.0/24"), device="cnio0", protocol="kernel", scope="link")] if metric else []
    table = [pod_route(1), pod_route(2), away, *bridge]
    host = facts(of.node("worker-0"), table, ip_forward=True, pods=(Pod("cni-1", ip("10.200.0.2")),))
    ends = _ends(3, 3, 3, 0)
    there = pair_reading("worker-0", "worker-1", received=0, source_address=ip(address), **ends)
    back = pair_reading("worker-1", "worker-0", received=0, target_address=ip(address), **ends)
    seen = Proof(planning.make(of, {"worker-0": host}), (), (there, back), facts={"worker-0": host})
    for pair in (there, back):
        found = explain(seen, pair)
        assert found.layer is (Layer.OWN_ROUTES if is_blamed else Layer.NETWORK_BACK)
        blamed = (
            "Another route overrides worker-0's own pod CIDR: its pods are unreachable; --repair restores it. "
            "Three requests left"
        )
        assert found.sentence.startswith(blamed) is is_blamed
    assert len([line for line in explanations(seen) if "Next:" in line]) == 1


@pytest.mark.parametrize(("evidence", "layer"), [(Evidence.POD, Layer.FORWARDING), (Evidence.PROBE, Layer.NETWORK_OUT)])
@pytest.mark.parametrize("closed", ["worker-0", "worker-1"])
def test_forwarding_is_to_blame_for_pods_only(evidence: Evidence, layer: Layer, closed: str) -> None:
    """Probe addresses are on the nodes themselves: their packets are never forwarded, so something else drops them."""
    of = cluster()
    routes = [pod_route(n) for n in range(3)]
    ends = {n.name: facts(n, routes, ip_forward=n.name != closed) for n in of.workers}
    pair = pair_reading("worker-0", "worker-1", received=0, evidence=evidence, **_ends(3, 0, 0, 0))
    found = explain(Proof(planning.make(of, ends), (), (pair,), facts=ends), pair)
    assert found.layer is layer
    assert found.host == (closed if layer is Layer.FORWARDING else None)


def test_the_same_words_of_the_kernel_are_told_apart_by_the_hosts_own_readings() -> None:
    """`No route to host` is said of forwarding that is off and of an `unreachable` route alike (measured)."""
    node = cluster().node("worker-0")
    check = ForwardingCheck("worker-0", "worker-1", net("10.200.1.0/24"), False, "RTNETLINK answers: No route to host")
    start = "worker-0 would not forward to 10.200.1.0/24 (worker-1)"
    holes = [Route(net("10.200.2.0/24"), type="blackhole"), Route(net("10.200.1.0/24"), type="unreachable")]
    off, hole, neither = (
        facts(node, [pod_route(1)], ip_forward=False),
        facts(node, holes, ip_forward=True),
        facts(node, [pod_route(1), holes[0]], ip_forward=True),
    )
    assert of_verdict(check, off).startswith(f"{start}: forwarding is off there (net.ipv4.ip_forward = 0)")
    assert of_verdict(check, hole) == f"{start}: its table has a route of type unreachable for it."
    assert of_verdict(check, neither) == of_verdict(check)
    assert of_verdict(check).startswith(f"{start}: forwarding is off there, or there is no route.")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((0, 0, 0, 0), "No requests left worker-0, none arrived at worker-1."),
        ((1, 1, 1, 1), "One request left worker-0, one arrived at worker-1; one reply left worker-1, one arrived."),
        ((2, 2, 2, 2), "Two requests left worker-0, two arrived at worker-1; two replies left worker-1, two arrived."),
        ((4, 3, 7, 5), "4 requests left worker-0, three arrived at worker-1; 7 replies left worker-1, 5 arrived."),
    ],
)
def test_every_count_in_words(counts: tuple[int, int, int, int], words: str) -> None:
    assert counted(pair_reading("worker-0", "worker-1", **_ends(*counts))) == words
    assert counted(pair_reading("worker-0", "worker-1", at_source=_ends(*counts)["at_source"])) == ""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"round_trip": 0.25}, "0.2 ms"),
        ({"round_trip": None}, "answered"),
        ({"received": 1}, "1 of 3 answered"),
        ({"received": 0}, "no answer"),
        ({"received": 0, "sent": 0, "problem": "no pod"}, "not tested: no pod"),
    ],
)
def test_a_pair_in_a_few_words(given: dict[str, object], words: str) -> None:
    assert pair_words(pair_reading("worker-0", "worker-1", **given)) == words


def test_counters_count_from_the_reading_before() -> None:
    before, after = Counters(1, 2, 3, 4), Counters(11, 22, 33, 44)
    assert after.since(before) == Counters(10, 20, 30, 40)


def test_a_pair_is_found_by_its_direction() -> None:
    seen = proof(*ALL)
    assert seen.pair("worker-1", "worker-0") is next(p for p in ALL if (p.source, p.target) == ("worker-1", "worker-0"))
    assert seen.pair("worker-1", "worker-9") is None


def test_what_was_not_tested_alone_is_explained_by_the_pair_that_was() -> None:
    """Unless its own tables explain it: then the other's counters are not its own."""
    of = cluster()
    tested = pair_reading("worker-0", "worker-1", received=0, alone=True, **_ends(3, 3, 3, 0))
    same = pair_reading("worker-0", "worker-2", received=0, target_address=ip("10.200.2.254"), same_as=NAMES[:2])
    for table, layer in (
        ([pod_route(1), pod_route(2)], Layer.NETWORK_BACK),
        ([pod_route(1), pod_route(2, via=1)], Layer.ROUTE),
    ):
        hosts = {"worker-0": facts(of.node("worker-0"), table)}
        seen = Proof(planning.make(of, bare_facts(of) | hosts), (), (same, tested), facts=hosts)
        assert explain(seen, same).layer is layer
        assert explain(seen, tested).layer is Layer.NETWORK_BACK
        lines = explanations(seen)
        assert any(line.startswith("worker-0 → worker-1: Something between the nodes drops replies") for line in lines)
        assert ("    The same: worker-0 → worker-2." in lines) is (layer is Layer.NETWORK_BACK)


def test_many_pairs_of_one_cause_are_counted_not_listed() -> None:
    names = [f"worker-{n}" for n in range(20)]
    first = pair_reading("worker-3", "worker-4", received=0, alone=True, **_ends(3, 0, 0, 0))
    rest = [
        pair_reading("worker-3", b, received=0, same_as=("worker-3", "worker-4"))
        for b in names
        if b not in ("worker-3", "worker-4")
    ]
    assert "    The same: 18 other pairs, all of worker-3." in explanations(proof(first, *rest))
    other = pair_reading("worker-7", "worker-8", received=0, same_as=("worker-3", "worker-4"))
    assert "    The same: 19 other pairs." in explanations(proof(first, *rest, other))


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ((), "Not yet on worker-0: forwarding is off until the first pod starts. Nothing to do."),
        ((Pod("cni-1", ip("10.200.0.2")),), "Forwarding is off on worker-0, in spite of pods there"),
    ],
)
def test_forwarding_that_is_off_is_nothing_to_wait_for_where_there_are_pods(pods: tuple[Pod, ...], words: str) -> None:
    of = cluster()
    refused = [ForwardingCheck("worker-0", f"worker-{n}", net(f"10.200.{n}.0/24"), False, "") for n in (1, 2)]
    fine = ForwardingCheck("worker-1", "worker-0", net("10.200.0.0/24"), True, "via")
    hosts = {n.name: facts(n, ip_forward=n.name != "worker-0", pods=pods) for n in of.workers}
    lines = explanations(Proof(planning.make(of, hosts), (*refused, fine), (), facts=hosts))
    assert [line.startswith(words) for line in lines] == [True]


def test_a_kernels_reason_is_given_once_however_many_pod_cidrs_it_is_about() -> None:
    """Of the reverse path filter of one worker, and of one route of another that is missing."""

    def no(source: str, target: int, words: str) -> ForwardingCheck:
        return ForwardingCheck(source, f"worker-{target}", net(f"10.200.{target}.0/24"), False, words)

    filtered = [no("worker-0", n, "RTNETLINK answers: Invalid cross-device link") for n in range(1, 12)]
    lost = no("worker-1", 2, "RTNETLINK answers: Network is unreachable")
    fine = ForwardingCheck("worker-1", "worker-0", net("10.200.0.0/24"), True, "via")
    assert list(of_verdicts([*filtered, fine, lost], {})) == [
        "worker-0 would not forward to the pod CIDRs of worker-1…11: the reverse path filter (rp_filter) drops packets "
        "of that source on that interface.",
        "worker-1 would not forward to 10.200.2.0/24 (worker-2): it has no route to it.",
    ]


tables = st.lists(
    st.tuples(st.sampled_from(["10.200.0.0/16", "10.200.1.0/24", "10.200.1.128/25", "10.200.1.254/32", "0.0.0.0/0"]),
              st.sampled_from([0, 5, 9])),
    max_size=8,
)  # fmt: skip


@given(tables, st.sampled_from(["10.200.1.254", "10.200.1.1", "10.200.2.9", "192.0.2.1"]))
def test_the_longest_prefix_wins_and_then_the_smallest_metric(rows: list[tuple[str, int]], address: str) -> None:
    """And of several that are alike the first, as in the kernel's own order."""
    routes = [Route(net(prefix), ip(f"192.0.2.{n}"), "eth0", metric=metric) for n, (prefix, metric) in enumerate(rows)]
    host = replace(facts(cluster().node("worker-0")), routes=tuple(routes))
    through = [r for r in routes if ip(address) in r.prefix]
    expected = max(through, key=lambda r: (r.prefix.prefixlen, -r.metric), default=None)
    assert HostTable(host, None).best(ip(address)) is expected
