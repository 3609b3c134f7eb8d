"""The second step: corrections, each refusal, what leaving out and removing do, why Next waits."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from textual.widgets import Button, Input, Static

from kthw_routes.cluster import Endpoint, PodCidrSource, Selection
from kthw_routes.options import Settings
from kthw_routes.wizard.modals.node_editor import NodeEditor
from tests.model.api import Fault
from tests.model.lab import BreakableLab
from tests.wizard.driver import Driver, driving

pytestmark = pytest.mark.wizard


async def fill(driver: Driver, field: str, text: str) -> None:
    """Type a text into a field of the form, over what is there."""
    form = driver.app.screen
    assert isinstance(form, NodeEditor)
    form.query_one(f"#{field}", Input).value = text
    await driver.settle()


async def confirm(driver: Driver, *keys: str) -> None:
    """Answer the dialog, and wait until it is gone."""
    await driver.press(*keys)
    await driver.until(lambda: driver.app.screen is driver.step, "the dialog closed")
    await driver.settle()


def says(driver: Driver, field: str) -> str:
    """What stands under a field."""
    return str(driver.app.screen.query_one(f"#{field}-says", Static).visual)


async def open_form(driver: Driver, *keys: str) -> None:
    """The form of the row that the keys lead to."""
    driver.step.query_one("#nodes").focus()
    await driver.press(*keys, "enter")
    await driver.until(lambda: isinstance(driver.app.screen, NodeEditor), "the form")


async def test_a_node_is_corrected_in_a_form_that_says_why_it_refuses(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        await open_form(driver, "down")
        for field, text, reason in (
            ("ssh", "root@", "neither an IPv4 address nor a hostname"),
            ("internal", "192.168.1", "is not an IPv4 address"),
            ("pod_cidr", "10.99.0.0/24", "outside the cluster CIDR"),
        ):
            await fill(driver, field, text)
            assert reason in says(driver, field)
        await driver.press("enter")
        assert isinstance(driver.app.screen, NodeEditor), "a refused form stays open"
        await fill(driver, "ssh", "ubuntu@203.0.113.21:2222")
        await fill(driver, "internal", "192.168.145.108")
        await fill(driver, "pod_cidr", "10.200.9.0/24")
        await confirm(driver, "enter")
        node = driver.controller.cluster.node("worker-1")
        assert node.ssh == Endpoint("203.0.113.21", "ubuntu", 2222)
        assert node.internal == IPv4Address("192.168.145.108")
        assert node.pod_cidr == IPv4Network("10.200.9.0/24")
        assert node.pod_cidr_source is PodCidrSource.TYPED
        assert driver.rows("#nodes")[1][3] == "10.200.9.0/24"


async def test_escape_changes_nothing(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        before = driver.controller.cluster
        await open_form(driver)
        await fill(driver, "pod_cidr", "10.200.9.0/24")
        await confirm(driver, "escape")
        assert driver.controller.cluster == before


async def test_a_stop_stands_in_its_cell_and_holds_next(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        await open_form(driver, "down")
        await fill(driver, "pod_cidr", "10.200.0.0/24")
        await confirm(driver, "enter")
        assert driver.is_disabled("next")
        assert "overlapping pod CIDRs" in driver.status()
        assert driver.rows("#nodes")[1][3].endswith("✗ stop")
        await driver.press("ctrl+n")
        assert driver.step.title_word == "Nodes"
        await open_form(driver)
        await fill(driver, "pod_cidr", "10.200.1.0/24")
        await confirm(driver, "enter")
        assert not driver.is_disabled("next")


async def test_left_out_and_removed_are_two_things(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        driver.step.query_one("#nodes").focus()
        await driver.press("down", "l")
        assert driver.controller.cluster.node("worker-1").selection is Selection.LEFT_OUT
        assert driver.rows("#nodes")[1][0] == "worker-1 left out"
        assert "1 node will be skipped" in driver.status()
        await driver.press("l")
        assert driver.controller.cluster.node("worker-1").is_visited
        await driver.press("x")
        assert "Remove worker-1 for good?" in driver.text()
        await confirm(driver, "escape")
        assert driver.controller.cluster.node("worker-1").is_member
        await driver.press("x")
        await confirm(driver, "tab", "tab", "enter")
        assert driver.controller.cluster.node("worker-1").selection is Selection.REMOVED
        assert driver.rows("#nodes")[1][0] == "worker-1 removed"


async def test_without_any_node_nothing_goes_on(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        driver.step.query_one("#nodes").focus()
        for _ in range(6):
            await driver.press("l", "down")
        assert "Every node is left out" in driver.status()
        assert driver.is_disabled("next")


async def test_a_removed_worker_takes_its_routes_along(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Run")
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        driver.step.query_one("#nodes").focus()
        await driver.press("down", "x")
        await confirm(driver, "tab", "tab", "enter")
        await driver.go("Routes")
        removed = [row for row in driver.rows("#changes") if row[1] == "- remove"]
        assert {row[0] for row in removed if row[2] == "10.200.1.0/24 via 192.168.145.107"} == {"worker-0", "worker-2"}


async def test_a_typed_pod_cidr_that_the_host_contradicts_is_a_stop_in_the_checks(
    lab: BreakableLab, settings: Settings
) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        await open_form(driver)
        await fill(driver, "pod_cidr", "10.200.9.0/24")
        await confirm(driver, "enter")
        await driver.go("Checks")
        assert "its CNI configuration (/etc/cni/net.d/10-bridge.conf) says 10.200.0.0/24" in driver.status()
        assert driver.is_disabled("next")


async def test_two_nodes_of_one_label_are_a_stop_and_told_apart(lab: BreakableLab, settings: Settings) -> None:
    def rename(body: Any) -> Any:
        spare = next(instance for instance in body["data"] if instance["label"] == "worker-2")
        spare["label"] = "worker-1"
        return body

    lab.api.faults.append(Fault(path="/linode/instances", edit=rename))
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        assert "2 nodes are named worker-1" in driver.status()
        driver.step.query_one("#nodes").focus()
        await driver.press("down", "down", "x")
        await driver.until(lambda: driver.app.screen is not driver.step, "the question")
        await driver.settle()
        driver.app.screen.query_one("#remove", Button).press()
        await driver.until(lambda: driver.app.screen is driver.step, "the dialog closed")
        await driver.settle()
        assert [n.selection for n in driver.controller.cluster if n.name == "worker-1"] == [
            Selection.VISIT,
            Selection.REMOVED,
        ]
        assert not driver.is_disabled("next")
