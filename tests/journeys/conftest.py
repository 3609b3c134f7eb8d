"""The stages, one after the other: each journey runs on both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kthw_routes.demo.linode_api import LinodeApi
from tests.journeys.stage import RealNodes, Stage, account_of
from tests.nodes.lab import NodeLab


@pytest.fixture(params=[pytest.param("real nodes", marks=pytest.mark.nodes)])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A cluster as it stands before lab 11."""
    lab: NodeLab = request.getfixturevalue("inside_lab")
    with LinodeApi(account_of(lab)) as api:
        yield RealNodes(lab, api.url)


@pytest.fixture(params=[pytest.param("real nodes", marks=pytest.mark.nodes)])
def london(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """The same in eu-west, where the provider drops packets with pod addresses."""
    lab: NodeLab = request.getfixturevalue("inside_lab")
    with LinodeApi(account_of(lab, "eu-west")) as api:
        lab.filter_pods()
        yield RealNodes(lab, api.url)
