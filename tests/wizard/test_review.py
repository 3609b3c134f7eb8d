"""The review shows what the command line shows: every node with routes, every row that is counted."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from kthw_routes.changes import ChangeKind
from kthw_routes.cluster import Cluster
from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.host_files import Leftover
from kthw_routes.host_plan import HostPlan, Plan
from kthw_routes.options import Options
from kthw_routes.results import Inspection, Review
from kthw_routes.settings import Settings
from kthw_routes.wizard import review_rows
from tests.wizard.driver import driving

pytestmark = pytest.mark.wizard


async def test_the_matrix_has_controllers_that_get_routes_too(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, routes_on="all", persist="none")) as driver:
        await driver.go("Routes")
        matrix = driver.rows("#matrix")
        assert [row[0] for row in matrix] == [f"{role}-{n}" for role in ("worker", "controller") for n in range(3)]
        assert matrix[3] == ["controller-0", "+ add", "+ add", "+ add"]


def test_what_a_killed_run_left_has_a_row() -> None:
    path = PurePosixPath("/etc/netplan/.90-kthw-routes.yaml.new")
    host = HostPlan("worker-0", leftovers=(Leftover(path), Leftover(PurePosixPath("/etc/kthw-routes"), is_folder=True)))
    review = Review(Inspection(Cluster(()), {}), Options(), Plan((host,)), (), lambda *_: host, undoes="a run")
    rows = list(review_rows.rows_of(review))
    assert len({row.key for row in rows}) == review.plan.changes == 2
    shown = [str(getattr(cell, "text", cell)) for cell in review_rows.cells(rows[0], 40, None)]
    assert shown[:2] == ["worker-0", f"{ChangeKind.REMOVE.mark} remove"]
    assert "/etc/netplan" in shown[3]
    change = rows[0].change
    assert isinstance(change, review_rows.Goes)
    detail = "".join(str(getattr(part, "text", part)) for part in review_rows.goes_detail(rows[0], change))
    assert str(path) in detail
