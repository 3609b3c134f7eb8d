"""The question of the review: keep the routes after a reboot? Its answers, and what each means."""

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
REFUSAL: Final = "To continue: keep the routes after a reboot, or not? Space chooses."

_NO: Final = (
    "No new file is written. The next reboot deletes the routes, and pods on different workers no longer reach each "
    "other. A kthw-routes file from an earlier run is still kept up to date."
)
_BY_NAME: Final = "Enter chooses one program for all hosts. A host that it does not manage is reported."
_KEPT: Final = "Each host gets a file for the program that manages its network. Its row below shows the whole text."


def find_index(persist: Persist | None) -> int | None:
    """Return the answer that is ticked; None: none is."""
    if persist is None:
        return None
    return {Persist.NONE: NO, Persist.AUTO: AUTO}.get(persist, BY_NAME)


def is_applicable(review: Review) -> bool:
    """Return whether there are any routes to keep."""
    return any(c.next_hop is not None for h in review.plan.hosts for c in h.routes)


def wants_answer(review: Review) -> bool:
    """Return whether the run needs the answer: routes would end at a reboot, and something is run."""
    unanswered = review.options.persist is None
    return unanswered and not review.plan.is_empty and any(ends_at_reboot(h) for h in review.plan.hosts)


def find_choices(review: Review) -> Mapping[str, Choice]:
    """Return what `auto` chooses on each host that gets routes."""
    facts = review.inspection.facts
    return {
        h.node: planning.what_auto_takes(h, facts[h.node])
        for h in review.plan.hosts
        if any(c.next_hop is not None for c in h.routes)
    }


def list_answers(review: Review) -> tuple[tuple[str, str], ...]:
    """Return the answers: a title, and the words next to it."""
    persist = review.options.persist
    manager = persist.manager if persist else None
    by_name = f"Yes, with {manager} on every host" if manager else "Yes, with a program that I choose …"
    return (
        ("No, a reboot deletes them", ""),
        ("Yes, in a file on each host", _count_managers(find_choices(review))),
        (by_name, "Enter chooses another" if manager else ""),
    )


def _count_managers(choices: Mapping[str, Choice]) -> str:
    numbers: dict[str, int] = {}
    for choice in choices.values():
        word = str(choice.manager) if choice.manager else "✗ not possible" if choice.problem else "no file"
        numbers[word] = numbers.get(word, 0) + 1
    if len(numbers) == 1:
        word = next(iter(numbers))
        return f"{word} on {'all ' if len(choices) > 1 else ''}{count(len(choices), 'host')}"
    return ", ".join(f"{word} on {number}" for word, number in numbers.items())


def explain(review: Review, answer: int) -> Iterator[Words | str]:
    """Explain one of the answers."""
    if answer == NO:
        yield dim(_NO)
        return
    if answer == BY_NAME:
        yield dim(_BY_NAME)
        persist = review.options.persist
        if persist is not None and persist.manager is not None:
            yield from _of({h.node: h.persistence for h in review.plan.hosts if h.persistence}, "\n")
        return
    yield from _of(find_choices(review), "")
    yield dim(f"\n{_KEPT}" if find_index(review.options.persist) == AUTO else "")


def _of(choices: Mapping[str, Choice], before: str) -> Iterator[Words | str]:
    """Explain what was chosen, hosts with the same choice together."""
    same: dict[Choice, list[str]] = {}
    for host, choice in choices.items():
        same.setdefault(choice, []).append(host)
    for number, (choice, hosts) in enumerate(same.items()):
        names = names_of(hosts, len(choices), "hosts")
        begin = "\n" if number else before
        if choice.problem is not None:
            yield Words(f"{begin}✗ {names}: ", Tone.BAD)
            yield choice.problem
        elif choice.manager is None:
            yield Words(f"{begin}no file", Tone.GOOD)
            yield f" on {names}: {choice.reason}"
        else:
            yield Words(f"{begin}{choice.manager}", Tone.NEW)
            yield f" on {names}: {choice.reason}"
