"""How many times a host is asked to run something: by phase, whatever is to be read, changed and written there."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kthw_routes.cli.prompts import TerminalAsker
from kthw_routes.events import discard
from kthw_routes.options import Options
from kthw_routes.overlay.model import Overlay
from kthw_routes.persistence.model import Persist
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.workflow.connect import connect, linode_source
from kthw_routes.workflow.workflow import Workflow
from tests.journeys.looking import NODES, is_done
from tests.journeys.stage import WORKERS, Stage

EVERYTHING = Options(persist=Persist.AUTO, ip_forward=True)
OVERLAID = Options(persist=Persist.AUTO, overlay=Overlay.VXLAN)


@contextmanager
def walk(stage: Stage, options: Options) -> Iterator[Workflow]:
    """A workflow within this process."""
    connections, state = connect(stage.settings, TerminalAsker(), default_host_keys="accept-new")
    workflow = Workflow(connections, options, state, discard)
    try:
        yield workflow
    finally:
        workflow.close()
        connections.close()


@pytest.fixture
def execs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, int]]:
    """How many there were since it was last asked, by host."""
    counted: Counter[str] = Counter()
    real = SshSession._exchange

    def exchange(session: SshSession, *arguments: Any) -> int:
        counted[session.node] += 1
        return real(session, *arguments)

    monkeypatch.setattr(SshSession, "_exchange", exchange)

    def since() -> dict[str, int]:
        found = dict(counted)
        counted.clear()
        return found

    return since


@pytest.mark.parametrize(
    "options",
    [Options(), EVERYTHING, OVERLAID],
    ids=["routes and names", "with files and forwarding", "through an overlay"],
)
def test_a_host_is_read_twice_and_changed_once(
    stage: Stage, execs: Callable[[], dict[str, int]], options: Options
) -> None:
    """The second reading is for what the first one's answers decide. Comparing, changing, reading back are one."""
    with walk(stage, options) as workflow:
        inspection = workflow.inspect(workflow.find(linode_source(stage.settings)).cluster)
        assert set(execs().values()) == {2}
        report = workflow.run(workflow.review(inspection))
        assert execs() == dict.fromkeys(inspection.facts, 1)
        assert not report.unfinished
        assert options.overlay or is_done(stage, *NODES)
        proof = workflow.prove(inspection, fresh=report.read_back)
        assert set(execs()) == set(WORKERS), "what was read back is not read again"
        assert proof.is_proved
    with walk(stage, options) as workflow:
        inspection = workflow.inspect(workflow.find(linode_source(stage.settings)).cluster)
        assert set(execs().values()) == {2}
        assert not workflow.run(workflow.review(inspection)).unfinished
        assert execs() == {}, "nothing is to be done"


def test_a_host_that_was_changed_meanwhile_is_compared_then_read(
    stage: Stage, execs: Callable[[], dict[str, int]]
) -> None:
    with walk(stage, Options()) as workflow:
        inspection = workflow.inspect(workflow.find(linode_source(stage.settings)).cluster)
        review = workflow.review(inspection)
        stage.run("worker-1", "ip route add 10.77.0.0/24 dev lo")
        execs()
        assert not workflow.run(review).unfinished
        assert execs() == {**dict.fromkeys(inspection.facts, 1), "worker-1": 3}
        assert is_done(stage, *NODES)
