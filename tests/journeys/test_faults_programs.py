"""Hosts on which a program is missing, too old, or another one of the same name."""

import re

import pytest

from tests.journeys.faults import Faults
from tests.journeys.looking import NODES, is_done, others, tables
from tests.journeys.stage import ON_MODEL, WORKERS, Model, Stage
from tests.model.hosts import use_old_ip

BUSYBOX = b"BusyBox v1.36.1 (2023-07-27 17:12:24 UTC) multi-call binary.\n\nUsage: ip [OPTIONS] address|route|link\n"


@ON_MODEL
def test_without_ping_the_host_is_changed_and_the_proof_says_what_is_missing(stage: Stage, faults: Faults) -> None:
    faults.remove("worker-1", "ping")
    answer = stage.tool("apply", "--yes")
    assert answer.code == 1
    assert is_done(stage, *NODES)
    assert "Not proved: 2 of 6 pairs could not be tested." in answer.out
    untested = re.findall(r"^Not tested, (.*): (.*)\.$", answer.out, re.MULTILINE)
    # Whoever is asked needs no ping.
    assert untested == [("ping is not installed on worker-1", "worker-1 → worker-0, worker-1 → worker-2")]


@ON_MODEL
def test_busybox_s_ip_is_not_enough(stage: Stage, faults: Faults) -> None:
    faults.wrap("worker-1", "ip", err=BUSYBOX, status=1)
    answer = stage.tool("apply", "--yes", "--no-probe")
    assert answer.code == 1
    assert (
        "✗ skip host: worker-1: there is no usable `ip` command (busybox has its own, which is not enough).\n"
        "    Install iproute2: `apk add iproute2` on Alpine, `apt install iproute2` on Debian and Ubuntu.\n"
    ) in answer.out
    assert is_done(stage, *others("worker-1"))


@ON_MODEL
def test_a_host_without_ip_is_skipped(stage: Stage, faults: Faults) -> None:
    faults.remove("controller-0", "ip")
    answer = stage.tool("apply", "--yes", "--no-probe")
    assert answer.code == 1
    assert "✗ skip host: controller-0: there is no usable `ip` command" in answer.out
    assert is_done(stage, *others("controller-0"))


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
def test_an_iproute2_that_prints_no_json_for_routes_is_read_as_text(stage: Stage) -> None:
    """On the model only, which prints what 4.15 was measured to print: the real nodes have a newer one."""
    assert isinstance(stage, Model)
    for worker in WORKERS:
        use_old_ip(stage.lab.topology.hosts[worker])
    stage.run("worker-0", f"ip route add 10.200.1.0/24 via {stage.internal('worker-2')} metric 7")
    answer = stage.tool("apply", "--yes")
    assert answer.code == 0, answer.out
    assert "has    via 192.168.152.166 metric 7, proto boot" in answer.out
    assert is_done(stage, *NODES)
    before = tables(stage)
    assert "Nothing to do: every route and name is as it should be." in stage.tool("apply", "--yes").out
    assert tables(stage) == before
