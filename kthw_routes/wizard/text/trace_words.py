"""What the view of a packet's way says: the verdict, and of the hop in focus its value, its command and why. Pure."""

from collections.abc import Iterator

from kthw_routes.teaching.hops import Hop, Passage, Trace
from kthw_routes.wizard.themes import dim
from kthw_routes.words import Tone, Words

_PASSED = {
    Passage.PASSES: ("passes", Tone.GOOD),
    Passage.STOPS: ("stops here", Tone.BAD),
    Passage.MAY_STOP: ("may stop here", Tone.WARNING),
    Passage.NOT_REACHED: ("not reached", Tone.QUIET),
}


def verdict(trace: Trace) -> Words:
    """Return how far the packet comes."""
    if trace.arrives:
        return Words(f"✓ {trace.verdict}", Tone.GOOD)
    return Words(f"✗ {trace.verdict} (·: not reached)", Tone.BAD)


def detail(trace: Trace, hop: Hop) -> Iterator[Words | str]:
    """Yield what was read at a hop, what shows it, and what it is for; where the packet stops, the cause."""
    word, tone = _PASSED[hop.passage]
    packet = "reply" if hop.is_back else "request"
    yield Words(f"{hop.host or 'Between the nodes'}: {hop.kind}", Tone.NEW)
    yield Words(f"\n{hop.passage.mark} the {packet} {'is ' if hop.passage is Passage.NOT_REACHED else ''}{word}", tone)
    yield f"\n{hop.value}"
    if hop.command:
        yield Words(f"\n$ {hop.command}", Tone.NEW)
    if hop is trace.stop and trace.cause is not None:
        cause = trace.cause
        yield f"\n\n{cause.sentence}"
        yield dim(f"\nTo see it: {cause.shows}")
        yield f"\n{cause.fix}" if cause.fix is not None else ""
    else:
        yield dim(f"\n\n{hop.why}")
