"""Passphrase and sudo password: asked in a masked field, used, and found nowhere afterwards."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from kthw_routes.cluster import Endpoint
from kthw_routes.options import Settings
from kthw_routes.wizard.modals.secret import AskSecret
from tests.model.accounts import SudoPolicy, add_user
from tests.model.lab import BreakableLab
from tests.model.ssh_server import Manners
from tests.wizard.driver import Driver, driving

pytestmark = pytest.mark.wizard
PASSWORD = "correct-horse-4711"


@pytest.fixture
def sudoers(lab: BreakableLab) -> BreakableLab:
    """A lab whose nodes let in `ubuntu`, who needs a password for sudo."""
    for name, host in lab.topology.hosts.items():
        add_user(host, "ubuntu", sudo=SudoPolicy.PASSWORD, password=PASSWORD)
        lab.servers[name].manners = Manners(users=frozenset({"ubuntu"}))
    return lab


async def to_the_question(driver: Driver) -> None:
    await driver.go("Nodes")
    for node in driver.controller.cluster:
        assert node.ssh is not None
        driver.controller.choices.change_node(node, replace(node, ssh=Endpoint(node.ssh.host, "ubuntu")))
    await driver.pilot.press("ctrl+n")
    await driver.until(lambda: isinstance(driver.app.screen, AskSecret), "the question")
    await driver.settle()


def files_below(folder: Path) -> str:
    return "\n".join(f.read_text(errors="replace") for f in folder.rglob("*") if f.is_file())


async def test_a_sudo_password_is_asked_once_masked_and_kept_nowhere(sudoers: BreakableLab, settings: Settings) -> None:
    async with driving(sudoers, settings) as driver:
        await to_the_question(driver)
        assert "sudo password" in driver.text()
        assert driver.app.screen.query_one(Input).password
        await driver.pilot.press(*PASSWORD)
        await driver.settle()
        assert PASSWORD not in driver.text()
        await driver.pilot.press("enter")
        await driver.at("Checks")
        assert [row[1] for row in driver.rows("#hosts")] == ["✓ read"] * 6
        await driver.go("Run")
        assert driver.controller.last_run.report is not None
        assert not driver.controller.last_run.report.unfinished, [
            o.sentence for o in driver.controller.last_run.report.outcomes.values()
        ]
        assert PASSWORD not in driver.app.export_screenshot()
        assert PASSWORD not in repr(driver.controller.choices)
    assert settings.state is not None
    assert PASSWORD not in files_below(settings.state)


async def test_no_answer_skips_the_hosts_and_they_can_be_asked_again(sudoers: BreakableLab, settings: Settings) -> None:
    async with driving(sudoers, settings) as driver:
        await to_the_question(driver)
        await driver.pilot.press("escape")
        await driver.at("Checks")
        assert {row[1] for row in driver.rows("#hosts")} == {"✗ skipped"}
        await driver.pilot.press("r")
        await driver.until(lambda: isinstance(driver.app.screen, AskSecret), "the question again")
        await driver.settle()
        await driver.pilot.press(*PASSWORD, "enter")
        await driver.at("Checks")
        assert [row[1] for row in driver.rows("#hosts")] == ["✓ read"] * 6
