"""The pytest side of the lab of real nodes: where it can run, one lab for all tests, what is said at the end.

Tests that take it are marked `nodes`. They run one after another, in one process, however many others there are.
Where the machine cannot run them they are skipped with the reason; in CI they fail.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.nodes.lab import NodeLab

_PROGRAMS: Final = ("systemd-nspawn", "nsenter", "ip", "nft", "mount", "ssh", "ssh-keygen")
_BUILD_IMAGE: Final = Path(__file__).with_name("image.sh")
_ENVIRONMENT: Final = dict(os.environ)
"""As it was before any test redirected HOME."""


def is_required() -> bool:
    """Whether tests on real nodes must run here."""
    return os.environ.get("CI") == "true" or os.environ.get("KTHW_ROUTES_REQUIRE_NODES") == "1"


def image() -> Path | None:
    """The nodes' image; None where none is built."""
    found = subprocess.run([_BUILD_IMAGE, "--if-built"], env=_ENVIRONMENT, capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def why_not() -> str | None:
    """Why real nodes cannot run on this machine; None where they can."""
    if not Path("/proc/self/ns/net").exists():
        return "real nodes need Linux"
    if os.geteuid() != 0:
        return "real nodes need root"
    if not Path("/etc/machine-id").exists():
        return "real nodes need /etc/machine-id: run systemd-machine-id-setup"
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"real nodes need {', '.join(missing)}"
    if (
        subprocess.run(
            ["unshare", "--net", "--mount", "--propagation=unchanged", "true"], check=False, capture_output=True
        ).returncode
        != 0
    ):
        return "real nodes need the right to make namespaces"
    if image() is None:
        return "the real nodes' image is not built: run tests/nodes/image.sh (about 90 s)"
    return None


@pytest.fixture(scope="session")
def booted_lab() -> Iterator[NodeLab]:
    """The lab that all tests share: worker-0 to worker-2 and controller-0. Tests take `lab` instead."""
    reason = why_not()
    if reason is not None:
        if is_required():
            pytest.fail(f"{reason}, and they must run here", pytrace=False)
        pytest.skip(reason)
    found = image()
    assert found is not None
    with NodeLab(found) as lab:
        yield lab


@pytest.fixture
def lab(booted_lab: NodeLab) -> Iterator[NodeLab]:
    """Real Linux nodes as they stand before lab 11; brought back, and checked, after each test."""
    yield booted_lab
    booted_lab.reset()


@pytest.fixture
def inside_lab(lab: NodeLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeLab]:
    """The lab, with the test itself (its thread, and all that it starts) where the person sits."""
    for name in [name for name in os.environ if name.startswith(("LINODE_", "XDG_", "SSH_"))]:
        monkeypatch.delenv(name)
    for name, value in lab.environment().items():
        monkeypatch.setenv(name, value)
    with lab.inside():
        yield lab


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all tests on real nodes in one process: there is one lab."""
    for item in items:
        if item.get_closest_marker("nodes") is not None:
            item.add_marker(pytest.mark.xdist_group("nodes"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests ran on real nodes."""
    counts = dict.fromkeys(("ran", "skipped"), 0)
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if isinstance(report, pytest.TestReport) and "nodes" in report.keywords:
                if outcome == "skipped":
                    counts["skipped"] += 1
                elif report.when == "call":
                    counts["ran"] += 1
    if any(counts.values()):
        terminalreporter.write_line(f"real nodes: {counts['ran']} tests ran, {counts['skipped']} skipped")
