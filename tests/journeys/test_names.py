"""Names in a controller's /etc/hosts: right is what resolves right, for plan, check and apply alike."""

import pytest

from tests.journeys.stage import WORKERS, Stage

CONTROLLER = "controller-0"
HEAD = "127.0.0.1 localhost\n127.0.1.1 controller-0\n"


def _lines(stage: Stage, shape: str) -> str:
    return "".join(shape.format(ip=stage.internal(worker), name=worker) for worker in WORKERS)


def _names(stage: Stage) -> dict[str, str]:
    """What the node's own resolver makes of each name."""
    return {w: stage.run(CONTROLLER, f"getent hosts {w} | head -n 1").partition(" ")[0] for w in WORKERS}


def _right(stage: Stage) -> dict[str, str]:
    return {worker: stage.internal(worker) for worker in WORKERS}


@pytest.mark.parametrize(
    "shape",
    ["{ip} {name}.kubernetes.local {name}\n", "{ip}\t{name} # rack 1\r\n", " {ip} w {name}\n"],
    ids=["lab 3", "comments and DOS line ends", "second of two"],
)
def test_right_lines_of_any_shape_are_kept(stage: Stage, shape: str) -> None:
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    content = (HEAD + _lines(stage, shape)).encode()
    stage.put(CONTROLLER, "/etc/hosts", content)
    found = stage.tool("plan", "--exit-code")
    assert found.code == 0, found.out
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    assert stage.content(CONTROLLER, "/etc/hosts") == content
    if stage.name == "real nodes":
        assert _names(stage) == _right(stage)


def test_a_stale_line_above_our_block_is_drift_until_it_counts_no_more(stage: Stage) -> None:
    """It is left alone, as it has another name too: our block goes above it."""
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    stale = "192.168.138.99 worker-0.kubernetes.local worker-0\n"
    before = stale.encode() + stage.content(CONTROLLER, "/etc/hosts")
    stage.put(CONTROLLER, "/etc/hosts", before)
    found = stage.tool("check", "--no-probe")
    assert found.code == 3
    assert f"line 1 says 192.168.138.99: {stale.strip()}; ours goes above it" in found.out
    assert stage.internal("worker-0") in found.out
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    after = stage.content(CONTROLLER, "/etc/hosts").decode()
    assert after.index(f"{stage.internal('worker-0')} worker-0\n") < after.index(stale)
    if stage.name == "real nodes":
        assert _names(stage) == _right(stage)
    assert stage.tool("check", "--no-probe").code == 0
    assert stage.tool("undo", "--yes").code == 0
    assert stage.content(CONTROLLER, "/etc/hosts") == before
