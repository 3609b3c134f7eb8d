"""The question of the review, whether the routes shall survive a reboot: its answers, and what stands behind each."""

from collections.abc import Iterator, Mapping
from typing import Final

from kthw_routes.findings.hosts import names_of
from kthw_routes.findings.plan import ends_at_reboot
from kthw_routes.persistence.model import Choice, Persist
from kthw_routes.plan import compare as planning
from kthw_routes.wizard.themes import dim
from kthw_routes.words import Tone, Words, count
from kthw_routes.workflow.results import Review

NO, AUTO, BY_NAME = range(3)
"""The answers, in their order."""
REFUSAL: Final = "say whether the routes shall survive a reboot; Space chooses."

_NO: Final = (
    "Nothing new is written. At the next reboot the routes are gone, and pods on different workers no longer reach "
    "each other. A file of ours that stands on a host already is kept right all the same."
)
_BY_NAME: Final = "One manager for all hosts. Where it does not rule, it is refused, and said. Enter chooses it."
_HELD: Final = "On each host a file is written that fits what rules its network: its row shows all of its text."


def index_of(persist: Persist | None) -> int | None:
    """The answer that is ticked; None: none is."""
    if persist is None:
        return None
    return {Persist.NONE: NO, Persist.AUTO: AUTO}.get(persist, BY_NAME)


def is_applicable(review: Review) -> bool:
    """Whether there are any routes to hold."""
    return any(c.next_hop is not None for h in review.plan.hosts for c in h.routes)


def wants_answer(review: Review) -> bool:
    """Whether the question must be answered before the run: routes would end at a reboot, and something is run."""
    unanswered = review.options.persist is None
    return unanswered and not review.plan.is_empty and any(ends_at_reboot(h) for h in review.plan.hosts)


def found(review: Review) -> Mapping[str, Choice]:
    """Host -> what `auto` takes there, of the hosts that get routes."""
    facts = review.inspection.facts
    return {
        h.node: planning.what_auto_takes(h, facts[h.node])
        for h in review.plan.hosts
        if any(c.next_hop is not None for c in h.routes)
    }


def answers(review: Review) -> tuple[tuple[str, str], ...]:
    """The answers: a title and what to say beside it."""
    persist = review.options.persist
    manager = persist.manager if persist else None
    by_name = f"Yes, by {manager} on every host" if manager else "Yes, by another manager …"
    return (
        ("No, they end at the next reboot", ""),
        ("Yes, as found on each host (auto)", _in_short(found(review))),
        (by_name, "Enter chooses another" if manager else ""),
    )


def _in_short(choices: Mapping[str, Choice]) -> str:
    numbers: dict[str, int] = {}
    for choice in choices.values():
        word = str(choice.manager) if choice.manager else "✗ cannot"
        numbers[word] = numbers.get(word, 0) + 1
    if len(numbers) == 1:
        word = next(iter(numbers))
        return f"{word} on {'all ' if len(choices) > 1 else ''}{count(len(choices), 'host')}"
    return ", ".join(f"{word} on {number}" for word, number in numbers.items())


def detail(review: Review, answer: int) -> Iterator[Words | str]:
    """What stands behind one of the answers."""
    if answer == NO:
        yield dim(_NO)
        return
    if answer == BY_NAME:
        yield dim(_BY_NAME)
        persist = review.options.persist
        if persist is not None and persist.manager is not None:
            yield from _of({h.node: h.persistence for h in review.plan.hosts if h.persistence}, "\n")
        return
    yield from _of(found(review), "")
    yield dim(f"\n{_HELD}" if index_of(review.options.persist) == AUTO else "")


def _of(choices: Mapping[str, Choice], before: str) -> Iterator[Words | str]:
    """What was found, hosts with the same finding together."""
    same: dict[Choice, list[str]] = {}
    for host, choice in choices.items():
        same.setdefault(choice, []).append(host)
    for number, (choice, hosts) in enumerate(same.items()):
        names = names_of(hosts, len(choices), "hosts")
        begin = "\n" if number else before
        if choice.manager is None:
            yield Words(f"{begin}✗ {names}: ", Tone.BAD)
            yield choice.problem or choice.reason
        else:
            yield Words(f"{begin}{choice.manager}", Tone.NEW)
            yield f" on {names}: {choice.reason}"
