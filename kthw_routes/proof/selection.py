"""Which of many pairs that failed are tested by themselves, and for which others each of them stands. Pure."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

Pair = tuple[str, str]
"""A worker that sends, and the one that is to answer."""

MAX_ALONE: Final = 12
"""Pairs that are tested by themselves."""


def representatives(failed: Mapping[Pair, Hashable], workers: Sequence[str], limit: int) -> dict[Pair, Pair]:
    """Choose pairs to test by themselves; return for each pair that failed the one that stands for it.

    One pair stands for all that failed for the same known cause and begin, or end, at one of its workers: so a worker
    that nobody reaches, and that reaches nobody, is tested once as the source and once as the target.

    Args:
        failed: the pairs, each with what is known of its cause.
        workers: all workers, in order.
        limit: how many pairs may be chosen. What is beyond it is given to one of the same cause, if any.
    """
    place = {name: number for number, name in enumerate(workers)}
    chosen: dict[Pair, Pair] = {}
    left = dict(failed)
    sources, targets = Counter[str](), Counter[str]()

    def cost(pair: Pair) -> tuple[int, int]:
        """Prefer ends that have no pair yet, so that few rounds are needed; then the next target in a circle."""
        return sources[pair[0]] + targets[pair[1]], (place[pair[1]] - place[pair[0]]) % len(place)

    for _ in range(limit):
        roles = Counter(role for pair, cause in left.items() for role in ((cause, 0, pair[0]), (cause, 1, pair[1])))
        if not roles:
            return chosen
        (cause, end, worker), _ = roles.most_common(1)[0]
        members = [pair for pair, its in left.items() if its == cause and pair[end] == worker]
        best = min(members, key=cost) if end == 0 else min(members, key=lambda pair: sources[pair[0]])
        sources[best[0]] += 1
        targets[best[1]] += 1
        for pair in members:
            chosen[pair] = best
            del left[pair]
    tested = list(dict.fromkeys(chosen.values()))
    for pair, cause in left.items():
        alike = [t for t in tested if failed[t] == cause]
        if alike:
            chosen[pair] = max(alike, key=lambda t: (t[0] == pair[0]) + (t[1] == pair[1]))
    return chosen


def in_rounds(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """Put pairs into rounds in which no worker sends or receives twice.

    Within a round the counters of an end change by one pair's packets only.
    """
    rounds: list[list[Pair]] = []
    for pair in pairs:
        for one in rounds:
            if all(pair[0] != source and pair[1] != target for source, target in one):
                one.append(pair)
                break
        else:
            rounds.append([pair])
    return rounds
