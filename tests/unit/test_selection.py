"""Which pairs that failed are tested by themselves, and for which others they stand."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.proof.selection import MAX_ALONE, Pair, in_rounds, representatives

NAMES = [f"worker-{n}" for n in range(50)]

failures = st.dictionaries(
    st.sampled_from(list(permutations(NAMES[:7], 2))), st.sampled_from(["", "no route"]), max_size=42
)


@given(failures, st.integers(1, MAX_ALONE))
def test_a_pair_stands_for_others_of_its_cause_and_for_itself(failed: dict[Pair, str], limit: int) -> None:
    chosen = representatives(failed, NAMES, limit)
    tested = set(chosen.values())
    assert len(tested) <= limit
    assert all(chosen[pair] == pair for pair in tested)
    assert all(failed[pair] == failed[stand_in] for pair, stand_in in chosen.items())
    if len(tested) < limit:
        assert chosen.keys() == failed.keys()
        for pair, stand_in in chosen.items():
            assert pair[0] == stand_in[0] or pair[1] == stand_in[1]


@given(st.lists(st.sampled_from(list(permutations(NAMES[:6], 2))), unique=True))
def test_every_pair_once_and_nobody_twice_in_a_round(pairs: list[Pair]) -> None:
    rounds = in_rounds(pairs)
    assert sorted(pair for one in rounds for pair in one) == sorted(pairs)
    for one in rounds:
        assert len({a for a, _ in one}) == len({b for _, b in one}) == len(one)


def test_a_worker_that_is_cut_off_is_tested_once_in_each_direction() -> None:
    failed = {pair: "" for pair in permutations(NAMES, 2) if NAMES[17] in pair}
    chosen = representatives(failed, NAMES, MAX_ALONE)
    tested = set(chosen.values())
    assert sorted((a == NAMES[17], b == NAMES[17]) for a, b in tested) == [(False, True), (True, False)]
    assert len(in_rounds(tested)) == 1
    assert all((pair[0] == NAMES[17]) is (stand_in[0] == NAMES[17]) for pair, stand_in in chosen.items())


def test_of_three_workers_that_are_all_cut_off_each_sends_and_answers_in_one_round() -> None:
    tested = set(representatives(dict.fromkeys(permutations(NAMES[:3], 2), ""), NAMES[:3], MAX_ALONE).values())
    assert {a for a, _ in tested} == {b for _, b in tested} == set(NAMES[:3])
    assert len(in_rounds(tested)) == 1


def test_of_many_workers_that_are_all_cut_off_as_many_as_allowed_are_tested_side_by_side() -> None:
    failed = dict.fromkeys(permutations(NAMES, 2), "")
    chosen = representatives(failed, NAMES, MAX_ALONE)
    assert len(set(chosen.values())) == MAX_ALONE
    assert len(in_rounds(set(chosen.values()))) == 1
    assert chosen.keys() == failed.keys(), "the rest is the same"


def test_two_causes_of_one_worker_are_tested_apart() -> None:
    failed = {(NAMES[0], target): "no route" if target == NAMES[3] else "" for target in NAMES[1:6]}
    assert set(representatives(failed, NAMES, MAX_ALONE).values()) == {(NAMES[0], NAMES[1]), (NAMES[0], NAMES[3])}


def test_pairs_are_chosen_so_that_they_fit_into_one_round() -> None:
    a, b, c, d = NAMES[:4]
    tested = set(representatives(dict.fromkeys([(a, c), (a, d), (b, c), (b, d)], ""), NAMES, MAX_ALONE).values())
    assert len(tested) == 2
    assert len(in_rounds(tested)) == 1
