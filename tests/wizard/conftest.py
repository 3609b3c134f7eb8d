"""A practice lab per test, and settings that lead there without asking for host keys."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kthw_routes.options import Settings
from tests.model.lab import BreakableLab


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the person's own counts or is written to."""
    for name in ("LINODE_TOKEN", "LINODE_CLI_TOKEN", "LINODE_API_TOKEN", "LINODE_URL", "TEXTUAL_THEME", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for name in ("home", "folder"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "folder")


@pytest.fixture(autouse=True)
def _drawn_when_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual draws 60 times a second while anything changes; a driver that settles has it drawn by itself."""
    monkeypatch.setattr("textual.screen.UPDATE_PERIOD", 0.25)


@pytest.fixture(params=["ca-central"])
def region(request: pytest.FixtureRequest) -> str:
    """Where the lab stands; a test that wants another says so."""
    return str(request.param)


@pytest.fixture
def lab(region: str) -> Iterator[BreakableLab]:
    """A running practice lab."""
    with BreakableLab(region) as running:
        yield running


@pytest.fixture
def settings(lab: BreakableLab) -> Settings:
    """Settings that lead to the lab; new host keys are accepted, as other tests ask about those."""
    return replace(lab.settings, host_keys="accept-new")
