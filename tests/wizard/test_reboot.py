"""The question whether the routes shall survive a reboot: nothing ticked, an answer needed, what stands behind each."""

from dataclasses import replace

import pytest
from textual.widgets import TextArea

from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.events import HostState
from kthw_routes.options import NamesOn, Settings
from kthw_routes.persistence.model import Manager, Persist
from kthw_routes.plan.changes import ChangeKind
from kthw_routes.wizard.modals.choose_manager import ChooseManager
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.modals.route_options import ChooseRouteOptions
from kthw_routes.wizard.modals.text import ShowCommands, WholeText
from kthw_routes.wizard.widgets.choices import ChoiceList
from tests.model.hosts import run
from tests.wizard.driver import Driver, driving, said

pytestmark = pytest.mark.wizard

WORKERS = ("worker-0", "worker-1", "worker-2")
DROP_IN = "/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf"


def chosen(driver: Driver) -> Persist | None:
    """The answer as it is now."""
    return driver.controller.choices.options.persist


async def test_the_question_wants_an_answer_and_auto_says_what_it_found(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        for size in ((120, 36), (80, 24)):
            await driver.pilot.resize_terminal(*size)
            await driver.settle()
            text = driver.text()
            assert "Keep these routes after a reboot?" in text
            assert "routes change" not in text, "it is asked by itself"
            assert "+ 192.168.145.107" not in text
            answers = driver.step.query_one("#persist", ChoiceList)
            assert answers.has_focus, "the eye falls on the question"
            assert text.count("( )") == 3
            flat = " ".join(text.split())
            for words in (
                "reach each other until the next reboot of any worker",
                "a file for the program that manages its network",
                "A host that it does not manage is reported",
                "Found: networkd on all 3 hosts: eth0 is managed by systemd-networkd",
            ):
                assert words in flat, "all three, and what was found, before any key"
        assert "To continue: keep the routes after a reboot, or not?" in driver.status()
        assert driver.is_disabled("next")
        await driver.press("ctrl+n")
        assert driver.step.title_word == "Routes"
        await driver.press("down")
        assert "(●)" not in driver.text(), "moving ticks nothing"
        await driver.press("space")
        assert chosen(driver) is Persist.AUTO
        assert not driver.is_disabled("next")
        assert "Keep these routes after a reboot?" in driver.text(), "an answer by itself opens nothing"
        assert driver.step.next_label == "Show the changes", "a reflex runs nothing that was not seen"
        await driver.press("ctrl+n")
        assert driver.step.title_word == "Routes"
        assert driver.step.next_label == "Run 18 changes"
        assert "After a reboot: kept, networkd on all 3 hosts." in driver.text()
        assert "Keep these routes" not in driver.text(), "once"
        await driver.press("b")
        assert "(●) Yes, in a file on each host" in driver.text()
        await driver.press("escape")
        assert "+ 192.168.145.107" in driver.text()

        await driver.to_row("Files", "worker-1", "90-kthw-routes.conf")
        assert DROP_IN in driver.static("#detail")
        assert "Gateway=192.168.138.48" in driver.static("#detail"), "the whole text"
        await driver.pilot.press("enter")
        await driver.until(lambda: isinstance(driver.app.screen, WholeText), "the text by itself")
        assert "Protocol=200" in driver.app.screen.query_one(TextArea).text
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")
        await driver.press("f2")
        await driver.until(lambda: isinstance(driver.app.screen, ShowCommands), "the commands")
        assert f"sudo tee {DROP_IN} >/dev/null <<'END-OF-90-KTHW-ROUTES'" in driver.app.screen.query_one(TextArea).text
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")

        await driver.go("Proof")
        assert "kept after a reboot, by networkd on all 3 nodes" in driver.status()
        assert "90-kthw-routes.conf" in driver.static("#rest")
    assert said(lab, "worker-1", f"cat {DROP_IN}").startswith("#")


async def test_no_is_an_answer_and_is_said_to_the_end(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        await driver.press("enter")
        assert chosen(driver) is Persist.NONE
        await driver.press("enter")
        assert driver.step.next_label == "Run 15 changes", "the same answer again goes on to the review"
        await driver.go("Proof")
        assert "These routes end at the next reboot." in driver.status()
        assert "These routes end at the next reboot." in driver.static("#rest")


async def test_another_manager_is_chosen_by_name_and_one_that_cannot_wants_a_tick(
    lab: EmbeddedLab, settings: Settings
) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        await driver.press("down", "down", "enter")
        await driver.until(lambda: isinstance(driver.app.screen, ChooseManager), "the managers")
        await driver.settle()
        assert all(manager in driver.text() for manager in Manager)
        await driver.press("down", "down", "enter")
        await driver.until(lambda: driver.app.screen is driver.step, "chosen")
        await driver.settle()
        assert chosen(driver) is Persist.IFUPDOWN
        await driver.press("ctrl+n")
        assert "press Space on 3 warnings in Notes (key 4)" in driver.status()
        for worker in ("worker-0", "worker-1", "worker-2"):
            await driver.to_row("Notes", worker, "[ ] warning")
            await driver.press("space")
        assert not driver.is_disabled("next")
        assert "After a reboot: kept with ifupdown" in driver.text()
        await driver.press("b")
        assert "With ifupdown on every host:\n  ✗" in driver.text()
        await driver.press("up", "enter")
        assert chosen(driver) is Persist.AUTO
        assert "warning" not in driver.text()


async def test_what_was_given_on_the_command_line_is_the_answer(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="auto")) as driver:
        await driver.go("Routes")
        assert "After a reboot: kept, networkd on all 3 hosts." in driver.text()
        assert driver.step.query_one("#matrix").has_focus
        assert not driver.is_disabled("next")


async def test_where_all_is_held_nothing_is_asked_and_where_nothing_changes_neither(
    lab: EmbeddedLab, settings: Settings
) -> None:
    async with driving(lab, replace(settings, persist="auto")) as driver:
        await driver.go("Run")
    said(lab, "worker-0", "ip route del 10.200.1.0/24")
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        assert chosen(driver) is None
        assert driver.step.next_label == "Run 1 change"
        assert not driver.is_disabled("next"), "a file holds it already"
        await driver.go("Proof")
        assert "kept after a reboot" in driver.status()
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        assert driver.step.next_label == "Prove"
        assert not driver.is_disabled("next")


async def test_names_and_forwarding_are_options_under_one_key(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        assert "/etc/hosts of" not in driver.text(), "never above the routes"
        await driver.press("o")
        await driver.until(lambda: isinstance(driver.app.screen, ChooseRouteOptions), "the options")
        await driver.settle()
        for size in ((120, 36), (80, 24)):
            await driver.pilot.resize_terminal(*size)
            await driver.settle()
            flat = " ".join(driver.text().split())
            for words in (
                "/etc/hosts of controllers",
                "The workers' names, in a marked block",
                "routes on workers",
                "[ ] turn forwarding on",
                "net.ipv4.ip_forward is 0 on worker-0, worker-1, worker-2",
            ):
                assert words in flat, "each with its sentence"
        assert "cloud-init" not in flat, "offered only where it applies"
        await driver.press("right", "tab", "tab", "space")
        await driver.pilot.click("#ok")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")
        await driver.settle()
        assert driver.controller.choices.options.ip_forward
        assert driver.controller.choices.options.names_on is NamesOn.WORKERS
        await driver.tab("Files")
        assert {row[0] for row in driver.rows("#changes") if row[2] == "ip_forward"} == set(WORKERS)
        await driver.tab("Names")
        named = {row[0] for row in driver.rows("#changes") if row[2] == "192.168.145.107 worker-1"}
        assert named == {"worker-0", "worker-2"}
        await driver.go("Proof")
        report = driver.controller.last_run.report
        assert report is not None
        assert {o.state for o in report.outcomes.values()} <= {HostState.DONE, HostState.NOTHING_TO_DO}
    assert "net.ipv4.ip_forward = 1" in said(lab, "worker-0", "cat /etc/sysctl.d/90-kthw-routes.conf")


async def test_names_chosen_on_the_command_line_stay(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, no_hosts_file=True)) as driver:
        await driver.go("Routes")
        assert driver.controller.choices.options.names_on is NamesOn.NONE
        await driver.answer(Persist.NONE)
        assert "Names 0" in driver.text()


async def test_an_own_pod_cidr_routed_away_is_mended_when_asked_for(lab: EmbeddedLab, settings: Settings) -> None:
    said(lab, "worker-1", "ip route add 10.200.1.0/24 via 192.168.138.48")
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        await driver.to_cell("worker-1", "worker-1")
        assert "✗ overridden" in driver.text()
        assert "The pods of worker-1 are unreachable: another route overrides its own pod" in driver.text()
        await driver.press("space")
        await driver.until(lambda: isinstance(driver.app.screen, Confirm), "the question")
        await driver.settle()
        assert "ip route del 10.200.1.0/24" in driver.text()
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")
        assert not driver.controller.choices.options.marked
        await driver.press("space")
        await driver.until(lambda: isinstance(driver.app.screen, Confirm), "the question")
        await driver.settle()
        await driver.press("tab", "enter")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")
        await driver.settle()
        assert "! own 10.200.1.0/24" in driver.text()
        assert "unreachable: another" not in driver.text()
        await driver.to_row("Notes", "worker-1", "[x] replace")
        changes = [c for h in driver.controller.review().plan.hosts for c in h.routes if c.worker == h.node]
        assert [c.kind for c in changes] == [ChangeKind.REPLACE]
        await driver.go("Run")
    assert "192.168.138.48" not in said(lab, "worker-1", "ip route show 10.200.1.0/24")


async def test_where_cloud_init_writes_the_hosts_file_its_template_is_offered(
    lab: EmbeddedLab, settings: Settings
) -> None:
    host = lab.topology.hosts["controller-0"]
    host.files.put("/etc/cloud/cloud.cfg", "manage_etc_hosts: true\n")
    host.files.put("/etc/cloud/templates/hosts.debian.tmpl", "127.0.0.1 localhost\n")
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        await driver.press("o")
        await driver.until(lambda: isinstance(driver.app.screen, ChooseRouteOptions), "the options")
        await driver.settle()
        await driver.press("tab", "tab", "tab", "space")
        assert "rewrites /etc/hosts at each boot on controller-0" in " ".join(driver.text().split())
        await driver.pilot.click("#ok")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")
        await driver.to_row("Files", "controller-0", "hosts.debian.tmpl")
        assert "192.168.138.48 worker-0" in driver.static("#detail")
        await driver.go("Run")
    assert "worker-0" in said(lab, "controller-0", "cat /etc/cloud/templates/hosts.debian.tmpl")


async def test_what_hosts_state_of_routes_themselves_is_said_before_the_review(
    lab: EmbeddedLab, settings: Settings
) -> None:
    """worker-0 keeps its routes; worker-1 would bring one back through an address that no node has."""
    hosts = lab.topology.hosts
    folder = "/etc/systemd/network/05-eth0.network.d"
    for name, routes in (("worker-0", {1: "145.107", 2: "152.166"}), ("worker-1", {0: "145.77"})):
        words = "".join(
            f"[Route]\\nDestination=10.200.{to}.0/24\\nGateway=192.168.{via}\\n" for to, via in routes.items()
        )
        assert not run(hosts[name], f"mkdir -p {folder} && printf '{words}' >{folder}/pods.conf").status
    async with driving(lab, settings, (120, 60)) as driver:
        await driver.go("Checks")
        assert "· Routes are kept by" in driver.text()
        assert "· worker-1: /etc/systemd/network" in driver.text()
        sentences = " ".join(finding.sentence for finding in driver.controller.host_findings)
        assert f"Routes are kept by {folder}/pods.conf on worker-0." in sentences
        assert f"worker-1: {folder}/pods.conf: line 3 states 10.200.0.0/24 via 192.168.145.77" in sentences
