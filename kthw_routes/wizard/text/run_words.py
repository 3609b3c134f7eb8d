"""What *Run* says: how far it is, what comes next while presenting, what a host came to, what quitting means. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from kthw_routes.events import HostOutcome, HostState
from kthw_routes.node_names import shortened
from kthw_routes.plan.changes import HostPlan
from kthw_routes.wizard.themes import dim
from kthw_routes.words import Tone, Words, count, state_tone

_MAX_COMMANDS: Final = 4
"""Commands that are shown of a host that is held back."""

States = Mapping[str, tuple[HostState, str]]
"""Host -> its state, and what is said of it; empty where the state is enough."""


def headline(states: States, undoes: str, *, is_presenting: bool) -> Words | str:
    """Return the first line. `undoes`: the run that is undone, empty where none is."""
    ended = sum(1 for state, _ in states.values() if state.is_final)
    amount = f"{ended} of {count(len(states), 'host')} ended"
    if failed := [name for name, (state, _) in states.items() if state_tone(state) is Tone.BAD]:
        return Words(f"✗ Not done on {shortened(failed)}. {amount}. A failure stops only its own host.", Tone.BAD)
    if undoes:
        return f"Undoing run {undoes}. {amount}. Later changes stay untouched."
    if is_presenting:
        return f"{amount}. Presenting: the run stops before each host's change."
    full = 12 * ended // len(states) if states else 0
    return f"{amount}. A failure stops only its own host. {'━' * full}{'─' * (12 - full)}"


def held_back(host: str, plan: HostPlan | None) -> Iterator[Words | str]:
    """Yield what comes next, while the run is held back before this host."""
    yield Words(f"Next: {host}. Space changes it, p lets all others go on.", Tone.NEW)
    for command in plan.commands[:_MAX_COMMANDS] if plan else ():
        yield f"\n$ {command.partition(chr(10))[0]}"


def ending(state: HostState, text: str, outcome: HostOutcome | None, *, can_retry: bool) -> Iterator[Words | str]:
    """Yield what went wrong on a host, and the one thing to do; nothing where all is well or under way."""
    if text and state.is_final and state_tone(state) is not Tone.GOOD:
        yield Words(text if text.endswith(".") else f"{text}.", state_tone(state))
        yield dim(f" {outcome.hint}" if outcome is not None and outcome.hint else "")
        yield Words(" t retries." if can_retry else "", Tone.NEW)


def quitting(states: States) -> str:
    """Return what quitting in the middle of the run would leave."""
    done = [n for n, (s, _) in states.items() if s in (HostState.DONE, HostState.NOTHING_TO_DO)]
    begun = [n for n, (s, _) in states.items() if not s.is_final and s is not HostState.WAITING]
    rest = [n for n, (s, _) in states.items() if s is HostState.WAITING]
    failed = [n for n, (s, _) in states.items() if s.is_final and n not in done]
    parts = (("Done", done), ("Started, cut off", begun), ("Not started, unchanged", rest), ("Not done", failed))
    lines = [f"{title}: {', '.join(names)}." for title, names in parts if names]
    return "\n".join([*lines, "", "The transcript lists the undo command of each change."])
