"""The proof's way through its phases: all pairs at once, some by themselves, and what is concluded where one fails."""

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from kthw_routes.hosts import programs
from kthw_routes.proof.causes import Layer
from kthw_routes.proof.diagnosis import explain
from kthw_routes.proof.readings import Counters, NodesReading, Proof
from kthw_routes.proof.selection import MAX_ALONE, Pair

from .workers import World


@pytest.fixture(params=[8, 1], ids=["side by side", "one after the other"])
def parallel(request: pytest.FixtureRequest) -> int:
    """How many hosts are worked on at once."""
    return int(request.param)


def test_pairs_that_all_answer_are_proved_at_once(parallel: int) -> None:
    world = World(4)
    found = world.prove(parallel)
    assert len(found.pairs) == 12
    assert all(pair.ok and not pair.alone for pair in found.pairs)
    assert world.alone == []
    assert world.at_once == [3] * 4
    assert set(found.counters.values()) == {Counters(9, 9, 9, 9)}
    assert set(world.execs.values()) == {3}, "prepare, ping, clear away"
    assert not any(world.probes.values())


def test_a_worker_that_is_cut_off_is_pinged_twice_more(parallel: int) -> None:
    world = World(20, lambda a, b, _: "worker-7" not in (a, b))
    found = world.prove(parallel)
    failed = [pair for pair in found.pairs if not pair.ok]
    assert len(failed) == 38
    assert sorted((a == "worker-7", b == "worker-7") for a, b in world.alone) == [(False, True), (True, False)]
    for pair in failed:
        assert pair.alone is ((pair.source, pair.target) in world.alone)
        assert pair.alone or pair.same_as in world.alone
        assert pair.alone == (pair.at_source is not None)
        if pair.at_source is not None:
            assert (pair.at_source.requests_out, pair.at_source.replies_in) == (3, 0)
        assert (
            explain(Proof(world.known.plan, (), found.pairs, facts=world.known.facts), pair).layer is Layer.NETWORK_OUT
        )
    for name, count in world.execs.items():  # who pings alone has two more: it does, and what it counted is read
        assert count <= 4 + sum((a == name) + 1 for a, b in world.alone if name in (a, b)), name


def test_what_a_busy_machine_lost_is_tested_again(parallel: int) -> None:
    """Nothing from worker-2 was answered at first; alone all is well, so nothing is said of the others unseen."""
    world = World(6, lambda a, _, number: a != "worker-2" or number > 0)
    found = world.prove(parallel)
    assert all(pair.ok for pair in found.pairs)
    assert len(world.alone) == 1
    assert [pair.alone for pair in found.pairs if pair.source == "worker-2"].count(True) == 1
    assert world.at_once[-1] == 4


def test_where_nobody_answers_no_more_than_the_limit_are_tested_alone(parallel: int) -> None:
    world = World(15, lambda *_: False)
    found = world.prove(parallel)
    assert len(world.alone) == len(set(world.alone)) == MAX_ALONE
    assert all(pair.alone or pair.same_as in world.alone for pair in found.pairs)


def test_a_network_that_loses_whatever_is_sent_at_once_comes_to_an_end() -> None:
    """Each pair that is tested alone answers, so the others are tested again, and fail again: not for ever."""
    world = World(15)
    world.answers = lambda a, b, _: (a, b) in world.alone
    found = world.prove()
    assert len(world.alone) == MAX_ALONE
    assert [(pair.source, pair.target) for pair in found.pairs if pair.ok] == sorted(world.alone, key=world.place)
    assert not any(pair.same_as for pair in found.pairs), "nothing failed alone, so nothing is the same as it"


def test_what_the_tables_explain_does_not_stand_for_what_they_do_not() -> None:
    world = World(5, lambda a, _b, _n: a != "worker-0")
    world.astray = {("worker-0", "worker-3"): 1}
    found = {(p.source, p.target): p for p in world.prove().pairs}
    assert set(world.alone) == {("worker-0", "worker-1"), ("worker-0", "worker-3")}
    assert found["worker-0", "worker-4"].same_as == ("worker-0", "worker-1")


def expire(world: World) -> None:
    """Take worker-1's probe address away."""
    world.probes["worker-1"].clear()


def test_a_probe_address_that_expired_is_put_there_again() -> None:
    world = World(5)
    world.after_together = lambda w: expire(w) if len(w.at_once) == 1 else None
    assert all(pair.ok for pair in world.prove(1).pairs)


def test_where_a_probe_address_does_not_live_nothing_is_said_of_its_pairs() -> None:
    world = World(3)
    world.mortal = "worker-1"
    found = {(p.source, p.target): p for p in world.prove(1).pairs}
    assert [pair for pair, reading in found.items() if reading.ok] == [
        ("worker-0", "worker-2"),
        ("worker-2", "worker-0"),
    ]
    for other in ("worker-0", "worker-2"):
        assert found[other, "worker-1"].problem == "worker-1 lost its probe address meanwhile"
        assert found["worker-1", other].problem == "worker-1 has lost 10.200.1.254"


@pytest.mark.parametrize("full", ["worker-0", "worker-1"])
def test_a_full_neighbour_table_at_either_end_is_no_filter_of_the_provider(full: str) -> None:
    world = World(2, lambda a, _b, _n: a == "worker-1")

    def answers(source: str, _target: str, _number: int) -> bool:
        world.full[full] += source == "worker-0"
        return source == "worker-1"

    world.answers = answers
    found = world.prove()
    (failed,) = (pair for pair in found.pairs if not pair.ok)
    assert failed.full_table == full
    said_of_it = explain(replace(world.known, pairs=found.pairs), failed)
    assert said_of_it.layer is Layer.NEIGHBOURS
    assert said_of_it.sentence.startswith(f"{full}'s neighbour table is full")


def test_a_host_pings_no_more_than_so_many_at_once() -> None:
    count = programs.MAX_PINGS + 3
    world = World(count)
    assert all(pair.ok for pair in world.prove(32).pairs)
    assert Counter(world.at_once) == {programs.MAX_PINGS: count, 2: count}


@pytest.mark.parametrize(("workers", "parallel"), [(3, 32), (9, 2)])
def test_probe_addresses_live_as_long_as_all_pings_may_take(workers: int, parallel: int) -> None:
    """Each phase renews them, for at least the time limits of all pings that follow before the next does."""
    world = World(workers, lambda *_: False)
    world.prove(parallel)
    waves = -(-workers // parallel)
    first, renewed = world.lifetimes[:workers], world.lifetimes[workers:]
    assert min(first) > programs.PINGS_TIMEOUT * waves
    assert len(renewed) == workers
    rounds = max(Counter(a for a, _ in world.alone).values())
    assert min(renewed) > (programs.PINGS_TIMEOUT + rounds * programs.PING_TIMEOUT) * waves
    assert IPv4Address("10.200.0.254") not in world.probes["worker-0"]


@pytest.mark.parametrize(
    ("silent", "end"), [(("worker-0", "worker-1"), "worker-1"), (("worker-1", "worker-0"), "worker-0")]
)
@pytest.mark.parametrize("arrives", [True, False])
def test_a_next_hop_that_does_not_answer_is_no_filter_of_the_provider(silent: Pair, end: str, arrives: bool) -> None:
    """On the way back it is to blame only where the requests arrived: else there was nothing to send back."""
    world = World(2, lambda a, _b, _n: a == "worker-1")
    world.silent = {silent}
    world.arrive = {("worker-0", "worker-1")} if arrives else set()
    found = world.prove()
    (failed,) = (pair for pair in found.pairs if not pair.ok)
    explained = explain(replace(world.known, pairs=found.pairs), failed)
    is_known = silent[0] == "worker-0" or arrives
    assert explained.layer is (Layer.NEXT_HOP if is_known else Layer.NETWORK_OUT)
    assert explained.host == (end if is_known else None)
    assert ("provider" in explained.sentence) is not is_known


def test_what_ping_said_of_others_is_not_taken_for_the_one_of_which_nothing_arrived() -> None:
    world = World(3)
    world.lost = "10.200.2.254"
    assert all(pair.ok for pair in world.prove().pairs)
    assert {target for _, target in world.alone} == {"worker-2"}


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("arrives", [True, False])
def test_what_reaches_a_node_from_the_others_own_address_is_not_taken_for_the_pairs(apart: bool, arrives: bool) -> None:
    """The request between the internal addresses is counted by the same nodes as those of the pair."""
    world = World(2, lambda a, _b, _n: a == "worker-1")
    pair = ("worker-0", "worker-1")
    world.apart = {pair} if apart else set()
    world.arrive = {pair} if arrives else set()
    (failed,) = (reading for reading in world.prove().pairs if not reading.ok)
    assert failed.nodes == NodesReading(not apart, 3, 3 if arrives else 0)
    assert failed.at_source is not None
    assert (failed.at_source.requests_out, failed.at_source.replies_in) == (3, 0)
    assert failed.at_target is not None
    assert (failed.at_target.requests_in, failed.at_target.replies_out) == ((3, 3) if arrives else (0, 0))


def test_a_request_between_the_nodes_that_arrives_and_is_not_answered_is_not_the_pairs() -> None:
    world = World(2, lambda a, _b, _n: a == "worker-1")
    world.apart = world.unanswered = {("worker-0", "worker-1")}
    (failed,) = (reading for reading in world.prove().pairs if not reading.ok)
    assert failed.nodes == NodesReading(False, 3, 0)
    assert failed.at_target is not None
    assert failed.at_target.requests_in == 0


def test_a_pair_that_answers_alone_needs_no_more_pings(parallel: int) -> None:
    world = World(3, lambda a, _, number: a != "worker-2" or number > 0)
    assert all(pair.nodes is None for pair in world.prove(parallel).pairs)


@pytest.mark.parametrize("alone_too", [True, False])
def test_a_packet_as_large_as_the_ends_send_ends_each_pairs_test(alone_too: bool) -> None:
    """It is lost once more when the pair is tested by itself, or the others had only been in its way."""
    world = World(3)
    world.mtus = {"worker-0": 1500, "worker-1": 1400, "worker-2": 9000}
    world.too_small = lambda a, b, number: "worker-1" in (a, b) and (alone_too or number == 0)
    found = {(p.source, p.target): p for p in world.prove().pairs}
    assert found["worker-0", "worker-2"].full_size == 1500, "of pods to come nothing is known"
    assert found["worker-0", "worker-1"].full_size == 1400
    assert {pair for pair, reading in found.items() if reading.ok} >= {
        ("worker-0", "worker-2"),
        ("worker-2", "worker-0"),
    }
    assert all(reading.ok for reading in found.values()) is not alone_too
    for pair, reading in found.items():
        assert reading.is_narrow is (alone_too and "worker-1" in pair)


def test_who_said_first_that_a_packet_is_too_big_counts() -> None:
    """The sender's kernel remembers it, and says so itself from then on (measured)."""
    world = World(2)
    world.mtus = dict.fromkeys(("worker-0", "worker-1"), 1500)
    world.too_small = lambda a, _b, _n: a == "worker-0"
    first = "From 192.168.200.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)"
    world.told = {0: first, 1: "ping: local error: message too long, mtu=1400"}
    (failed,) = (reading for reading in world.prove().pairs if not reading.ok)
    assert failed.alone
    assert failed.full_size_lost == first
