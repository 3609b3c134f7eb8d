"""A drill as a pure value: the fault, what it may be, the hints, the repair. Texts have no more blanks to fill in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kthw_routes.teaching.lesson import Answer

HINTS: Final = 3
"""How many hints a drill has: where to look, what to look at, what it is."""

Commands = Mapping[str, tuple[str, ...]]
"""What is typed on which node, by the node's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One fault to find.

    Attributes:
        name: what the person types to pick it; it does not say what the fault is.
        title: the symptom in one line.
        story: the symptom as somebody tells it who has it.
        region: the lab's region, in which a provider may filter.
        has_pods: whether pods run, as the fault shows only then.
        fault: the commands that put it in.
        moved: workers that have another internal address by now, with that address.
        answers: what it may be.
        hints: three, each says more than the one before.
        solution: the commands that repair it; none where nothing on the nodes can.
        explanation: what it was and how one sees it, for afterwards.
        reports: what the check reports as long as the fault is there, and in no other place.
    """

    name: str
    title: str
    story: str
    region: str
    has_pods: bool
    fault: Commands
    moved: Mapping[str, str] = field(default_factory=dict)
    answers: tuple[Answer, ...]
    hints: tuple[str, ...]
    solution: Commands
    explanation: str
    reports: frozenset[str]

    @property
    def is_repairable(self) -> bool:
        """Whether something on the nodes repairs it; else it is to be recognised only."""
        return bool(self.solution)

    @property
    def right(self) -> int:
        """The number of the right answer, from 1."""
        return next(number for number, answer in enumerate(self.answers, start=1) if answer.is_right)
