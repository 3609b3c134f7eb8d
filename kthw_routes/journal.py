"""A journal's record of one host: what was, what is done, how it is taken back. On disk before anything is changed.

It holds all that taking a run back needs, so that this works after a crash in the middle of the run. No code
reads its `table`, `undo`, `leftovers` and `switches`: these are for whoever has to mend a host by hand.
"""

import base64

from kthw_routes.documents import Json, name_json, route_json
from kthw_routes.facts import HostFacts
from kthw_routes.iproute2.edits import outcome
from kthw_routes.persistence.unit import TIMER
from kthw_routes.plan.changes import FileChange, HostPlan


def host_record(todo: HostPlan, facts: HostFacts) -> Json:
    """The record of what is about to be done on one host.

    Args:
        todo: what is to be done.
        facts: what was read there just before.
    """
    changed = [c for c in todo.routes if c.kind.is_change]
    record: dict[str, object] = {
        "host": todo.node,
        "table": [route_json(r) for r in facts.routes],
        "do": [c.line() for c in todo.commands],
        "undo": [c.line() for c in todo.inverse],
        "routes": [
            {
                "prefix": str(c.prefix),
                "reason": c.reason,
                "before": [route_json(r) for r in c.has],
                "after": [route_json(r) for r in outcome(c.commands, c.has)],
            }
            for c in changed
        ],
        "files": [_file(f, facts) for f in todo.files if f.kind.is_change],
        "leftovers": [str(x.path) for x in todo.leftovers],
        "switches": list(todo.switches),
    }
    if todo.hosts_file is not None and not todo.hosts_file.is_empty:
        record["etc_hosts"] = {
            "before": _base64(todo.hosts_file.before),
            "after": _base64(todo.hosts_file.after),
            "names": [name_json(n) for n in todo.names],
        }
    if todo.forwarding is not None:
        record["forwarding"] = {"before": facts.ip_forward, "after": todo.forwarding}
    return record


def _file(change: FileChange, facts: HostFacts) -> Json:
    timer = {
        "is_enabled": change.after is not None and change.is_enabled,
        "was_enabled": facts.network.timer_is_enabled,
    }
    return {
        "path": str(change.path),
        "before": _base64(change.before) if change.before is not None else None,
        "after": _base64(change.after) if change.after is not None else None,
        "mode": change.mode,
        "before_mode": change.before_mode,
        "is_ours": change.is_ours,
        "folder_is_ours": change.folder_is_ours,
        **(timer if change.path == TIMER else {}),
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
