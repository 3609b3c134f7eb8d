"""The kinds of a row of the plan, shared by routes, names and files; and the name of forwarding's row."""

from enum import StrEnum
from typing import Final

BY_PRUNE: Final = "--prune removes it"
"""The end of the reason of a stale row. Who has another way to ask for it says that instead."""

BY_REPAIR: Final = "--repair mends it"
"""The end of the reason of a row of an own pod CIDR that is routed away; see `BY_PRUNE`."""

FORWARDING: Final = "net.ipv4.ip_forward"
"""The row of forwarding, which is named as the kernel names its setting."""


class ChangeKind(StrEnum):
    """What becomes of one route or one name on one host. The values are the words that people read."""

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
        """One character for it; the word always stands beside it."""
        return {"keep": "=", "add": "+", "replace": "!", "remove": "-", "foreign": "?", "stale": "~"}[self.value]
