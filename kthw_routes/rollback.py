"""What a run's journal tells of its dead man's switches, by which hosts take the run's changes back by themselves.

In code, a switch is always such a one. In what people read it is a “timed undo”.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RollbackState(StrEnum):
    """What became of the changes on a host whose switch was set."""

    CONFIRMED = "kept"
    """They stay: the switch was taken away."""
    PENDING = "armed"
    """They go back by themselves when the time has come."""
    ROLLED_BACK = "fired"
    """They went back by themselves already."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """The last that is known of one host's switch."""

    rollback: RollbackState
    fires_at: datetime | None = None
    """About when, in UTC; never before."""


def words(rollbacks: Mapping[str, Rollback], now: datetime) -> Iterator[str]:
    """What the hosts of a run did by themselves, or will do, in clauses; of those that keep the changes, nothing.

    Args:
        rollbacks: host -> its switch.
        now: in UTC. A switch whose time is over has done its work, unless the host booted meanwhile; nobody knows.
    """
    fired = [host for host, one in rollbacks.items() if one.rollback is RollbackState.ROLLED_BACK]
    if fired:
        yield f"went back by itself on {', '.join(fired)}"
    pending = {host: one.fires_at for host, one in rollbacks.items() if one.rollback is RollbackState.PENDING}
    for begin, is_over in (("goes back by itself", False), ("was to go back by itself", True)):
        hosts = {host: at for host, at in pending.items() if at is not None and (at <= now) is is_over}
        if hosts:
            yield f"{begin} at {max(hosts.values()).astimezone():%Y-%m-%d %H:%M:%S} on {', '.join(hosts)}"
