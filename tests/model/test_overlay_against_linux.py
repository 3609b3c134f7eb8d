"""The overlay on the modelled kernel and on the real one: the same commands, and what is read of them afterwards."""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kthw_routes.demo.host import ModelHost
from kthw_routes.facts import Route
from kthw_routes.hosts import programs
from kthw_routes.iproute2.output import parse_addresses, parse_routes
from kthw_routes.overlay import device as words
from kthw_routes.overlay import table
from kthw_routes.overlay.model import DEVICE, NOTHING, OverlayState, mac_of, wanted_state
from kthw_routes.plan.changes import ChangeKind, OverlayChange
from kthw_routes.record.json_overlay import overlay_from_json, overlay_json
from kthw_routes.record.json_values import Value
from kthw_routes.ssh.command import Command
from tests.model.linux import RealKernel, Settings, model, unavailable
from tests.unit.builders import ip, net

pytestmark = pytest.mark.kernel

Shell = Callable[[str], tuple[int, str, str]]
OWN, PEERS = (
    ip("192.168.128.10"),
    ((ip("192.168.128.11"), net("10.200.1.0/24")), (ip("192.168.128.12"), net("10.200.2.0/24"))),
)
FIRST = wanted_state(OWN, net("10.200.0.0/24"), 1500, PEERS)
assert FIRST.device is not None
MOVED = replace(
    wanted_state(OWN, net("10.200.0.0/24"), 1400, ((ip("192.168.128.77"), net("10.200.1.0/24")),)),
    forwarding=frozenset({(mac_of(ip("192.168.128.77")), ip("192.168.128.78"))}),
)
REBUILT = wanted_state(ip("192.168.128.20"), net("10.200.0.0/24"), 1500, PEERS[:1])
OTHER_MAC = replace(FIRST, device=replace(FIRST.device, mac="02:00:00:00:00:07"))
DOWN = replace(FIRST, device=replace(FIRST.device, is_up=False), neighbours=frozenset(), accepts=None)
LONELY = wanted_state(OWN, net("10.200.0.0/24"), None, ())


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Shell]:
    if reason := unavailable():
        pytest.skip(reason)
    kernel = RealKernel(tmp_path)
    kernel.run([], Settings())

    def run(text: str) -> tuple[int, str, str]:
        done = subprocess.run(
            ["ip", "netns", "exec", kernel.name, "sh", "-c", text], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    yield run
    kernel.close()


@pytest.fixture
def modelled() -> Shell:
    return shell_of(model(Settings()))


def shell_of(host: ModelHost) -> Shell:
    def run(text: str) -> tuple[int, str, str]:
        out, err = bytearray(), bytearray()
        status = host.execute(text, stdout=out.extend, stderr=err.extend)
        return status, out.decode(), err.decode()

    return run


def read(run: Shell) -> OverlayState:
    """What is read of the overlay, as `read_overlay` does it."""

    def out(command: Command) -> str:
        status, text, _ = run(str(command))
        return text if status == 0 else ""

    found, problem, others = words.parse_devices(out(programs.vxlan_devices()))
    accepts, strange = table.parse(out(programs.overlay_table()))
    assert (problem, strange, others) == (None, None, ())
    addresses = parse_addresses(out(programs.addresses()))
    return OverlayState(
        device=found,
        addresses=frozenset(a.address for a in addresses if a.device == DEVICE),
        neighbours=words.parse_neighbours(out(programs.overlay_neighbours())),
        forwarding=words.parse_forwarding(out(programs.overlay_forwarding())),
        accepts=accepts,
    )


def routes(run: Shell) -> tuple[Route, ...]:
    found = parse_routes(run(str(programs.routes()))[1])
    return tuple(r for r in found if r.device == DEVICE)


@pytest.mark.parametrize("where", ["real", "modelled"])
def test_each_state_becomes_the_next_and_is_read_as_it_was_made(where: str, request: pytest.FixtureRequest) -> None:
    run: Shell = request.getfixturevalue(where)
    run("ip address add 192.168.128.10/17 dev eth0")
    now = NOTHING
    for state in (FIRST, MOVED, DOWN, FIRST, OTHER_MAC, FIRST, REBUILT, LONELY, FIRST):
        change = OverlayChange(kind=ChangeKind.REPLACE, before=now, after=state, routes=routes(run), reason="")
        for command in change.commands:
            assert run(command) == (0, "", ""), command
        now = read(run)
        assert now == state
        if state is FIRST:
            assert run("ip route replace 10.200.1.0/24 via 10.200.1.0 dev kthw-routes0 onlink proto 200") == (0, "", "")
    (kept,) = routes(run)
    assert (kept.prefix, kept.gateway, kept.protocol) == (net("10.200.1.0/24"), ip("10.200.1.0"), "200")
    back = OverlayChange(kind=ChangeKind.ADD, before=NOTHING, after=FIRST, reason="")
    for command in back.undo_commands:
        assert run(command) == (0, "", ""), command
    assert read(run) == NOTHING
    assert not routes(run)


def test_a_device_that_is_made_again_keeps_its_routes(real: Shell, modelled: Shell) -> None:
    for run in (real, modelled):
        run("ip address add 192.168.128.10/17 dev eth0")
        for command in OverlayChange(kind=ChangeKind.ADD, before=NOTHING, after=FIRST, reason="").commands:
            run(command)
        run("ip route add 10.200.1.0/24 via 10.200.1.0 dev kthw-routes0 onlink proto 200")
        before = routes(run)
        again = OverlayChange(kind=ChangeKind.REPLACE, before=FIRST, after=REBUILT, routes=before, reason="")
        for command in again.commands:
            assert run(command) == (0, "", ""), command
        assert routes(run) == before != ()


@pytest.mark.parametrize(
    "command", [programs.overlay_neighbours(), programs.overlay_forwarding(), programs.overlay_table()]
)
def test_what_is_not_there_is_refused_in_the_same_way(real: Shell, modelled: Shell, command: Command) -> None:
    there, here = real(str(command)), modelled(str(command))
    assert (bool(here[0]), here[1]) == (bool(there[0]), there[1]) == (True, "")
    assert here[2].splitlines()[0] == there[2].splitlines()[0]


@pytest.mark.parametrize("where", ["real", "modelled"])
@pytest.mark.parametrize("before", [NOTHING, MOVED])
def test_a_rollback_undoes_what_is_as_the_run_left_it_and_nothing_else(
    where: str, before: OverlayState, request: pytest.FixtureRequest
) -> None:
    run: Shell = request.getfixturevalue(where)
    run("ip address add 192.168.128.10/17 dev eth0")
    for state, then in ((FIRST, before), (OTHER_MAC, OTHER_MAC)):
        change = OverlayChange(kind=ChangeKind.REPLACE, before=before, after=FIRST, reason="")
        for command in OverlayChange(kind=ChangeKind.REPLACE, before=read(run), after=state, reason="").commands:
            assert run(command) == (0, "", ""), command
        assert run("\n".join(change.guarded_undo))[0] == 0
        assert read(run) == then


@pytest.mark.parametrize("where", ["real", "modelled"])
def test_a_rollback_undoes_a_run_that_broke_off_between_the_table_and_the_device(
    where: str, request: pytest.FixtureRequest
) -> None:
    run: Shell = request.getfixturevalue(where)
    change = OverlayChange(kind=ChangeKind.ADD, before=NOTHING, after=FIRST, reason="")
    assert run(change.commands[0]) == (0, "", "")
    assert read(run) == replace(NOTHING, accepts=FIRST.accepts)
    run("\n".join(change.guarded_undo))
    assert read(run) == NOTHING


def test_entries_of_others_in_its_forwarding_database_come_back(real: Shell) -> None:
    """One of them has two destinations; the record has both."""
    odd = ("00:00:00:00:00:00", ip("192.168.128.8")), ("00:00:00:00:00:00", ip("192.168.128.9"))
    before = replace(FIRST, forwarding=FIRST.forwarding | {*odd, ("01:00:5e:00:00:01", ip("192.168.128.8"))})
    real("ip address add 192.168.128.10/17 dev eth0")
    for command in OverlayChange(kind=ChangeKind.ADD, before=NOTHING, after=before, reason="").commands:
        assert real(command) == (0, "", ""), command
    assert read(real) == before == overlay_from_json(Value(json.loads(json.dumps(overlay_json(before)))))
    change = OverlayChange(kind=ChangeKind.REPLACE, before=before, after=FIRST, reason="")
    for commands, state in ((change.commands, FIRST), (change.undo_commands, before)):
        for command in commands:
            assert real(command) == (0, "", ""), command
        assert read(real) == state


def test_a_device_of_others_with_our_name_is_left_alone(real: Shell) -> None:
    real("ip link add kthw-routes0 type bridge")
    before = real("ip -d link show dev kthw-routes0; ip addr show dev kthw-routes0; ip neigh")
    change = OverlayChange(kind=ChangeKind.ADD, before=NOTHING, after=FIRST, reason="")
    command = programs.change_overlay_device(change.ip_lines)
    assert command.stdin is not None
    status, _, said = real(f"{command} <<'END'\n{command.stdin.decode()}END")
    assert status != 0
    assert "File exists" in said
    assert real("ip -d link show dev kthw-routes0; ip addr show dev kthw-routes0; ip neigh") == before
