"""Taking a run back against the modelled kernel: the table comes back as it was, however far the run came."""

import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kthw_routes.demo.host import ModelHost
from kthw_routes.facts import Route
from kthw_routes.plan.changes import ChangeKind, HostPlan
from kthw_routes.record.journal import Journal, host_record, read_journal
from kthw_routes.undo import plan as undo_plan
from kthw_routes.undo.reasons import AS_BEFORE
from tests.model.test_plan_on_model import CLUSTER, NODE, _mess, look, messy_host, plan, send

FOREIGN = ("route append 10.200.1.0/24 via 192.168.138.48 metric 77", "route prepend 10.200.2.0/24 dev eth0 scope link")


def journal_of(folder: Path, *plans: tuple[HostPlan, ModelHost]) -> Journal:
    """The journal of a run that was about to do this; each plan with the host as it was just before."""
    file = folder / "journal.jsonl"
    file.write_text("".join(json.dumps(host_record(made, look(host))) + "\n" for made, host in plans) + '{"host": "wor')
    return read_journal(file)


def undo(host: ModelHost, journal: Journal) -> HostPlan:
    """Take it back; the plan that did."""
    made = undo_plan.planner(journal, CLUSTER)(NODE, look(host))
    send(host, made.commands)
    return made


def rows(routes: tuple[Route, ...], but: set[IPv4Network]) -> list[Route]:
    return [r for r in routes if r.prefix not in but]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@given(_mess, st.booleans(), st.integers(0, 12))
@settings(max_examples=200, deadline=None)
def test_however_far_the_run_came_the_table_comes_back(folder: Path, mess: list[str], prune: bool, sent: int) -> None:
    host = messy_host(mess)
    before = look(host).routes
    made = plan(host, prune=prune)
    journal = journal_of(folder, (made, host))
    send(host, made.commands[:sent])
    reached = look(host).routes
    undone = undo(host, journal)
    restored = look(host).routes
    assert sorted(map(str, restored)) == sorted(map(str, before))
    # Only a route of ours that stood between two foreign ones of its key comes back behind both: theirs stay untouched.
    removed = {c.prefix for c in made.routes if c.kind is ChangeKind.REMOVE}
    assert rows(restored, removed) == rows(before, removed)
    again = undo_plan.planner(journal, CLUSTER)(NODE, look(host))
    assert again.is_empty
    assert {c.reason for c in again.routes} <= {AS_BEFORE}
    # And the way back that its transcript prints.
    send(host, undone.undo_commands)
    assert sorted(map(str, look(host).routes)) == sorted(map(str, reached))


@given(_mess, st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=100, deadline=None)
def test_a_run_in_two_tries_comes_back_whole(folder: Path, mess: list[str], first: int, second: int) -> None:
    host = messy_host(mess)
    before = look(host).routes
    made = plan(host)
    text = json.dumps(host_record(made, look(host))) + "\n"
    send(host, made.commands[:first])
    retry = plan(host)
    text += json.dumps(host_record(retry, look(host))) + "\n"
    send(host, retry.commands[:second])
    (folder / "journal.jsonl").write_text(text)
    journal = read_journal(folder / "journal.jsonl")
    undo(host, journal)
    assert look(host).routes == before
    assert undo(host, journal).is_empty


@example(
    [
        "route add 10.200.1.0/24 via 192.168.145.107  ",
        "route append 10.200.1.0/24 via 192.168.145.107 mtu 1400",
        "route append 10.200.1.0/24 via 192.168.145.107  proto 200",
    ],
    1,
    1,
)
@given(_mess, st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=100, deadline=None)
def test_an_undo_that_was_cut_short_can_be_done_again_and_taken_back(
    folder: Path, mess: list[str], sent: int, undone: int
) -> None:
    host = messy_host(mess)
    before = look(host).routes
    made = plan(host)
    journal = journal_of(folder, (made, host))
    send(host, made.commands[:sent])
    reached = look(host).routes
    half = undo_plan.planner(journal, CLUSTER)(NODE, look(host))
    its_own = journal_of(folder, (half, host))
    send(host, half.commands[:undone])
    undo(host, journal)
    assert look(host).routes == before
    undo(host, its_own)
    assert sorted(map(str, look(host).routes)) == sorted(map(str, reached))


@given(_mess, st.integers(0, 12), st.sampled_from(FOREIGN))
@settings(max_examples=100, deadline=None)
def test_what_somebody_changed_since_is_left_alone(folder: Path, mess: list[str], sent: int, foreign: str) -> None:
    host = messy_host(mess)
    before = look(host).routes
    made = plan(host)
    journal = journal_of(folder, (made, host))
    send(host, made.commands[:sent])
    host.execute(f"ip {foreign}", stdout=lambda _: None, stderr=lambda _: None)
    prefix = IPv4Network(foreign.split()[2])
    changed = look(host).routes
    undone = undo(host, journal)
    restored = look(host).routes
    assert rows(restored, {prefix}) == rows(before, {prefix})
    assert [r for r in restored if r.prefix == prefix] == [r for r in changed if r.prefix == prefix]
    for row in undone.routes:
        if row.prefix == prefix:
            assert row.kind is ChangeKind.FOREIGN
            assert row.reason.startswith("changed since: ")


@given(_mess)
@settings(max_examples=60, deadline=None)
def test_after_a_reboot_nothing_is_resurrected_that_the_reboot_took(folder: Path, mess: list[str]) -> None:
    host = messy_host(mess)
    made = plan(host)
    journal = journal_of(folder, (made, host))
    send(host, made.commands)
    rebooted = messy_host([])
    bare = look(rebooted).routes
    undone = undo(rebooted, journal)
    assert look(rebooted).routes == bare
    assert undone.is_empty
    assert {c.kind for c in undone.routes} <= {ChangeKind.KEEP, ChangeKind.FOREIGN}
