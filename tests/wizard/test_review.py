"""The review shows what the command line shows: every node with routes, every row that is counted."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from textual.widgets import Button

from kthw_routes.cluster import Cluster
from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.findings.model import Finding
from kthw_routes.options import Options, RoutesOn, Settings
from kthw_routes.plan.changes import ChangeKind, HostPlan, Leftover, Plan, RollbackChange
from kthw_routes.wizard.text import review_detail, review_rows
from kthw_routes.wizard.widgets import matrix as matrix_widget
from kthw_routes.workflow.results import Inspection, Review
from tests.wizard.driver import driving, said

pytestmark = pytest.mark.wizard

HOPS = ("+ 192.168.138.48", "+ 192.168.145.107", "+ 192.168.152.166")


async def test_the_matrix_has_controllers_that_get_routes_too(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, routes_on="all", persist="none")) as driver:
        await driver.go("Routes")
        matrix = driver.rows("#matrix")
        assert [row[0] for row in matrix] == [f"{role}-{n}" for role in ("worker", "controller") for n in range(3)]
        assert matrix[3] == ["controller-0", *HOPS]


def detail_of(row: review_rows.Row, review: Review) -> str:
    assert not isinstance(row.change, Finding)
    parts = review_detail.change_detail(row, row.change, review, Options(), can_mark=False)
    return "".join(str(getattr(part, "text", part)) for part in parts)


def test_what_a_killed_run_left_has_a_row() -> None:
    path = PurePosixPath("/etc/netplan/.90-kthw-routes.yaml.new")
    host = HostPlan("worker-0", (Leftover(path), Leftover(PurePosixPath("/etc/kthw-routes"), is_folder=True)))
    review = Review(Inspection(Cluster(()), {}), Options(), Plan((host,)), (), lambda *_: host, undoes="a run")
    rows = list(review_rows.rows_of(review))
    assert len({row.key for row in rows}) == review.plan.changes == 2
    shown = [str(getattr(cell, "text", cell)) for cell in review_rows.cells(rows[0], 40, None)]
    assert shown[:2] == ["worker-0", f"{ChangeKind.REMOVE.mark} remove"]
    assert shown[3] == "a run that was killed left it"
    assert str(path) in detail_of(rows[0], review)


def test_a_switch_that_is_called_off_has_a_row() -> None:
    host = HostPlan("worker-0", (RollbackChange("20261122T101500Z-1abc"),))
    review = Review(Inspection(Cluster(()), {}), Options(), Plan((host,)), (), lambda *_: host, undoes="a run")
    (row,) = review_rows.rows_of(review)
    assert review.plan.changes == 1
    detail = detail_of(row, review)
    assert "the automatic rollback of run 20261122T101500Z-1abc" in detail
    assert "what that run did stays" in detail


async def test_what_is_stale_goes_where_it_is_marked(lab: EmbeddedLab, settings: Settings) -> None:
    said(lab, "worker-0", "ip route add 10.200.9.0/24 via 192.168.145.107 proto 200")
    hosts = "127.0.0.1 localhost\n# BEGIN kthw-routes\n192.168.145.109 worker-9\n# END kthw-routes\n"
    lab.topology.hosts["controller-0"].files.put("/etc/hosts", hosts)
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        before = driver.controller.review().plan.changes
        assert "--prune" not in driver.text(), "nobody can type that here"
        for tab, host, what in (
            ("Routes", "worker-0", "10.200.9.0/24"),
            ("Names", "controller-0", "192.168.145.109 worker-9"),
        ):
            await driver.to_row(tab, host, what, "[ ] stale")
            assert "Space marks it for removal" in driver.static("#detail").replace("\n", " ")
            assert "wants" not in driver.static("#detail")
            await driver.press("space")
            await driver.to_row(tab, host, what, "[x] remove")
            assert "Space unmarks it" in driver.static("#detail").replace("\n", " ")
        assert driver.controller.review().plan.changes == before + 2
        await driver.press("space")
        assert driver.controller.review().plan.changes == before + 1
        await driver.press("space")
        driver.step.query_one("#back", Button).focus()
        await driver.press("space")  # presses it, and marks nothing
        assert driver.step.title_word == "Checks"
        assert driver.controller.review().plan.changes == before + 2
        await driver.go("Run")
    assert said(lab, "worker-0", "ip route show 10.200.9.0/24") == ""
    assert "worker-9" not in said(lab, "controller-0", "cat /etc/hosts")
    assert "worker-1" in said(lab, "controller-0", "cat /etc/hosts")


async def test_what_is_stale_and_not_marked_stays(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Proof")
    said(lab, "worker-0", "ip route add 10.200.9.0/24 via 192.168.145.107 proto 200")
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        assert "Space marks what is stale" in driver.status()
        narrow = driver.status()
        await driver.pilot.resize_terminal(80, 24)
        await driver.settle()
        assert driver.status() == narrow
        await driver.go("Proof")
    assert "10.200.9.0/24" in said(lab, "worker-0", "ip route show")


async def test_an_own_pod_cidr_that_is_routed_away_is_mended_with_space_alone(
    lab: EmbeddedLab, settings: Settings
) -> None:
    said(lab, "worker-0", "ip route add 10.200.0.0/24 via 192.168.145.107")
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        await driver.to_row("Notes", "worker-0", "10.200.0.0/24", "[ ] foreign")
        assert "--repair" not in "".join(cell for row in driver.rows("#changes") for cell in row)
        detail = " ".join(driver.static("#detail").split())
        assert "; Space fixes it, and asks first" in detail
        assert detail.count("fixes it") == 1


async def test_the_routes_are_what_is_seen(lab: EmbeddedLab, settings: Settings) -> None:
    """worker-0's own pods are cut off, worker-1 has a wrong next hop, worker-2 a route that nobody knows."""
    said(lab, "worker-0", "ip route add 10.200.0.0/24 via 192.168.145.107")
    said(lab, "worker-1", "ip route add 10.200.2.0/24 via 192.168.138.48")
    said(lab, "worker-2", "ip route add 10.200.77.0/24 via 192.168.145.107")
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Checks")
        flat = " ".join(driver.text().split())
        assert "worker-0: another route overrides its own pod CIDR" in flat, "a finding of Checks already"
        assert "10.200.0.0/24 ✗ overridden" in flat, "and marked at its host"
        await driver.go("Routes")
        for size in ((80, 24), (120, 36)):
            await driver.pilot.resize_terminal(*size)
            await driver.settle()
            text = driver.text()
            first = " ".join(text.split("─\n")[1].split("Routes ")[0].split())
            assert first.startswith("The pods of worker-0 are unreachable: another route overrides its own pod CIDR.")
            assert "1 foreign route in the cluster CIDR. 6 routes and 9 names change on 6 nodes." in first
            assert text.split("keys 1-4")[0].split()[-8:] == ["Routes", "6", "Names", "9", "Files", "0", "Notes", "2"]
            rows = {
                line.split()[0]: " ".join(line.split("│")[0].split()[1:]) for line in text.splitlines() if line.strip()
            }
            assert rows["worker-1"] == "+ 192.168.138.48 own 10.200.1.0/24 ! 192.168.152.166"
            assert "? 10.200.77" not in text
            assert "worker-2 [ ] foreign 10.200.77.0/24 via 192.168.145.107" in " ".join(text.split())
            for mark in ("own pod CIDR", "+ add", "! replace", "? foreign", "✗ overridden"):
                assert mark in text.split("on \\ to")[1]
            await driver.to_cell("worker-1", "worker-2")
            shown = driver.text()
            detail = " ".join(driver.static("#detail").split())
            assert "worker-1 to 10.200.2.0/24 (worker-2) ! replace" in detail
            assert "has via 192.168.138.48 (worker-0)" in detail
            assert "wants via 192.168.152.166 (worker-2) why" in detail
            assert "$ ip route replace 10.200.2.0/24 via 192.168.152.166 proto 200 undo" in detail
            for line in ("wants", "why", "undo"):
                assert line in shown, "all of it in sight"
            if size[0] == 80:
                assert "$ ip route replace 10.200.2.0/24 via 192.168.152.166 proto 200\n" in shown, "whole, on one line"
            else:
                beside = next(line for line in shown.splitlines() if "wants " in line)
                assert beside.lstrip().startswith("worker-"), "beside the routes"
        await driver.tab("Notes")
        assert [row[:3] for row in driver.rows("#changes")] == [
            ["worker-0", "[ ] foreign", "10.200.0.0/24 via 192.168.145.107"],
            ["worker-2", "[ ] foreign", "10.200.77.0/24 via 192.168.145.107"],
        ]


async def test_the_controllers_get_routes_too_where_that_is_chosen_here(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        nodes = [row[0] for row in driver.rows("#matrix")]
        changes = driver.controller.review().plan.changes
        await driver.choose("tab", "right")
        matrix = driver.rows("#matrix")
        assert [row[0] for row in matrix] == [*nodes, "controller-0", "controller-1", "controller-2"]
        assert matrix[3] == ["controller-0", *HOPS]
        assert driver.controller.review().plan.changes == changes + 9
        await driver.choose("tab", "right")
        assert [row[0] for row in driver.rows("#matrix")] == nodes
        assert driver.controller.review().plan.changes == changes
        await driver.choose("tab", "right")
        await driver.go("Run")
        await driver.press("ctrl+b", "o")  # what was run is not chosen anew
        assert driver.step.title_word == "Routes"
        assert driver.controller.choices.options.routes_on is RoutesOn.ALL
    assert "10.200.2.0/24 via 192.168.152.166" in said(lab, "controller-0", "ip route show proto 200")


async def test_next_hops_of_controllers_are_judged_once_they_get_routes(lab: EmbeddedLab, settings: Settings) -> None:
    said(lab, "controller-1", "ip address del 192.168.164.83/17 dev eth0; ip address add 192.168.164.83/32 dev eth0")
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        assert driver.step.refusal is None
        await driver.choose("tab", "right")
        assert "controller-1" in str(driver.step.refusal)
        await driver.choose("tab", "right")
        assert driver.step.refusal is None


async def test_of_many_workers_what_is_merely_added_is_a_row_per_host(
    lab: EmbeddedLab, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _few(monkeypatch)
    said(lab, "worker-0", "ip route add 10.200.1.0/24 via 192.168.152.166")
    async with driving(lab, replace(settings, persist="none"), size=(120, 36)) as driver:
        await driver.go("Routes")
        rows = [row[:3] for row in driver.rows("#changes")]
        assert [row for row in rows if row[1] == "+ add"] == [
            ["worker-0", "+ add", "10.200.2.0/24 via 192.168.152.166"],
            ["worker-1", "+ add", "2 changes"],
            ["worker-2", "+ add", "2 changes"],
        ]
        assert ["worker-0", "! replace", "10.200.1.0/24 via 192.168.145.107"] in rows
        await driver.to_row("Routes", "worker-1")
        assert "worker-1 2 route changes" in driver.text()
        assert "$ ip route add 10.200.0.0/24 via 192.168.138.48 proto 200" in driver.static("#detail")
        await driver.tab("Names")
        assert [row[:3] for row in driver.rows("#changes")] == [
            ["controller-0", "+ add", "3 changes"],
            ["controller-1", "+ add", "2 changes"],
            ["controller-1", "! replace", "192.168.145.107 worker-1"],
            ["controller-2", "+ add", "3 changes"],
        ]


def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have three workers be too many for a matrix."""
    monkeypatch.setattr(review_rows, "MAX_WHOLE", 2)
    monkeypatch.setattr(matrix_widget, "MAX_WORKERS", 2)


async def test_the_changes_are_searched(lab: EmbeddedLab, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_widget, "MAX_WORKERS", 2)
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        whole = driver.rows("#changes")
        await driver.press("slash", *"Worker-2 10.200.0")
        assert "Worker-2 10.200.0" in driver.text()
        found = [["worker-2", "+ add", "10.200.0.0/24 via 192.168.138.48"]]
        assert [row[:3] for row in driver.rows("#changes")] == found
        await driver.press("enter")
        assert driver.step.focused is driver.step.query_one("#changes")
        assert "$ ip route add 10.200.0.0/24 via 192.168.138.48 proto 200" in driver.static("#detail")
        await driver.press("slash", "x")
        assert driver.rows("#changes") == []
        await driver.press("escape")
        assert driver.rows("#changes") == whole
        assert driver.step.focused is driver.step.query_one("#changes")
