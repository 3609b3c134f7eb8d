"""A new kind of change is one class that keeps the protocol: it is shown, recorded, counted and compared at once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import StringIO
from typing import ClassVar

import pytest

from kthw_routes.cli.output import Printer
from kthw_routes.cluster import Cluster
from kthw_routes.events import HostOutcome, HostState
from kthw_routes.hosts.apply import ChangedSinceReview, check_as_reviewed, unmet_rows
from kthw_routes.options import Options
from kthw_routes.plan.changes import Change, ChangeKind, Detail, ForwardingChange, HostPlan, Noun, Plan
from kthw_routes.record.json_plan import plan_document
from kthw_routes.record.transcript import head
from kthw_routes.undo.by_hand import manual_undo
from kthw_routes.wizard.text import review_detail, review_rows
from kthw_routes.wizard.text.manual_commands import on_host
from kthw_routes.words import summary
from kthw_routes.workflow.results import Inspection, Review

from .builders import cluster


@dataclass(frozen=True, slots=True)
class TunnelChange:
    """A kind of change that the package does not know."""

    kind: ChangeKind
    peer: str

    title: ClassVar = "tunnel kthw0"
    short: ClassVar = "kthw0"
    reason: ClassVar = "pods cross the provider inside UDP"
    noun: ClassVar = Noun("tunnel")
    section: ClassVar = "tunnels"
    key: ClassVar = "kthw0"
    may_vanish: ClassVar = False
    unmet: ClassVar = "there is no such device."

    @property
    def details(self) -> tuple[Detail, ...]:
        return (Detail(f"peer {self.peer}", "wants"),)

    @property
    def commands(self) -> tuple[str, ...]:
        return (f"ip link add kthw0 type vxlan id 42 remote {self.peer}",)

    @property
    def undo_commands(self) -> tuple[str, ...]:
        return ("ip link del kthw0",)

    @property
    def guarded_undo(self) -> tuple[str, ...]:
        return ("ip link show kthw0 && ip link del kthw0",)

    @property
    def compared(self) -> object:
        return self.peer

    def may_follow(self, reviewed: Mapping[str, Change]) -> bool:
        before = reviewed.get(self.key)
        return isinstance(before, TunnelChange) and before.peer == self.peer


ADDED = TunnelChange(ChangeKind.ADD, "192.168.128.11")
HOST = HostPlan("worker-0", (ADDED, ForwardingChange(True)))
PLAN = Plan((HOST, HostPlan("worker-1", (TunnelChange(ChangeKind.KEEP, "192.168.128.10"),))))
TITLE, REASON, COMMAND = ADDED.title, ADDED.reason, ADDED.commands[0]


def test_the_command_line_prints_it() -> None:
    stream = StringIO()
    Printer(stream).hosts(cluster(), PLAN)
    shown = stream.getvalue()
    assert f"  + add     {TITLE}   {REASON}\n      wants  peer 192.168.128.11\n" in shown
    assert "worker-1" not in shown, "what stays as it is, is not shown"


def test_it_is_counted() -> None:
    assert (HOST.changes, PLAN.changes, PLAN.is_drift) == (2, 2, True)
    assert summary(PLAN) == "1 file on 1 node, 1 tunnel on 1 node"


def test_it_is_recorded() -> None:
    lines = list(head(cluster(), PLAN, ()))
    at = lines.index(f"- add `{TITLE}`: {REASON}")
    assert lines[at + 1] == f"  - `{COMMAND}`"
    document = plan_document(cluster(), PLAN, ())
    tunnel = {"kind": "add", "title": TITLE, "reason": REASON, "commands": [COMMAND]}
    assert dict(document["hosts"][0])["tunnels"] == [tunnel]


def test_the_review_has_a_row_of_it() -> None:
    review = Review(Inspection(Cluster(()), {}), Options(), PLAN, (), lambda *_: HOST, undoes="a run")
    row = next(iter(review_rows.rows_of(review)))
    assert row.key == "worker-0 kthw0"
    cells = [str(getattr(cell, "text", cell)) for cell in review_rows.cells(row, 60, None)]
    assert cells == ["worker-0", "+ add", "kthw0", REASON]
    parts = review_detail.change_detail(row, ADDED, review, Options(), can_mark=False)
    detail = "".join(str(getattr(part, "text", part)) for part in parts)
    assert TITLE in detail
    assert "wants  peer 192.168.128.11" in detail


def test_it_is_made_and_undone_by_hand() -> None:
    assert list(on_host(HOST)) == [f"sudo {COMMAND}", "sudo sysctl -w net.ipv4.ip_forward=1"]
    (way,) = manual_undo(PLAN, {"worker-0": HostOutcome("worker-0", HostState.DONE, changes_sent=2)})
    assert way.lines == ("sysctl -w net.ipv4.ip_forward=0", "ip link del kthw0")
    assert HOST.guarded_undo[-1] == "ip link show kthw0 && ip link del kthw0"


def test_it_is_compared_with_the_review_and_with_what_is_read_back() -> None:
    check_as_reviewed("worker-0", HOST, HOST, again=False)
    moved = replace(HOST, rows=(replace(ADDED, peer="192.168.128.12"), *HOST.rows[1:]))
    gone: tuple[Change, ...] = HOST.rows[1:]
    for now, words in (
        (moved, "kthw0 was “add”, is “add”"),
        (replace(HOST, rows=gone), "kthw0 was “add”, is “absent”"),
    ):
        with pytest.raises(ChangedSinceReview, match=words):
            check_as_reviewed("worker-0", HOST, now, again=False)
        with pytest.raises(ChangedSinceReview, match=words):
            check_as_reviewed("worker-0", HOST, now, again=True)
    made = replace(HOST, rows=(replace(ADDED, kind=ChangeKind.KEEP), *HOST.rows[1:]))
    check_as_reviewed("worker-0", HOST, made, again=True)
    assert unmet_rows(HOST, HOST)["kthw0"] == "there is no such device."
    done = replace(HOST, rows=(replace(ADDED, kind=ChangeKind.KEEP),))
    assert unmet_rows(done, HOST) == {}
