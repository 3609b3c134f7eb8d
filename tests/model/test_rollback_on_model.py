"""The script with which a host goes back by itself, run by the modelled shell against the modelled kernel."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Interface

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.net.links import LinkAddress
from kthw_routes.demo.pods import add_pod
from kthw_routes.demo.shell.pipes import reading
from kthw_routes.events import Phase
from kthw_routes.facts import HostKey, Privilege
from kthw_routes.hosts import rollback_timer
from kthw_routes.hosts.rollback_script import script
from kthw_routes.hosts.rollback_timer import StillSet
from kthw_routes.hosts.task import HostTask
from kthw_routes.persistence import paths as own_paths
from kthw_routes.plan.changes import ChangeKind, ForwardingChange, HostPlan
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.session import OnLine, Watch
from kthw_routes.ssh.shell_line import Step
from tests.model.test_plan_on_model import NODE, _mess, look, messy_host, plan, run, send

RUN = "20261122T101500Z-1abc"
HERE = own_paths.rollback_script(RUN)
ROUTE = "10.200.1.0/24"


def go_back(host: ModelHost, made: HostPlan) -> None:
    """What systemd does when the time has come; what the kernel refuses is no matter."""
    host.files.put(str(HERE), script(made, HERE))
    host.execute(f"sh {HERE}", stdout=lambda _: None, stderr=lambda _: None)


@given(_mess, st.booleans(), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_however_far_the_run_came_the_host_goes_back(mess: list[str], prune: bool, sent: int) -> None:
    host = messy_host(mess)
    before = look(host).routes
    made = plan(host, prune=prune)
    send(host, made.commands[:sent])
    go_back(host, made)
    restored = look(host).routes
    assert sorted(map(str, restored)) == sorted(map(str, before))
    if sent < len(made.commands):
        return  # of three routes of one key that were half done with, the order is not known to a script
    removed = {c.prefix for c in made.routes if c.kind is ChangeKind.REMOVE}
    assert [r for r in restored if r.prefix not in removed] == [r for r in before if r.prefix not in removed]


@pytest.mark.parametrize("before", [f"add {ROUTE} via 192.168.138.48", f"add {ROUTE} via 192.168.138.48 metric 50", ""])
@pytest.mark.parametrize("since", ["via 192.168.138.99", "via 192.168.138.99 proto static", "dev eth0"])
def test_a_route_that_somebody_changed_since_stays(before: str, since: str) -> None:
    host = messy_host([f"route {before}"] if before else [])
    made = plan(host)
    send(host, made.commands)
    run(host, f"ip route replace {ROUTE} {since}")
    there = run(host, f"ip route show exact {ROUTE}")
    go_back(host, made)
    assert run(host, f"ip route show exact {ROUTE}") == there
    assert run(host, "ip route show exact 10.200.2.0/24") == "", "what nobody touched goes back"


class Shell:
    """A session with a modelled host; what comes first happens there just before its first renaming."""

    def __init__(self, host: ModelHost, first: Callable[[], None]) -> None:
        self.node, self.user, self.privilege = host.name, "root", Privilege.ROOT
        self.host_key = HostKey("ssh-ed25519", "SHA256:x")
        self._host = host
        self._first: Callable[[], None] | None = first

    def open(self) -> None: ...

    def close(self) -> None: ...

    def run_script(self, steps: Sequence[Step], watch: Watch, /) -> None:
        """Run nothing ahead."""

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        if command.argv[0] == "mv" and self._first is not None:
            first, self._first = self._first, None
            first()
        out, err = bytearray(), bytearray()
        status = self._host.execute(str(command), stdin=reading(command.stdin), stdout=out.extend, stderr=err.extend)
        return Result(status, bytes(out), bytes(err))


@pytest.mark.parametrize("begins", ["before it is called off", "while it is called off", "never"])
def test_a_host_is_told_in_time_or_goes_back_and_nothing_between(begins: str) -> None:
    host = messy_host([])
    made = plan(host)
    send(host, made.commands)
    text = script(made, HERE)
    host.files.put(str(HERE), text)

    def fire() -> None:
        host.execute("sh", stdin=reading(text), stdout=lambda _: None, stderr=lambda _: None)

    shell = Shell(host, fire if begins == "before it is called off" else lambda: None)
    stays = rollback_timer.cancel(HostTask(shell, Phase.PROOF, lambda _: None), RUN)
    if begins == "while it is called off":
        fire()  # the shell had opened it by then
    assert stays is (begins != "before it is called off")
    assert bool(run(host, f"ip route show exact {ROUTE}")) is stays
    assert run(host, "ls -1 /run | grep kthw-routes-undo || true") == ""


def test_a_switch_that_cannot_be_taken_away_is_not_told_to_be_off() -> None:
    host = messy_host([])
    host.files.put(str(HERE), b"")
    host.files.directory(str(own_paths.claimed(HERE)))
    with pytest.raises(StillSet, match="could not be taken away: mv: cannot overwrite directory"):
        rollback_timer.cancel(HostTask(Shell(host, lambda: None), Phase.PROOF, lambda _: None), RUN)


FORWARDS = "cat /proc/sys/net/ipv4/ip_forward"


@pytest.mark.parametrize("since", ["nothing", "pods", "a bridge", "another bridge"])
def test_forwarding_goes_off_again_unless_pods_need_it_by_now(since: str) -> None:
    host = messy_host([])
    assert NODE.pod_cidr is not None
    made = HostPlan(NODE.name, (ForwardingChange(True, NODE.pod_cidr),))
    run(host, "sysctl -q -w net.ipv4.ip_forward=1")
    if since == "pods":
        add_pod(host, NODE.pod_cidr)
        run(host, "ip link set cnio0 down")
    elif since != "nothing":
        first = "10.200.0.1/24" if since == "a bridge" else "172.17.0.1/16"
        host.kernel.add_link("br0", kind="bridge", mac="02:00:00:00:00:09")
        host.kernel.add_address("br0", LinkAddress(IPv4Interface(first)))
    go_back(host, made)
    assert run(host, FORWARDS) == ("1\n" if since in ("pods", "a bridge") else "0\n")
