"""Through all steps on the practice lab, forward and back, in both regions, on terminals of several sizes."""

import pytest

from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.errors import ExitCode
from kthw_routes.events import HostState
from kthw_routes.options import NamesOn, Settings
from kthw_routes.persistence.model import Persist
from tests.wizard.driver import driving

pytestmark = pytest.mark.wizard


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (40, 12)])
async def test_a_learner_gets_from_source_to_proof(lab: EmbeddedLab, settings: Settings, size: tuple[int, int]) -> None:
    async with driving(lab, settings, size) as driver:
        await driver.go("Nodes")
        assert [row[0] for row in driver.rows("#nodes")][:3] == ["worker-0", "worker-1", "worker-2"]
        await driver.go("Checks")
        assert [row[1] for row in driver.rows("#hosts")] == ["✓ read"] * 6
        await driver.go("Routes")
        await driver.answer(Persist.NONE)
        assert driver.step.next_label == "Run 15 changes"
        own, *hops = ["own 10.200.0.0/24", "+ 192.168.145.107", "+ 192.168.152.166"]
        assert driver.rows("#matrix")[0] == ["worker-0", own, *hops]
        await driver.go("Run")
        assert driver.controller.last_run.report is not None
        assert {o.state for o in driver.controller.last_run.report.outcomes.values()} == {HostState.DONE}
        await driver.go("Proof")
        assert "✓ Traffic between all pod CIDRs gets through." in driver.static("#headline")
        assert driver.controller.last_run.report.folder is not None
        transcript = (driver.controller.last_run.report.folder / "transcript.md").read_text()
        assert "## How to undo" in transcript
        await driver.pilot.press("ctrl+n")
        await driver.pilot.pause()
    assert driver.app.return_value is ExitCode.DONE
    assert transcript.count("## How to undo") == 1
    for host in lab.topology.workers:
        ours = [r for r in host.kernel.routes() if r.protocol == 200]
        assert len(ours) == 2


@pytest.mark.parametrize("region", ["eu-west"], indirect=True)
async def test_in_eu_west_the_warning_wants_a_tick_and_the_proof_says_why_it_fails(
    lab: EmbeddedLab, settings: Settings
) -> None:
    async with driving(lab, settings) as driver:
        await driver.pilot.press("ctrl+n")
        await driver.at("Nodes")
        assert driver.is_disabled("next")
        assert "To continue: tick “I know” at 1 warning above." in driver.status()
        await driver.press("ctrl+n")
        assert driver.step.title_word == "Nodes"
        await driver.acknowledge()
        assert not driver.is_disabled("next")
        await driver.go("Routes")
        await driver.answer(Persist.NONE)
        await driver.tab("Notes")
        assert driver.rows("#changes")[0][1] == "▲ warning"
        await driver.go("Proof")
        assert "6 of 6 pairs of workers do not get through" in driver.static("#headline")
        assert "none arrived" in " ".join(driver.static("#explained").split())
        assert "pods were seen to fail here" in driver.text() or driver.step.query("FindingView")
        await driver.pilot.press("ctrl+n")
        await driver.pilot.pause()
    assert driver.app.return_value is ExitCode.NO_TRAFFIC


async def test_back_through_all_steps_loses_nothing(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        driver.step.query_one("#nodes").focus()
        await driver.press("down", "l")
        left_out = driver.controller.cluster
        assert not left_out.node("worker-1").is_visited
        await driver.go("Routes")
        await driver.answer(Persist.NONE)
        await driver.choose("left")
        assert driver.controller.choices.options.names_on is NamesOn.NONE
        inspection = driver.controller.inspection
        for title in ("Checks", "Nodes", "Source"):
            await driver.press("ctrl+b")
            await driver.at(title)
        await driver.go("Routes")
        assert driver.controller.cluster == left_out
        assert driver.controller.inspection is inspection, "nothing changed, so nothing was read again"
        assert driver.controller.choices.options.names_on is NamesOn.NONE


async def test_a_change_of_a_node_makes_the_checks_stale(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Checks")
        first = driver.controller.inspection
        await driver.press("ctrl+b")
        await driver.at("Nodes")
        driver.step.query_one("#nodes").focus()
        await driver.press("l")
        await driver.go("Checks")
        assert driver.controller.inspection is not first
        assert "worker-0" not in [row[0] for row in driver.rows("#hosts")]


async def test_the_second_walk_has_nothing_to_do_and_skips_the_run(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Proof")
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        assert "Nothing to do" in driver.text()
        assert driver.step.next_label == "Prove"
        await driver.press("ctrl+n")
        await driver.at("Proof")
        assert "gets through" in driver.static("#headline")
        await driver.press("ctrl+b")
        await driver.at("Routes")


async def test_another_region_is_another_lab(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        await driver.press("ctrl+b")
        await driver.at("Source")
        driver.step.query_one("#source").focus()
        await driver.press("down")
        assert "eu-west" in driver.controller.place
        await driver.pilot.press("ctrl+n")
        await driver.at("Nodes")
        assert {n.region for n in driver.controller.cluster} == {"eu-west"}


async def test_quitting_before_the_run_is_success(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        await driver.pilot.press("ctrl+q")
        await driver.pilot.pause()
    assert driver.app.return_value is ExitCode.DONE
    assert driver.controller.last_words == ()
