"""The one stream of events: what happens on hosts and at the API, as it happens.

The wizard draws events, the command line prints them, the record stores them. None of them decides anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class Phase(StrEnum):
    """The part of the work that an event belongs to."""

    FIND = "find"
    CHECKS = "checks"
    RUN = "run"
    PROOF = "proof"


class HostState(StrEnum):
    """The state of a host. The values are the words that people read."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    READING = "reading"
    CHANGING = "changing"
    READING_BACK = "sent, reading back"
    PROBING = "probing"
    # how a host can end
    READ = "read"
    DONE = "done"
    NOTHING_TO_DO = "nothing to do"
    NOT_STARTED = "not started"
    FAILED = "failed"
    NOT_CONFIRMED = "sent, not confirmed"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens on this host in this step."""
        return self in _FINAL


_FINAL = frozenset(
    {
        HostState.READ,
        HostState.DONE,
        HostState.NOTHING_TO_DO,
        HostState.NOT_STARTED,
        HostState.FAILED,
        HostState.NOT_CONFIRMED,
        HostState.SKIPPED,
    }
)


class EventKind(StrEnum):
    """What an event is about."""

    STATE = "state"  # `state` is set; `text` may say more
    COMMAND = "command"  # a command line as one would type it
    OUTPUT = "output"  # a line that the host wrote to stdout
    ERROR = "error"  # a line that the host wrote to stderr
    NOTE = "note"  # a sentence of ours


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `text` is one line, already free of control bytes."""

    step: Phase
    kind: EventKind
    text: str
    host: str | None = None
    """The node's name; None for the API and for the run as a whole."""
    state: HostState | None = None
    time: datetime = field(default_factory=now)
    """When, in UTC."""


Emit = Callable[[Event], None]
"""Takes an event; called from many threads; never blocks, never raises."""


def discard(_event: Event) -> None:
    """Take an event as an `Emit` that does not listen."""


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """How one host ended."""

    node: str
    state: HostState
    sentence: str = ""
    """What to report of it; empty where the state is enough."""
    hint: str = ""
    failed_rows: Mapping[str, str] = field(default_factory=dict)
    """Row (a prefix, or a name in /etc/hosts) -> the host's own words."""
    changes_sent: int = 0

    @property
    def unrecorded(self) -> "HostOutcome":
        """The same where it could not be recorded how the host ended; what was to be done is on record."""
        if not self.changes_sent:
            return self
        words = f"{self.node} was changed; the record of how it ended could not be written."
        return replace(self, sentence=f"{self.sentence} {words}".strip())

    def after(self, earlier: "HostOutcome") -> "HostOutcome":
        """Add the try before to this one: what was sent then counts, and is done if nothing is left to do."""
        if not earlier.changes_sent:
            return self
        state = HostState.DONE if self.state is HostState.NOTHING_TO_DO else self.state
        return replace(self, state=state, changes_sent=max(self.changes_sent, earlier.changes_sent))
