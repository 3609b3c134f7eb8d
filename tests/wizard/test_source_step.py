"""The first step: the token, progress in words, every error at its place with a second try, and a way out."""

from dataclasses import replace

import pytest
from textual.widgets import Input

from kthw_routes.errors import ExitCode
from kthw_routes.options import Settings
from kthw_routes.wizard.state import SourceKind
from tests.model.api import Fault
from tests.model.lab import BreakableLab
from tests.wizard.driver import driving

pytestmark = pytest.mark.wizard


def account(settings: Settings, token: str | None) -> Settings:
    """Settings as of a person with an account, whose API is the lab's."""
    environ = {k: v for k, v in settings.environment.items() if k != "LINODE_TOKEN"}
    return replace(settings, environ=environ | ({"LINODE_TOKEN": token} if token else {}))


async def test_the_account_is_offered_with_the_place_of_its_token(lab: BreakableLab, settings: Settings) -> None:
    async with driving(None, settings) as driver:
        assert driver.controller.choices.source.kind is SourceKind.ACCOUNT
        assert "token from LINODE_TOKEN" in driver.text()
        assert not driver.step.query_one("#token").display
        await driver.go("Nodes")
        assert driver.controller.place == "Linode · ca-central · 3 workers"


async def test_without_a_token_a_masked_field_asks_for_one(lab: BreakableLab, settings: Settings) -> None:
    token = settings.environment["LINODE_TOKEN"]
    async with driving(None, account(settings, None)) as driver:
        assert "linodes:read_only" in driver.text()
        assert "enter an API token" in driver.status()
        assert driver.is_disabled("next")
        field = driver.step.query_one("#token", Input)
        assert field.password
        field.focus()
        await driver.press(*token)
        assert token not in driver.text()
        assert token not in driver.app.export_screenshot()
        await driver.pilot.press("enter")
        await driver.at("Nodes")
        await driver.press("ctrl+b")
        await driver.at("Source")
        await driver.go("Nodes")


async def test_a_wrong_token_is_said_there_and_can_be_corrected(lab: BreakableLab, settings: Settings) -> None:
    token = settings.environment["LINODE_TOKEN"]
    async with driving(None, account(settings, "wrong")) as driver:
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: driver.step.error is not None and not driver.step.busy, "an error")
        await driver.settle()
        assert "✗" in driver.static("#error")
        assert driver.step.next_label == "Try again"
        driver.step.query_one("#token", Input).value = token
        await driver.settle()
        await driver.pilot.press("ctrl+n")
        await driver.at("Nodes")


async def test_text_that_cannot_be_a_token_is_refused_without_showing_it(lab: BreakableLab, settings: Settings) -> None:
    async with driving(None, account(settings, None)) as driver:
        driver.step.query_one("#token", Input).value = "two words"
        await driver.settle()
        await driver.press("ctrl+n")
        assert "not a Linode API token" in driver.static("#error")
        assert "two words" not in driver.text()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LINODE_URL", "http://192.0.2.1:8080", "anybody on the way to 192.0.2.1:8080 could read the token"),
        ("LINODE_CA", "/dev/zero", "it is a device, not a file"),
    ],
)
async def test_where_the_token_would_not_be_safe_it_is_said_there(
    lab: BreakableLab, settings: Settings, name: str, value: str, sentence: str
) -> None:
    async with driving(None, replace(settings, environ=dict(settings.environment) | {name: value})) as driver:
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: driver.step.error is not None and not driver.step.busy, "an error")
        await driver.settle()
        assert sentence in " ".join(driver.static("#error").split())
    assert lab.api.requests == []


@pytest.mark.parametrize(
    "fault",
    [Fault(status=500, body=b"<html>[/foo]", headers={"Content-Type": "text/html"}), Fault(status=403, body=b"{}")],
)
async def test_an_error_of_the_api_is_a_sentence_and_a_second_try(
    lab: BreakableLab, settings: Settings, fault: Fault
) -> None:
    lab.api.faults += [fault] * 3
    async with driving(None, settings) as driver:
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: driver.step.error is not None, "an error")
        await driver.settle()
        assert driver.static("#error").startswith("✗")
        lab.api.faults.clear()
        await driver.pilot.press("ctrl+n")
        await driver.at("Nodes")


async def test_progress_is_said_and_can_be_cancelled(lab: BreakableLab, settings: Settings) -> None:
    lab.api.faults.append(Fault(hangs=True))
    async with driving(None, settings) as driver:
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: "1 of 2" in driver.step.busy, "progress in words")
        await driver.settle()
        assert "asking Linode for the nodes, 1 of 2" in driver.status()
        await driver.pilot.click("#cancel")
        await driver.until(lambda: not driver.step.busy, "the end of it")
        await driver.settle()
        assert "Stopped" in driver.static("#error")
        await driver.pilot.press("ctrl+n")
        await driver.at("Nodes")


async def test_quitting_while_it_asks(lab: BreakableLab, settings: Settings) -> None:
    lab.api.faults.append(Fault(hangs=True))
    async with driving(None, settings) as driver:
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: driver.step.busy, "asking")
        await driver.pilot.press("ctrl+q")
        await driver.pilot.pause()
    assert driver.app.return_value is ExitCode.DONE
