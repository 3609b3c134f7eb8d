"""Changes of workers' names in `/etc/hosts`, which are made and undone by one edit of the whole file. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import ClassVar

from kthw_routes.persistence.paths import ETC_HOSTS, NEW_ETC_HOSTS
from kthw_routes.plan import shell
from kthw_routes.plan.changes.row import Change, ChangeKind, Detail, Noun


@dataclass(frozen=True, slots=True, kw_only=True)
class NameChange:
    """What becomes of one worker's name in one `/etc/hosts`."""

    kind: ChangeKind
    name: str
    address: IPv4Address | None = None
    """The wanted address; None where the name goes."""
    has: tuple[str, ...] = ()
    """The lines of the file that name it and are ours to change, as read."""
    reason: str

    noun: ClassVar = Noun("name", " in /etc/hosts", rank=2)
    section: ClassVar = "names"
    undo_commands: ClassVar[tuple[str, ...]] = ()
    guarded_undo: ClassVar[tuple[str, ...]] = ()
    unmet: ClassVar = "the name does not resolve so by /etc/hosts as read back."

    @property
    def key(self) -> str:
        """The name."""
        return self.name

    @property
    def title(self) -> str:
        """The line of the file."""
        return f"{self._line} in /etc/hosts"

    @property
    def short(self) -> str:
        """The name, and that it is one."""
        return f"name {self.name}"

    @property
    def details(self) -> tuple[Detail, ...]:
        """The lines that are there, and the one that takes their place."""
        has = tuple(Detail(line, "has") for line in self.has)
        return (*has, Detail(self._line, "wants")) if has and self.address and self.kind.is_change else has

    @property
    def commands(self) -> tuple[str, ...]:
        """A comment: the file is edited by hand."""
        return (f"#   /etc/hosts: {self.kind} “{self._line}” ({self.reason})",)

    @property
    def compared(self) -> object:
        """The lines that are there, and the wanted address."""
        return self.has, self.address

    def may_follow(self, reviewed: Mapping[str, Change]) -> bool:
        """Return whether the lines are as they were, or right by now: the file is replaced in one step."""
        before = reviewed.get(self.key)
        if not isinstance(before, NameChange) or (self.kind.is_change and not before.kind.is_change):
            return False
        if self.compared == before.compared:
            return True
        is_done = not self.has if before.kind is ChangeKind.REMOVE else self.address == before.address
        return self.kind is ChangeKind.KEEP and is_done

    @property
    def may_vanish(self) -> bool:
        """Whether no address is wanted for it."""
        return self.kind.is_change and self.address is None

    @property
    def _line(self) -> str:
        return f"{self.address} {self.name}" if self.address else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcHostsEdit:
    """The file as it is, as it should be, and why."""

    before: bytes
    after: bytes
    names: tuple[NameChange, ...] = ()
    odd_lines: tuple[str, ...] = ()
    """Lines that give a worker's name another address, together with other names or a comment: left alone."""

    @property
    def is_empty(self) -> bool:
        """Whether the file is right as it is."""
        return self.before == self.after

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """The command that writes the file as it was."""
        return () if self.is_empty else shell.write_file(ETC_HOSTS, self.before)

    @property
    def guarded_undo(self) -> tuple[str, ...]:
        """The lines that put the file back as it was, while it is as the run wrote it."""
        if self.is_empty:
            return ()
        return shell.guarded_replace(ETC_HOSTS, NEW_ETC_HOSTS, now=self.after, then=self.before)
