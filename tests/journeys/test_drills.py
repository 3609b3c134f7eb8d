"""Every drill is solved by the commands of its solution: on the lab, and on real nodes with the same verdict."""

import signal
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from kthw_routes.drills.catalogue import Catalogue
from kthw_routes.drills.checking import Checker
from kthw_routes.drills.model import Commands
from kthw_routes.drills.practice import Practice
from kthw_routes.drills.reading import drill_of
from kthw_routes.drills.roles import lab_nodes
from tests.journeys.stage import RealNodes, Stage, free_environment
from tests.journeys.wizard_terminal import WizardTerminal
from tests.model.clock import FastClock

CATALOGUE = Catalogue.load(seed="1")


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_a_drill_is_solved_on_the_lab(name: str) -> None:
    drill = CATALOGUE.drill(name)
    practice = Practice(drill, clock=FastClock())
    practice.start()
    try:
        found = practice.read()
        assert found.reports == drill.reports
        assert not found.is_good
        assert practice.answer(drill.right).is_right
        assert practice.is_solved == (not drill.is_repairable)
        practice.type_in(drill.solution)
        practice.take_check(repaired := practice.read())
        assert repaired.is_good == drill.is_repairable, repaired.reports
        assert practice.is_solved
    finally:
        practice.close()


@pytest.mark.nodes
@pytest.mark.parametrize("stage", ["real nodes"], indirect=True)
@pytest.mark.parametrize("name", CATALOGUE.names)
def test_a_drill_is_solved_on_real_nodes(stage: Stage, name: str) -> None:
    """A real kernel holds each of these faults; the provider's filter is made between the nodes."""
    assert isinstance(stage, RealNodes)
    nodes = [
        replace(node, internal=IPv4Address(stage.internal(node.name)))
        for node in lab_nodes()
        if node.name in stage.lab.nodes
    ]
    drill = drill_of(name, CATALOGUE.texts[name], CATALOGUE.seed, nodes)
    if drill.has_pods:
        stage.add_pods()
    checker = Checker(stage.settings)
    try:
        checker.route()
        type_in(stage, drill.fault)
        for node, address in drill.moved.items():
            stage.note_new_address(node, address)
        if not drill.fault:
            stage.filter_pods()
        found = checker.read()
        assert found.reports == drill.reports
        assert not found.is_good
        type_in(stage, drill.solution)
        assert checker.read().is_good == drill.is_repairable
    finally:
        checker.close()


def type_in(stage: Stage, commands: Commands) -> None:
    """Type commands on the nodes."""
    for node, lines in commands.items():
        for line in lines:
            stage.run(node, line)


def on_terminal(tmp_path: Path, *arguments: str) -> WizardTerminal:
    """The drills on a terminal of their own; what they make is below `tmp_path / "tmp"`."""
    (tmp_path / "tmp").mkdir()
    env = {**free_environment(tmp_path), "TMPDIR": str(tmp_path / "tmp")}
    return WizardTerminal(["drills", *arguments, "--seed", "1"], env, tmp_path)


def test_a_signal_ends_a_drill_and_nothing_of_its_lab_is_left(tmp_path: Path) -> None:
    terminal = on_terminal(tmp_path, "old-name")
    terminal.wait_for("A shell on worker-0")
    terminal.type("tcpdump -ni any icmp\r")
    terminal.wait_for("listening on any")
    assert terminal.end("SIGTERM") == 130
    assert list((tmp_path / "tmp").iterdir()) == []


def test_in_plain_lines_a_program_is_typed_into_and_interrupted_and_all_of_it_ends(tmp_path: Path) -> None:
    terminal = on_terminal(tmp_path, "--plain", "old-name")
    terminal.wait_for("drill> ")
    for typed, shown in (
        ("sh worker-0\n", "root@worker-0:~# "),
        ("echo ready; cat\n", "\r\nready\r\n"),
        ("abc\n", "abc\r\nabc\r\n"),  # as it is typed, and as it is printed
        ("\x04", "root@worker-0:~# "),
        ("ping 127.0.0.1\n", "icmp_seq=2"),
        ("\x03", "packets transmitted"),
        ("exit\n", "drill> "),
        ("sh worker-1\n", "root@worker-1:~# "),
        ("ping 127.0.0.1\n", "icmp_seq=1"),
    ):
        terminal.type(typed)
        terminal.wait_for(shown)
    terminal.signal(signal.SIGTERM)  # which is for all of it, not for what runs on the node
    assert terminal.ended() == 130
    assert list((tmp_path / "tmp").iterdir()) == []
