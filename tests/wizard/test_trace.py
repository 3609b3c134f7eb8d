"""The view of a packet's way: from Routes by the pair in focus, from Proof by the one that fails; by keys alone."""

from pathlib import Path

import pytest
from textual.widgets import Button

from kthw_routes.demo.pods import with_pods
from kthw_routes.options import Settings
from kthw_routes.record.report import parse_report, read_json
from kthw_routes.teaching.hops import Kind
from kthw_routes.teaching.trace import trace
from kthw_routes.wizard.modals.trace import ShowTrace
from kthw_routes.wizard.widgets.hop_path import HopPath
from tests.model.lab import BreakableLab
from tests.wizard.driver import Driver, driving

pytestmark = pytest.mark.wizard


async def shown(driver: Driver, words: str) -> str:
    """The view, once it says so."""
    await driver.until(lambda: words in " ".join(driver.text().split()), words)
    return driver.text()


def beside(text: str) -> str:
    """What is said beside the way."""
    return " ".join(" ".join(line.rpartition("│")[2] for line in text.splitlines() if "│" in line).split())


@pytest.mark.parametrize("region", ["eu-west"], indirect=True)
async def test_a_packet_is_followed_to_where_it_stops(lab: BreakableLab, settings: Settings) -> None:
    with_pods(lab.topology)
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        assert "Follow a packet" in {command.title for command in driver.app.get_system_commands(driver.app.screen)}
        await driver.to_cell("worker-2", "worker-0")
        await driver.press("f")
        text = await shown(driver, "worker-2 has no right route to")
        assert "✗ The request stops on worker-2, at: routing table." in text
        assert "from worker-2" in text
        assert "▸✗ routing table" in text
        assert "$ ip route get 10.200.0." in text
        await driver.press("escape")
        await driver.go("Proof")
        await driver.press("f")
        text = await shown(driver, "✗ the reply stops here")
        assert "✗ The reply stops between the nodes." in text
        for kind in set(Kind) - {Kind.TUNNEL}:  # all hops of both ways are there
            assert text.count(f"✓ {kind}") + text.count(f"· {kind}") + text.count(f"✗ ── {kind}") >= 1, kind
        assert text.count("✗") == 3, "the verdict, the hop and its detail"
        assert "▸✗ ── network ──" in text
        assert "drops replies whose source is a pod address: a source filter of the provider" in beside(text)
        path = driver.one(HopPath)
        await driver.press("down")
        assert path.hop is not None
        assert path.hop.is_back
        assert path.hop.host == "worker-0"
        await driver.press("home", "down", "down")
        text = driver.text()
        assert "▸✓ forwarding" in text
        assert "worker-0: forwarding" in text
        assert "✓ the request passes" in text
        assert "$ sysctl net.ipv4.ip_forward" in text
        await driver.press("right")
        assert path.hop.is_back
        await driver.press("x")
        await shown(driver, "from worker-1 ▼ to worker-0 ▼ ✗ The reply stops between the nodes.")
        await driver.pilot.resize_terminal(60, 20)
        await driver.until(lambda: driver.app.screen.query_one("#trace-detail").size.width > 50, "below the path")
        await driver.pilot.resize_terminal(80, 24)
        await driver.press("question_mark")
        assert "the request, its reply" in driver.text()
        await driver.press("escape")
        await driver.until(lambda: isinstance(driver.app.screen, ShowTrace), "the keys closed")
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")
        for name, is_redacted in (("report.json", False), ("hidden.json", True)):
            await driver.press(
                "s", *["backspace"] * len("report.json"), *name, *(("tab", "space") if is_redacted else ())
            )
            assert "trace --report FILE" in driver.text()
            driver.one(Button, "#save").press()
            await driver.until(lambda: driver.app.screen is driver.step, "saved")
            await driver.settle()
            assert driver.status() == f"Saved: kthw-routes trace --report {name}"
            saved = parse_report(read_json(Path(name)))
            ends = ("worker-a", "worker-b") if is_redacted else ("worker-0", "worker-1")
            found = trace(saved.proof, saved.cluster, *ends, saved.causes)
            assert found is not None
            assert found.verdict == "The reply stops between the nodes."


async def test_another_pair_is_read_by_itself_and_a_node_that_went_away_is_said(
    lab: BreakableLab, settings: Settings
) -> None:
    async with driving(lab, settings, (120, 36)) as driver:
        await driver.press("f")  # nothing was read yet
        assert driver.app.screen is driver.step
        await driver.go("Routes")
        await driver.press("f")
        await shown(driver, "✗ The request stops on worker-0, at: routing table.")
        await shown(driver, "▸✗ routing table stops default via 2…")
        await driver.press("shift+tab", "right")
        await shown(driver, "from worker-0 ▼ to worker-2 ▼ ✗ The request stops on worker-0")
        await driver.press("right")
        await shown(driver, "Choose two workers: a packet to a pod of the same node leaves no node.")
        lab.servers["worker-1"].close()
        await driver.press("right")
        await shown(driver, "✗ worker-0 → worker-1: not tested: worker-1 could not be read")
