"""Machines of one's own: from an inventory file, with all of its problems shown, or typed in; and saved."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from textual.widget import Widget
from textual.widgets import Button, Input

from kthw_routes.cluster import PodCidrSource, Role, Selection
from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.demo.linux.pods import add_worker_files
from kthw_routes.demo.topology import ADDRESSES
from kthw_routes.errors import ExitCode
from kthw_routes.options import Settings
from kthw_routes.sources.inventory import parse, read
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.modals.node_editor import OwnNodeEditor
from kthw_routes.wizard.modals.save_form import SaveForm
from kthw_routes.wizard.state import SourceKind
from tests.wizard.driver import Driver, driving

pytestmark = pytest.mark.wizard

MACHINES = "".join(
    f"{ADDRESSES[name][1]} {name}.kubernetes.local {name} 10.200.{number}.0/24\n"
    for number, name in enumerate(("worker-0", "worker-1", "worker-2"))
)


def lab_inventory(path: Path) -> Path:
    """The lab's workers as a TOML inventory."""
    lines = []
    for name in ("worker-0", "worker-1", "worker-2", "controller-0"):
        public, private = ADDRESSES[name]
        lines += ["[[nodes]]", f'name = "{name}"', f'role = "{name.rpartition("-")[0]}"', f'ssh = "{public}"']
        lines += [f'internal_ip = "{private}"', ""]
    path.write_text("\n".join(lines))
    return path


def account_less(settings: Settings) -> Settings:
    """Settings of a person who has no account."""
    return replace(settings, environ={})


async def choose(driver: Driver, kind: SourceKind) -> None:
    """Move to a source with the keys."""
    driver.step.query_one("#source").focus()
    for _ in driver.controller.sources:
        if driver.controller.choices.source.kind is kind:
            return
        await driver.press("down")
    raise AssertionError(driver.text())


async def add(driver: Driver, ssh: str, *before: str) -> None:
    """Add a node with the keys; `before`: what is pressed first."""
    await driver.press("a")
    await driver.until(lambda: isinstance(driver.app.screen, OwnNodeEditor), "the form")
    await driver.settle()
    await driver.press(*before, *ssh, "enter")
    await driver.until(lambda: driver.app.screen is driver.step, "the form closed")
    await driver.settle()


async def test_a_bad_file_is_scrolled_to_its_first_error(lab: EmbeddedLab, settings: Settings) -> None:
    Path("machines.txt").write_text(MACHINES.replace("10.200.1.0/24", "10.200.1.0/99"))
    async with driving(None, account_less(settings)) as driver:
        await choose(driver, SourceKind.INVENTORY)
        await driver.pilot.press("enter")
        await driver.until(lambda: "10.200.1.0/99" in driver.text(), "the first of them on the screen")


async def test_a_bad_file_shows_all_its_problems_and_a_good_one_its_kind(lab: EmbeddedLab, settings: Settings) -> None:
    bad = MACHINES.replace("10.200.1.0/24", "10.200.1.0/99") + "192.168.8.300 a.b worker-9 10.200.9.0/24\nnonsense\n"
    Path("machines.txt").write_text(bad)
    async with driving(None, account_less(settings)) as driver:
        assert driver.controller.choices.source.kind is SourceKind.ACCOUNT
        await choose(driver, SourceKind.INVENTORY)
        assert driver.step.query_one("#path", Input).value == "machines.txt", "the likely file is filled in"
        await driver.pilot.press("enter")
        await driver.until(lambda: driver.step.error is not None, "the problems")
        await driver.settle()
        problems = driver.static("#problems")
        assert [f"line {n}, column" in problems for n in (2, 4, 5)] == [True] * 3
        assert "10.200.1.0/99" in driver.text(), "the first of them is on the screen"
        assert "nothing was contacted" in driver.static("#error").replace("\n", " ")
        assert "nonsense" not in driver.text()
        assert driver.step.query_one("#source").has_focus
        await driver.press("pagedown", "pagedown")
        assert "nonsense" in driver.text(), "the last can be scrolled to"
        assert driver.step.next_label == "Try again"
        Path("machines.txt").write_text(MACHINES)
        await driver.pilot.press("ctrl+n")
        await driver.at("Nodes")
        assert "recognised as KTHW machines.txt: 3 workers" in driver.static("#purpose")
        assert driver.controller.place == "machines.txt · 3 workers"
        await driver.press("ctrl+b")
        await driver.at("Source")
        assert "Next keeps your corrections" in driver.static("#found")


async def test_a_file_changed_since_is_read_again(lab: EmbeddedLab, settings: Settings) -> None:
    path = lab_inventory(Path("nodes.toml"))
    async with driving(None, replace(account_less(settings), inventory=path)) as driver:
        assert driver.controller.choices.source.kind is SourceKind.INVENTORY, "--inventory is chosen at once"
        await driver.go("Nodes")
        driver.step.query_one("#nodes").focus()
        await driver.press("l")
        await driver.press("ctrl+b")
        await driver.at("Source")
        await driver.go("Nodes")
        assert not driver.controller.cluster.node("worker-0").is_visited, "corrections are kept"
        await driver.press("ctrl+b")
        await driver.at("Source")
        path.write_text(path.read_text().replace("worker-2", "worker-7"))
        await driver.go("Nodes")
        assert driver.rows("#nodes")[2][0] == "worker-7"


async def test_tab_completes_a_path_and_a_missing_file_is_said(lab: EmbeddedLab, settings: Settings) -> None:
    folder = Path("cluster")
    folder.mkdir()
    lab_inventory(folder / "my-nodes.toml")
    async with driving(None, account_less(settings)) as driver:
        await choose(driver, SourceKind.INVENTORY)
        await driver.press("enter")
        assert "enter the path of the inventory file" in driver.status()
        field = driver.step.query_one("#path", Input)
        assert field.has_focus, "Next leads to what is missing"
        await driver.press("c", "l")
        await driver.until(lambda: field._suggestion, "a completion")
        await driver.press("tab")
        assert field.value == "cluster/"
        await driver.press("x")
        await driver.pilot.press("enter")
        await driver.until(lambda: driver.step.error is not None, "an error")
        await driver.settle()
        assert "There is no file cluster/x" in driver.static("#error")
        await driver.press("backspace", "m")
        await driver.until(lambda: field._suggestion, "a completion")
        await driver.press("tab")
        assert field.value == "cluster/my-nodes.toml"
        await driver.pilot.press("enter")
        await driver.at("Nodes")
        assert [row[0] for row in driver.rows("#nodes")] == ["worker-0", "worker-1", "worker-2", "controller-0"]


async def test_nodes_are_typed_in_corrected_taken_away_and_saved(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(None, account_less(settings)) as driver:
        await choose(driver, SourceKind.TYPED)
        await driver.pilot.press("enter")
        await driver.at("Nodes")
        assert "Press a to add the first" in driver.text()
        assert driver.is_disabled("next")
        await add(driver, "root@192.168.8.20")
        await add(driver, "192.168.8.21")
        await add(driver, "192.168.8.10", "shift+tab", "right", "tab")
        assert [row[0] for row in driver.rows("#nodes")] == ["worker-0", "worker-1", "controller-0"]
        node = driver.controller.cluster.node("worker-1")
        assert (node.internal, node.pod_cidr) == (IPv4Address("192.168.8.21"), IPv4Network("10.200.1.0/24"))
        assert node.pod_cidr_source is PodCidrSource.LABEL, "what its own CNI configuration says counts more"
        assert not driver.is_disabled("next")

        await driver.press("up", "enter")
        await driver.until(lambda: isinstance(driver.app.screen, OwnNodeEditor), "the form of worker-1")
        form = driver.app.screen
        await driver.settle()
        assert form.query_one("#name", Input).value == "worker-1", "opening the form changes nothing"
        form.query_one("#name", Input).value = "worker-0"
        await driver.press("enter")
        assert "is already that of worker-0" in driver.static("#name-says").replace("\n", " ")
        form.query_one("#name", Input).value = "node-5"
        await driver.settle()
        assert form.query_one("#pod_cidr", Input).value == "10.200.5.0/24", "it follows the name"
        form.query_one("#ssh", Input).value = "pve.lan"
        await driver.press("enter")
        assert "is not an address at which other nodes reach this one" in driver.static("#internal-says").replace(
            "\n", " "
        )
        form.query_one("#internal", Input).value = "10.0.0.5"
        form.query_one("#pod_cidr", Input).value = "10.200.9.0/24"
        await driver.press("enter")
        await driver.until(lambda: driver.app.screen is driver.step, "the form closed")
        await driver.settle()
        assert driver.rows("#nodes")[0] == ["node-5", "pve.lan", "10.0.0.5", "10.200.9.0/24"]

        await add(driver, "192.168.8.29")
        await driver.press("x")
        assert [n.name for n in driver.controller.cluster] == ["node-5", "worker-0", "controller-0"], (
            "gone, not removed"
        )

        await driver.press("s")
        await driver.until(lambda: isinstance(driver.app.screen, SaveForm), "the dialog")
        await driver.press("enter")
        await driver.until(lambda: driver.app.screen is driver.step, "saved")
        await driver.settle()
        assert "kthw-routes --inventory nodes.toml" in driver.status()
        saved = read(Path("nodes.toml")).cluster
        assert [(n.name, n.role, n.ssh, n.internal, n.pod_cidr) for n in saved] == [
            (n.name, n.role, n.ssh, n.internal, n.pod_cidr) for n in driver.controller.cluster
        ]


async def test_saving_asks_before_a_file_is_replaced(lab: EmbeddedLab, settings: Settings) -> None:
    file = Path("nodes.toml")
    file.write_text("mine")
    async with driving(None, settings) as driver:
        await driver.go("Nodes")
        driver.step.query_one("#save", Button).press()
        await driver.until(lambda: isinstance(driver.app.screen, SaveForm), "the dialog")
        await driver.settle()
        assert "needs no API token" in driver.text().replace("\n", " ")
        await driver.press("enter")
        assert "exists already" in driver.static("#save-says")
        assert file.read_text() == "mine"
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")
        assert file.read_text() == "mine"
        await driver.press("s")
        await driver.until(lambda: isinstance(driver.app.screen, SaveForm), "the dialog")
        await driver.settle()
        await driver.press("enter", "enter")
        await driver.until(lambda: driver.app.screen is driver.step, "replaced")
        assert len(read(file).nodes) == 6


async def test_what_the_hosts_said_of_their_pod_cidrs_is_saved(lab: EmbeddedLab, settings: Settings) -> None:
    add_worker_files(lab.topology.hosts["worker-2"], IPv4Network("10.200.9.0/24"))

    def saved() -> dict[str, PodCidrSource]:
        cluster = parse(driver.controller.inventory_text().encode(), Path("nodes.toml")).cluster
        return {f"{w.name} {w.pod_cidr}": w.pod_cidr_source for w in cluster.workers}

    guessed = {f"worker-{n} 10.200.{n}.0/24": PodCidrSource.LABEL for n in range(3)}
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        assert saved() == guessed
        await driver.go("Checks")
        read_there = ("worker-0 10.200.0.0/24", "worker-1 10.200.1.0/24", "worker-2 10.200.9.0/24")
        assert saved() == dict.fromkeys(read_there, PodCidrSource.TYPED)
        driver.controller.choices.toggle_left_out(driver.controller.cluster.node("worker-2"))
        assert saved() == guessed, "the nodes are others now than those that were looked at"


async def test_of_a_file_s_nodes_one_typed_beside_vanishes_and_one_read_is_removed_for_good(
    lab: EmbeddedLab, settings: Settings
) -> None:
    path = lab_inventory(Path("nodes.toml"))
    async with driving(None, replace(account_less(settings), inventory=path)) as driver:
        await driver.go("Nodes")
        await add(driver, "192.168.8.40")
        assert driver.controller.cluster.node("worker-3").role is Role.WORKER
        await driver.press("x")
        assert "worker-3" not in {n.name for n in driver.controller.cluster}
        driver.step.query_one("#nodes").focus()
        await driver.press("up", "up", "up", "up", "x")
        await driver.until(lambda: driver.app.screen is not driver.step, "the question")
        await driver.press("tab", "tab", "enter")
        await driver.until(lambda: driver.app.screen is driver.step, "the dialog closed")
        assert driver.controller.cluster.node("worker-0").selection is Selection.REMOVED


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_from_a_file_to_the_proof(lab: EmbeddedLab, settings: Settings, size: tuple[int, int]) -> None:
    path = lab_inventory(Path("nodes.toml"))
    async with driving(None, replace(account_less(settings), inventory=path), size) as driver:
        await driver.go("Proof")
        assert "✓ Traffic between all pod CIDRs gets through." in driver.static("#headline")
        assert driver.controller.last_run.report is not None
        assert set(driver.controller.last_run.report.outcomes) == {"worker-0", "worker-1", "worker-2", "controller-0"}


async def test_leaving_with_nodes_that_stand_nowhere_else_asks(settings: Settings) -> None:
    async with driving(None, account_less(settings)) as driver:
        await choose(driver, SourceKind.TYPED)
        await driver.pilot.press("ctrl+n")
        await driver.at("Nodes")
        await add(driver, "192.168.8.20")
        await driver.press("ctrl+q")
        await driver.until(lambda: isinstance(driver.app.screen, Confirm), "the question")
        assert "are not saved" in driver.text()
        await driver.press("escape")
        assert driver.app.screen is driver.step, "staying is the safe answer"
        await driver.press("ctrl+q", "right")
        await driver.pilot.press("enter")
        await driver.pilot.pause()
    assert driver.app.return_value is ExitCode.DONE


async def test_a_dialog_has_its_focus_from_the_beginning(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed while it opens goes into no other field."""
    focused: list[str | None] = []
    set_focus = Dialog.set_focus

    def noted(dialog: Dialog[object], widget: Widget | None, *args: bool, **given: bool) -> None:
        focused.append(None if widget is None else widget.id or type(widget).__name__)
        set_focus(dialog, widget, *args, **given)

    monkeypatch.setattr(Dialog, "set_focus", noted)
    async with driving(None, account_less(settings)) as driver:
        await choose(driver, SourceKind.TYPED)
        await driver.pilot.press("enter")
        await driver.at("Nodes")
        for key, first in (("a", "ssh"), ("f2", "TextArea"), ("s", "save-path")):
            focused.clear()
            await driver.press(key)
            await driver.until(lambda: driver.app.screen is not driver.step, "the dialog")
            await driver.settle()
            assert focused == [first]
            if key == "a":
                await driver.press(*"192.168.8.20", "enter")
            else:
                await driver.press("escape")
            await driver.until(lambda: driver.app.screen is driver.step, "closed")
            await driver.settle()
