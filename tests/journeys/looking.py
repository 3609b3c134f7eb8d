"""What journeys look at: the routes of a worker, all that the tool might change, the tool's sentences."""

import re
import select
import time
from collections.abc import Callable

from tests.journeys.running import Answer
from tests.journeys.stage import WORKERS, Stage

POD_CIDRS = {name: f"10.200.{number}.0/24" for number, name in enumerate(WORKERS)}
NODES = (*WORKERS, "controller-0")


def comes_true(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what a node does by its own clock, and look every tenth of a second."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"it never came in {seconds} s"
        select.select([], [], [], 0.1)


def pod_routes(stage: Stage, worker: str) -> dict[str, str]:
    """Prefix -> the rest of the line, as `ip route` on the worker prints it."""
    lines = stage.run(worker, "ip route show root 10.200.0.0/16").splitlines()
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}


def wanted(stage: Stage, worker: str) -> dict[str, str]:
    """What `pod_routes` should be after a run."""
    return {POD_CIDRS[other]: f"via {stage.internal(other)} dev eth0 proto 200" for other in WORKERS if other != worker}


def is_through_overlay(stage: Stage, worker: str) -> bool:
    """Whether a worker's routes to the pods of the others lead through the overlay."""
    others = [n for n, name in enumerate(WORKERS) if name != worker]
    through = {f"10.200.{n}.0/24": f"via 10.200.{n}.0 dev kthw-routes0 proto 200 onlink" for n in others}
    return through.items() <= pod_routes(stage, worker).items()


def is_done(stage: Stage, *nodes: str) -> bool:
    """Whether these nodes have all routes and names."""
    return all(
        pod_routes(stage, node) == wanted(stage, node)
        if node in WORKERS
        else names_block(stage) in stage.run(node, "cat /etc/hosts")
        for node in nodes
    )


def others(node: str) -> tuple[str, ...]:
    """The nodes that both stages have, but for one."""
    return tuple(name for name in NODES if name != node)


def names_block(stage: Stage) -> str:
    """The block in /etc/hosts that the tool writes."""
    rows = "".join(f"{stage.internal(worker)} {worker}\n" for worker in WORKERS)
    return f"# BEGIN kthw-routes\n{rows}# END kthw-routes\n"


def tables(stage: Stage) -> dict[str, str]:
    """Everything that the tool might change, on every node."""
    return {node: stage.run(node, "ip route show; ip -4 -o address show; cat /etc/hosts; ls -a /etc") for node in NODES}


def state(answer: Answer, node: str) -> str:
    """How a node ended, by the report."""
    found = re.findall(rf"^{node}: (.*)$", answer.out, re.MULTILINE)
    assert found, answer.out + answer.err
    return str(found[0])
