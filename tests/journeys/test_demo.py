"""`kthw-routes demo`: in plain lines, and kept for other commands. Nothing of the person's own is touched."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.faults import PATIENCE
from tests.journeys.running import Running
from tests.journeys.stage import free_environment, run_tool
from tests.journeys.wizard_terminal import NEXT, WizardTerminal

NOT_KEPT = "\x1b[A\x1b[A "
"""The keys that answer no, the first, where it is asked whether the routes are kept after a reboot."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with things in it that the demo must not use."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n    HostName 203.0.113.250\n    Port 1\n    ProxyJump nowhere\n")
    (tmp_path / ".ssh" / "known_hosts").write_text("worker-0 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n")
    (tmp_path / "tmp").mkdir()
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    own = {"LINODE_URL": "http://203.0.113.250:1", "LINODE_TOKEN": "theirs", "SSH_AUTH_SOCK": str(home / "none")}
    return free_environment(home) | own | {"TMPDIR": str(home / "tmp")}


@pytest.mark.parametrize(
    ("options", "code", "headline"),
    [
        (["--region", "ca-central"], 0, "Traffic between all pod CIDRs gets through."),
        (["--region", "eu-west"], 4, "6 of 6 pairs of workers do not get through."),
        (["--pods"], 0, "Pods of all workers reach each other."),
    ],
)
def test_without_a_terminal_it_walks_all_steps(home: Path, options: list[str], code: int, headline: str) -> None:
    answer = run_tool(["demo", *options], environment(home), home)
    assert answer.code == code, answer.err
    assert answer.out.endswith(f"\nDone: 15 changes on 6 nodes. {headline}\n")
    warning = "▲ warning: eu-west (London): pods were seen to fail here."
    before, _, after = answer.out.partition("controller-2: done")
    assert (warning in before, warning in after) == ("eu-west" in options,) * 2
    assert "ip route del" not in answer.out, "the transcript has the commands that undo it"
    assert after.count("Transcript: ") == 1
    assert "controller-1" in answer.out
    assert "stale: 192.168.177.9 worker-1" in answer.out
    assert list((home / "tmp").iterdir()) == []
    assert not (home / "state").exists()


def test_kept_it_serves_other_commands_and_ssh(home: Path) -> None:
    kept = subprocess.Popen(
        [sys.executable, "-m", "kthw_routes", "demo", "--keep"],
        env=environment(home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert kept.stdout is not None
        lines: list[str] = []
        while not lines or "worker-2" not in lines[-1]:
            lines.append(kept.stdout.readline())
            assert lines[-1], "the lab ended"
        exports = dict(re.findall(r"export (\w+)='?([^'\n]+)'?", "".join(lines)))
        assert exports.keys() == {"LINODE_URL", "LINODE_TOKEN", "KTHW_ROUTES_SSH_CONFIG", "XDG_STATE_HOME"}
        own = environment(home) | exports
        assert run_tool(["plan", "--exit-code"], own, home).code == 3
        assert run_tool(["apply", "--yes"], own, home).code == 0
        assert run_tool(["check"], own, home).code == 0
        if shutil.which("ssh"):
            command = [
                "ssh",
                "-F",
                exports["KTHW_ROUTES_SSH_CONFIG"],
                "worker-1",
                "ip route show proto 200 | grep 10.200.0.0; hostname",
            ]
            done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=30, check=False)
            assert done.stdout == "10.200.0.0/24 via 192.168.138.48 dev eth0 \nworker-1\n", done.stderr
    finally:
        kept.send_signal(signal.SIGINT)
        assert kept.wait(timeout=PATIENCE) == 0
    assert list((home / "tmp").iterdir()) == []


def test_a_killed_terminal_leaves_nothing_either(home: Path) -> None:
    kept = subprocess.Popen(
        [sys.executable, "-m", "kthw_routes", "demo", "--keep"],
        env=environment(home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert kept.stdout is not None
    assert "The embedded lab runs in ca-central." in kept.stdout.readline()
    while "worker-2" not in kept.stdout.readline():
        pass
    os.kill(kept.pid, signal.SIGHUP)
    assert kept.wait(timeout=PATIENCE) == 0
    assert list((home / "tmp").iterdir()) == []


@pytest.mark.parametrize("way", ["SIGTERM", "closed", "SIGTERM, unread"])
@pytest.mark.parametrize("words", ["Where do the nodes come from", "A failure stops only its own host"])
def test_the_wizard_on_the_lab_leaves_nothing_when_it_is_ended(home: Path, words: str, way: str) -> None:
    """Idle, and in the middle of a run."""
    wizard = WizardTerminal(["demo"], environment(home), home)
    wizard.wait_for("Where do the nodes come from")
    if words != "Where do the nodes come from":
        wizard.wait_for("These nodes were found", typing=NEXT)
        wizard.wait_for("New host keys", typing=NEXT)
        wizard.wait_for("Keep these routes after a reboot", typing="\r" + NEXT)
        wizard.wait_for(words, typing=NOT_KEPT + NEXT)
    assert wizard.end(way) == 130
    assert list((home / "tmp").iterdir()) == []
    assert not (home / "state").exists()


@pytest.mark.parametrize("way", ["SIGTERM", "closed"])
def test_a_lab_that_the_wizard_is_starting_is_gone_too(home: Path, way: str) -> None:
    wizard = WizardTerminal([], environment(home), home)
    wizard.wait_for("Practice lab")
    wizard.wait_for("(●) Practice lab", typing="\x1b[B" * 3)
    wizard.type(NEXT)
    while not list((home / "tmp").iterdir()):
        wizard.read(0.01)
    assert wizard.end(way) == 130
    assert list((home / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_in_plain_lines_it_leaves_nothing_when_it_is_ended(home: Path, number: int) -> None:
    tool = Running(["demo"], environment(home), home)
    tool.wait_for("worker-0")
    tool.interrupt(number)
    tool.interrupt(number)
    answer = tool.wait()
    assert answer.code == 130, answer.err
    assert list((home / "tmp").iterdir()) == []
