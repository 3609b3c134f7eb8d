"""What was sent to one host in one run. All that is said of a host whose work broke off follows from it."""

import threading

from kthw_routes.ssh.command import Command


class Sent:
    """The commands sent to one host that may have changed something there.

    Attributes:
        changes: how many were sent of those that make what was reviewed.
        rows: how many changes the host was to get with them; 0 before the first.
        cancelled: the earlier runs whose automatic rollbacks were cancelled.
        cancelling: such a run while that is under way.
    """

    def __init__(self, outer: "Sent | None" = None) -> None:
        """`outer`: with which it ends, where it counts for itself what is no part of the reviewed changes."""
        self.changes = 0
        self.rows = 0
        self.cancelled: list[str] = []
        self.cancelling = ""
        self._is_over: threading.Event = outer._is_over if outer is not None else threading.Event()
        self._lock = threading.Lock()

    def begin(self, command: Command) -> bool:
        """Count a command that is about to be sent. Returns False where nothing may be sent any more."""
        with self._lock:
            if self._is_over.is_set() and command.changes:
                return False
            self.changes += command.changes
            return True

    def retract(self, command: Command) -> None:
        """Do not count this command: it never ran."""
        with self._lock:
            self.changes -= command.changes

    def end(self) -> None:
        """Let nothing be sent any more: from now on it is said how the host ended."""
        with self._lock:
            self._is_over.set()

    @property
    def is_unconfirmed(self) -> bool:
        """Whether something was sent of which nobody knows what it did, if the work breaks off now."""
        return bool(self.changes or self.cancelling)

    @property
    def words(self) -> str:
        """Return what is to be said of the host if the work breaks off now, as a sentence."""
        if self.changes:
            return "Changes were sent; whether they took effect is not confirmed."
        clauses = []
        if self.cancelled:
            clauses.append(f"the automatic rollback of run {' and of run '.join(self.cancelled)} is cancelled")
        if self.cancelling:
            clauses.append(f"whether the automatic rollback of run {self.cancelling} is cancelled is not confirmed")
        return f"Nothing was changed there{', but ' if clauses else ''}{', and '.join(clauses)}."
