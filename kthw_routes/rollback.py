"""The automatic rollbacks of a run, as its journal has them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RollbackState(StrEnum):
    """What became of the changes on a host with an automatic rollback."""

    CONFIRMED = "kept"
    """They stay: the rollback was cancelled."""
    PENDING = "armed"
    """They are undone when the time has come."""
    ROLLED_BACK = "fired"
    """They were undone already."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """The last that is known of one host's automatic rollback."""

    rollback: RollbackState
    fires_at: datetime | None = None
    """About when, in UTC; never before."""


def words(rollbacks: Mapping[str, Rollback], now: datetime) -> Iterator[str]:
    """Yield what the hosts of a run did by themselves, or will do, in clauses; of those that keep the changes, nothing.

    Args:
        rollbacks: host -> its automatic rollback.
        now: in UTC. One whose time is over has run, unless the host booted meanwhile; nobody knows.
    """
    fired = [host for host, one in rollbacks.items() if one.rollback is RollbackState.ROLLED_BACK]
    if fired:
        yield f"rolled back automatically on {', '.join(fired)}"
    pending = {host: one.fires_at for host, one in rollbacks.items() if one.rollback is RollbackState.PENDING}
    for begin, is_over in (("rolls back automatically", False), ("was to roll back automatically", True)):
        hosts = {host: at for host, at in pending.items() if at is not None and (at <= now) is is_over}
        if hosts:
            yield f"{begin} at {max(hosts.values()).astimezone():%Y-%m-%d %H:%M:%S} on {', '.join(hosts)}"
