"""The stages, one after the other: each journey runs on both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kthw_routes.demo.api.server import LinodeApi
from tests.journeys.faults import Faults
from tests.journeys.forked import ensure_server
from tests.journeys.model_faults import ModelFaults
from tests.journeys.node_faults import NodeFaults
from tests.journeys.stage import Model, RealNodes, Stage, account_of
from tests.model.lab import BreakableLab
from tests.nodes.lab import NodeLab

STAGES = ["embedded lab", pytest.param("real nodes", marks=pytest.mark.nodes)]


@pytest.fixture(scope="session", autouse=True)
def _tool_is_loaded() -> None:
    """Before any test enters a network namespace or another folder."""
    ensure_server()


def _stage(request: pytest.FixtureRequest, home: Path, region: str) -> Iterator[Stage]:
    if request.param == "embedded lab":
        with BreakableLab(region) as lab:
            yield Model(lab, home)
        return
    nodes: NodeLab = request.getfixturevalue("inside_lab")
    with LinodeApi(account_of(nodes, region)) as api:
        yield RealNodes(nodes, api)


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A cluster as it stands before lab 11."""
    yield from _stage(request, tmp_path, "ca-central")


@pytest.fixture(params=STAGES)
def london(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """The same in eu-west, where the provider drops packets with pod addresses."""
    for stage in _stage(request, tmp_path, "eu-west"):
        stage.filter_pods()
        yield stage


@pytest.fixture
def faults(stage: Stage) -> Faults:
    """What can be broken on the stage's nodes."""
    if isinstance(stage, RealNodes):
        return NodeFaults(stage)
    assert isinstance(stage, Model)
    return ModelFaults(stage)
