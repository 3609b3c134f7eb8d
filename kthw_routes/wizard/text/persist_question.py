"""The question of the review: keep the routes after a reboot? Its answers, and what each means."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
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
    "No new file is written. Pods on different workers reach each other until the next reboot of any worker. A "
    "kthw-routes file from an earlier run is still kept up to date."
)
_AUTO: Final = "Each host gets a file for the program that manages its network; Files shows the whole text of each."
_BY_NAME: Final = "Enter chooses one program for all hosts. A host that it does not manage is reported."


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


def list_answers(review: Review, width: int) -> tuple[tuple[str, str], ...]:
    """Return the answers: a title, and what it means in lines of at most `width` characters."""
    persist = review.options.persist
    manager = persist.manager if persist else None
    by_name = f"Yes, with {manager} on every host" if manager else "Yes, with a program that I choose …"
    answers = (
        ("No, a reboot deletes them", _NO),
        (f"Yes, in a file on each host ({_count_managers(find_choices(review))})", _AUTO),
        (by_name, _BY_NAME),
    )
    return tuple(
        (title, "".join(f"\n    {line}" for line in wrap(words, max(20, width - 5)))) for title, words in answers
    )


def in_short(review: Review, width: int) -> str:
    """Return the answer, and the keys that choose another, in one line of at most `width` characters."""
    kept = _answer(review)
    keys = ("b changes this, o more options", "b changes, o options", "b, o") if kept else ("o: more options",)
    fitting = next((f"   {words}" for words in keys if len(kept) + 3 + len(words) <= width), "")
    return f"{kept}{fitting}".strip()


def _answer(review: Review) -> str:
    number = find_index(review.options.persist)
    if number is None or not is_applicable(review):
        return ""
    if number == NO:
        return "After a reboot: not kept by a new file."
    if number == AUTO:
        return f"After a reboot: kept, {_count_managers(find_choices(review))}."
    manager = review.options.persist.manager if review.options.persist else None
    return f"After a reboot: kept with {manager} where that manages the host."


def _count_managers(choices: Mapping[str, Choice]) -> str:
    numbers: dict[str, int] = {}
    for choice in choices.values():
        word = str(choice.manager) if choice.manager else "✗ not possible" if choice.problem else "no file"
        numbers[word] = numbers.get(word, 0) + 1
    if len(numbers) == 1:
        word = next(iter(numbers))
        return f"{word} on {'all ' if len(choices) > 1 else ''}{count(len(choices), 'host')}"
    return ", ".join(f"{word} on {number}" for word, number in numbers.items())


def explain(review: Review) -> Iterator[Words | str]:
    """Explain what was found on each host, hosts with the same finding together."""
    yield dim("Found:\n")
    yield from _of(find_choices(review), "")
    persist = review.options.persist
    if persist is not None and persist.manager is not None:
        yield dim(f"\nWith {persist.manager} on every host:\n")
        yield from _of({h.node: h.persistence for h in review.plan.hosts if h.persistence}, "")


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
