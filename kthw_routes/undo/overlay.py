"""Undo of a run's changes of the overlay: it goes back while it is as the run left it, in all its tries. Pure."""

from collections.abc import Mapping, Sequence

from kthw_routes.facts import HostFacts
from kthw_routes.overlay.model import DEVICE, OverlayState
from kthw_routes.plan.changes import ChangeKind, OverlayChange, is_between
from kthw_routes.record.journal import HostRecord
from kthw_routes.undo.limits import Limits
from kthw_routes.undo.reasons import AS_BEFORE, changed_since, refused


def undo_overlay(
    newest_first: Sequence[HostRecord], facts: HostFacts, by: Mapping[str, str], limits: Limits
) -> tuple[OverlayChange, ...]:
    """Return the row that undoes what a run did to the overlay; none where it left that alone."""
    tries = [record.overlay for record in newest_first if record.overlay is not None]
    if not tries:
        return ()
    before, now, run = tries[-1].before, facts.overlay.state, by.get(DEVICE, "")

    def row(kind: ChangeKind, reason: str, after: OverlayState = now) -> tuple[OverlayChange, ...]:
        routes = tuple(r for r in facts.routes if r.device == DEVICE and not r.is_kernel)
        last = kind in (ChangeKind.REPLACE, ChangeKind.REMOVE)  # the run made it before the routes
        return (OverlayChange(kind=kind, before=now, after=after, routes=routes, reason=reason, comes_last=last),)

    if facts.overlay.is_unread:
        return row(ChangeKind.FOREIGN, "what is there of it could not be read; left as it is")
    if facts.overlay.problem is not None:
        return row(ChangeKind.FOREIGN, changed_since(run, facts.overlay.problem))
    if now == before:
        return row(ChangeKind.KEEP, AS_BEFORE)
    if why := limits.overlay(before):
        return row(ChangeKind.FOREIGN, refused(why))
    if not is_between(now, *(state for one in tries for state in (one.before, one.after))):
        return row(ChangeKind.FOREIGN, changed_since(run))
    if now.is_nothing and not tries[0].after.is_nothing:
        gone = "what the run left there is gone since, by a reboot perhaps; left as it is"
        return row(ChangeKind.FOREIGN, gone)
    if run:
        return row(ChangeKind.FOREIGN, changed_since(run))
    if before.is_nothing:
        return row(ChangeKind.REMOVE, "added by the run", before)
    return row(ChangeKind.ADD if now.is_nothing else ChangeKind.REPLACE, "as before the run", before)
