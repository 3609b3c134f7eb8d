"""What every change has: the protocol that the rows of a host's plan keep, whatever they change. Pure.

A new kind of change is a module next to this one with a class that keeps the protocol, and a line in the planner that
adds its rows; how it is sent is a line in `hosts.send`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final, Protocol

BY_PRUNE: Final = "--prune removes it"
"""The end of the reason of a stale row. Who has another way to ask for it says that instead."""

BY_REPAIR: Final = "--repair fixes it"
"""The end of the reason of a row of an own pod CIDR that is overridden; see `BY_PRUNE`."""


class ChangeKind(StrEnum):
    """What becomes of one thing on one host. The values are the words that people read."""

    KEEP = "keep"
    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"
    FOREIGN = "foreign"
    """In the cluster CIDR, neither wanted nor ours: shown, left alone."""
    STALE = "stale"
    """Ours, of a worker that is no longer listed: left alone unless asked to remove it."""

    @property
    def is_change(self) -> bool:
        """Whether something is sent to the host for it."""
        return self in (ChangeKind.ADD, ChangeKind.REPLACE, ChangeKind.REMOVE)

    @property
    def mark(self) -> str:
        """One character for it; the word is always next to it."""
        return {"keep": "=", "add": "+", "replace": "!", "remove": "-", "foreign": "?", "stale": "~"}[self.value]


@dataclass(frozen=True, slots=True)
class Noun:
    """As what rows are counted: `3 names in /etc/hosts`."""

    singular: str
    where: str = ""
    """What follows it, with a space before."""
    rank: int = 4
    """The place of its count among the others."""


FILE: Final = Noun("file", rank=3)
"""As what files are counted, and what is not worth a count of its own."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One line that shows a row in full."""

    text: str
    label: str = ""
    """Such as `has`; empty for what is shown as it is: a command, a line of a file."""


class Change(Protocol):
    """One row of a host's plan: what becomes of one thing there, why, and the shell lines that do and undo it."""

    @property
    def kind(self) -> ChangeKind:
        """What becomes of it."""

    @property
    def key(self) -> str:
        """The row's name on its host, in outcomes and journals: a prefix, a worker, a path."""

    @property
    def title(self) -> str:
        """What the row is about, for people."""

    @property
    def short(self) -> str:
        """The same in a narrow cell."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def details(self) -> tuple[Detail, ...]:
        """What is there, what should be, and by which commands."""

    @property
    def commands(self) -> tuple[str, ...]:
        """The shell commands for root that apply it; one may have several lines."""

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """The shell commands for root that undo it, as long as nobody changed anything since."""

    @property
    def guarded_undo(self) -> tuple[str, ...]:
        """The lines of plain sh that undo it where it is still as the run left it, and do nothing elsewhere."""

    @property
    def compared(self) -> object:
        """What has to be, just before the change, as it was in the review."""

    def may_follow(self, reviewed: "Mapping[str, Change]") -> bool:
        """Return whether a try of what was reviewed, the rows by their keys, may have led from there to this row.

        It was compared with its row before: they differ, or there was none. What somebody else did is not ours.
        """

    @property
    def may_vanish(self) -> bool:
        """Whether a try of this row may have led to where there is no row of it any more."""

    @property
    def unmet(self) -> str | None:
        """What a host is said to lack where this row is still due after the run; None where that is no failure."""

    @property
    def noun(self) -> Noun:
        """As what it is counted."""

    @property
    def section(self) -> str:
        """The key under which documents for programs list it."""


class OfFile:
    """What rows have in common that are about one file."""

    __slots__ = ()
    path: PurePosixPath

    @property
    def key(self) -> str:
        """The path."""
        return str(self.path)

    title = key

    @property
    def short(self) -> str:
        """The file's name."""
        return self.path.name
