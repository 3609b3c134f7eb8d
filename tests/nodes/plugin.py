"""The pytest side of the lab of real nodes: where it can run, one lab for all tests, what is said at the end.

Tests that take it are marked `nodes`. Those of one flavour run one after another, in one process, however many others
there are.
Where the machine cannot run them they are skipped with the reason; in CI they fail.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.nodes.flavours import Flavour
from tests.nodes.lab import NodeLab

_PROGRAMS: Final = ("systemd-nspawn", "nsenter", "ip", "nft", "mount", "ssh", "ssh-keygen")
_BUILD_IMAGE: Final = Path(__file__).with_name("image.sh")
_ENVIRONMENT: Final = dict(os.environ)
"""As it was before any test redirected HOME."""

_SHARES: Final = 3
"""Into how many processes the tests on Linode's nodes are dealt."""

_SECONDS: Final = {
    "test_blame": 7,
    "test_commit_within": 8,
    "test_export": 10,
    "test_faults_silence": 15,
    "test_persistence": 8,
    "test_proof_layers": 4,
    "test_undo_kills": 60,
}
"""How long a test of a module takes on Linode's nodes, where it is not about two seconds."""


def is_required() -> bool:
    """Whether tests on real nodes must run here."""
    return os.environ.get("CI") == "true" or os.environ.get("KTHW_ROUTES_REQUIRE_NODES") == "1"


def image() -> Path | None:
    """The nodes' image; None where none is built."""
    found = subprocess.run([_BUILD_IMAGE, "--if-built"], env=_ENVIRONMENT, capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def unsupported_reason() -> str | None:
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


def _require_image() -> Path:
    """The nodes' image; the test is skipped, or fails, where nodes cannot run."""
    reason = unsupported_reason()
    if reason is not None:
        if is_required():
            pytest.fail(f"{reason}, and they must run here", pytrace=False)
        pytest.skip(reason)
    found = image()
    assert found is not None
    return found


@pytest.fixture
def lab(booted_lab: NodeLab) -> Iterator[NodeLab]:
    """Real Linux nodes as they stand before lab 11; brought back, and checked, after each test."""
    yield booted_lab
    booted_lab.reset()


@pytest.fixture
def inside_lab(lab: NodeLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeLab]:
    """The lab, with the test itself (its thread, and all that it starts) where the person sits."""
    with _inside(lab, monkeypatch):
        yield lab


@pytest.fixture(params=list(Flavour))
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Every flavour in turn; `parametrize("flavour", [Flavour.NETPLAN], indirect=True)` chooses."""
    return Flavour(request.param)


class BootedLabs:
    """The lab that the tests of a flavour share: Linode's throughout, of the others one at a time."""

    def __init__(self) -> None:
        self._labs: dict[Flavour, tuple[NodeLab, ExitStack]] = {}

    def get(self, flavour: Flavour) -> NodeLab:
        """Boot it where it does not run."""
        if flavour not in self._labs:
            self.close(self._labs.keys() - {Flavour.LINODE})
            stack = ExitStack()
            self._labs[flavour] = stack.enter_context(NodeLab(_require_image(), flavour=flavour)), stack
        return self._labs[flavour][0]

    def close(self, flavours: Iterable[Flavour] = tuple(Flavour)) -> None:
        """Switch off those that run."""
        for flavour in flavours:
            if flavour in self._labs:
                _, stack = self._labs.pop(flavour)
                stack.close()


@pytest.fixture(scope="session")
def booted_labs() -> Iterator[BootedLabs]:
    """The labs of this process."""
    labs = BootedLabs()
    yield labs
    labs.close()


@pytest.fixture(scope="session")
def booted_lab(booted_labs: BootedLabs) -> NodeLab:
    """The lab of most tests: worker-0 to worker-2 and controller-0, as on Linode. Tests take `lab` instead."""
    return booted_labs.get(Flavour.LINODE)


@pytest.fixture
def flavour_lab(booted_labs: BootedLabs, flavour: Flavour) -> Iterator[NodeLab]:
    """Real nodes of the test's `flavour` as they stand before lab 11; brought back, and checked, after each test."""
    lab = booted_labs.get(flavour)
    yield lab
    lab.reset()


@pytest.fixture
def inside_flavour_lab(flavour_lab: NodeLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeLab]:
    """The lab of the test's `flavour`, with the test itself where the person sits."""
    with _inside(flavour_lab, monkeypatch):
        yield flavour_lab


@contextmanager
def _inside(lab: NodeLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith(("LINODE_", "XDG_", "SSH_"))]:
        monkeypatch.delenv(name)
    for name, value in lab.environment().items():
        monkeypatch.setenv(name, value)
    with lab.inside():
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests on real nodes of one flavour in one process, and one after another: they share a lab.

    Linode's are most of them, and mostly wait: they are dealt to several processes, a module as a whole.
    """
    on_nodes = [item for item in items if item.get_closest_marker("nodes") is not None]
    shares = _shares([item.path.stem for item in on_nodes if _flavour_of(item) is Flavour.LINODE])
    for item in on_nodes:
        flavour = _flavour_of(item)
        share = shares[item.path.stem] if flavour is Flavour.LINODE else 0
        item.add_marker(pytest.mark.xdist_group(f"nodes-{flavour}-{share}"))
    # What takes longest begins first; of real nodes a flavour after the other, as each has a lab of its own.
    flavours = list(Flavour)
    items.sort(key=lambda item: (item.get_closest_marker("nodes") is None, flavours.index(_flavour_of(item))))


def _shares(modules: list[str]) -> dict[str, int]:
    """The share that each module goes to, so that all take about as long; named once for each of its tests."""
    seconds: dict[str, float] = {}
    for module in modules:
        seconds[module] = seconds.get(module, 0) + _SECONDS.get(module, 2)
    filled = [0.0] * _SHARES
    found = {}
    for module in sorted(seconds, key=lambda name: (-seconds[name], name)):
        found[module] = filled.index(min(filled))
        filled[found[module]] += seconds[module]
    return found


def _flavour_of(item: pytest.Item) -> Flavour:
    parameters = getattr(item, "callspec", None)  # none where a test has no parameters
    return Flavour(parameters.params.get("flavour", Flavour.LINODE)) if parameters is not None else Flavour.LINODE


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Say in the last line how many tests ran on real nodes, and what did not run and why."""
    yield
    ran, left_out = 0, Counter[str]()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if not isinstance(report, pytest.TestReport):
                continue
            if outcome == "skipped" and isinstance(report.longrepr, tuple):
                left_out[report.longrepr[2].removeprefix("Skipped: ")] += 1
            elif report.when == "call" and "nodes" in report.keywords:
                ran += 1
    if ran or left_out:
        reasons = ", ".join(f"{count} ({reason})" for reason, count in left_out.most_common())
        terminalreporter.write_line(f"{ran or 'no'} tests ran on real nodes; not run: {reasons or 'none'}")
