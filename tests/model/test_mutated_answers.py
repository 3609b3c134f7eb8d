"""Whatever one host answers, to whatever it is asked: it has facts or an error of its own, and the others go on.

A whole walk in the practice lab is recorded, then played again with one answer of worker-0 changed. What is asked of a
host later on is recorded with the rest, so that a reader that is added is tried here as well.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kthw_routes.cluster import Cluster, Endpoint, Node, Role
from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.linux.pods import pod_cidr
from kthw_routes.demo.topology import ADDRESSES
from kthw_routes.errors import OwnFault
from kthw_routes.facts import HostKey, Privilege
from kthw_routes.hosts import fleet
from kthw_routes.options import NamesOn, Options, RoutesOn
from kthw_routes.persistence.model import Persist
from kthw_routes.record.json_plan import plan_document, proof_json
from kthw_routes.record.transcript import head
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import HostError
from kthw_routes.ssh.session import OnLine, Watch
from kthw_routes.ssh.shell_line import Step
from kthw_routes.workflow.workflow import Workflow
from tests.model.pods import add_pod
from tests.unit.answering import run_steps, said
from tests.unit.builders import ip

from .hosts import cluster, run

HOSTILE = "worker-0"
OPTIONS = Options(
    names_on=NamesOn.ALL, routes_on=RoutesOn.ALL, persist=Persist.AUTO, ip_forward=True, prune=True, repair=True
)
"""All that makes a host be asked for something."""

Mutate = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """One command that the hostile host was asked, and which of those it was, from 0."""

    number: int
    command: str
    result: Result


class Played:
    """A session that a function answers."""

    def __init__(self, node: str, answer: Callable[[Command], Result]) -> None:
        self.node = node
        self.user = "root"
        self.host_key = HostKey("ssh-ed25519", f"SHA256:{node}")
        self.privilege = Privilege.ROOT
        self._answer = answer

    def open(self) -> None: ...

    def close(self) -> None: ...

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        return self._answer(command)

    def run_script(self, steps: Sequence[Step], watch: Watch, /) -> None:
        run_steps(self, steps, watch)


class Hosts:
    """The connections of a walk, whose hosts answer by a function of the node."""

    def __init__(self, answers: Callable[[str], Callable[[Command], Result]]) -> None:
        self._answers = answers
        self._sessions: dict[str, Played] = {}

    def session(self, node: Node) -> Played:
        return self._sessions.setdefault(node.name, Played(node.name, self._answers(node.name)))

    def accept_host_keys(self, unknown: Sequence[object]) -> bool:
        return False

    def was_rebuilt(self, node: str) -> None: ...

    def forget_refusals(self) -> None: ...

    def report_to(self, report: object) -> None: ...

    def detect_privilege(self, session: object) -> None: ...

    @property
    def described(self) -> Mapping[str, str | int | None]:
        return {}


def nodes() -> Cluster:
    return Cluster(
        tuple(
            Node(
                name,
                Role.WORKER if name.startswith("worker") else Role.CONTROLLER,
                Endpoint(public),
                internal=ip(private),
            )
            for name, (public, private) in ADDRESSES.items()
            if name != "controller-1"  # one of them is enough
        )
    )


def walk(hosts: Hosts, members: Cluster, *, to_the_end: bool = True) -> None:
    """Inspect, review, and to the end: run, prove; every document is made that is made of it."""
    with tempfile.TemporaryDirectory() as state:
        walk = Workflow(hosts, replace(OPTIONS), Path(state), lambda _: None)
        inspection = walk.inspect(members)
        assert all(isinstance(error, HostError) for error in inspection.troubles.values()), inspection.troubles
        assert inspection.troubles.keys() <= {HOSTILE}
        review = walk.review(inspection)
        planned = {host.node for host in review.plan.hosts}
        assert planned == {node.name for node in members} - inspection.troubles.keys()
        json.dumps(plan_document(review.inspection.cluster, review.plan, review.findings))
        assert all("\x1b" not in line for line in head(review.inspection.cluster, review.plan, review.findings))
        if to_the_end and not review.stops:  # a finding may stop all: two nodes that claim the same pod CIDR, say
            report = walk.run(review)
            proof = walk.prove(inspection)
            json.dumps(proof_json(proof))
            walk.finish(report, proof)
        walk.close()


def _with_pods_and_a_table(host: ModelHost, name: str) -> None:
    """Something of everything that is read: a pod, a wrong route, a stale one, a strange name."""
    if name == "worker-0":
        add_pod(host, pod_cidr(name))
        run(host, f"ip route add 10.200.1.0/24 via {ADDRESSES['worker-2'][1]} dev eth0 metric 100 mtu 1400")
        run(host, "ip route add blackhole 10.200.77.0/24 proto 200")
        run(host, "sysctl -q -w net.ipv4.ip_forward=0")


_FILES = (
    "/etc/netplan/90-kthw-routes.yaml",
    "/etc/systemd/system/kthw-routes.timer",
    "/etc/network/if-up.d/kthw-routes",
)
_HELD = f"network:\n  ethernets:\n    id0:\n      routes: [{{to: 10.200.1.0/24, via: {ADDRESSES['worker-1'][1]}}}]\n"
_TEMPLATE = "/etc/cloud/templates/hosts.debian.tmpl"
SETUPS: Mapping[str, Mapping[str, Result]] = {
    "lab": {},
    "netplan and cloud-init": {
        "networkctl --no-pager status": said(
            "* 2: eth0\n  Network File: /run/systemd/network/10-netplan-id0.network\n  State: routable (configured)\n"
        ),
        "netplan get": said("network:\n  version: 2\n  ethernets:\n    id0: {dhcp4: true, addresses: [10.0.0.1/8]}\n"),
        "find": said("\n".join(_FILES) + "\n/run/kthw-routes-undo-20261122T101500Z-1abc.sh\n"),
        "stat -c '%a %n %F'": said(
            "755 /run/systemd/system directory\n755 /etc/netplan directory\n644 /etc/cloud/cloud.cfg regular file\n"
            + "".join(f"600 {path} regular file\n" for path in _FILES)
        ),
        f"stat -c '%a %n %F' {_TEMPLATE}": said(f"644 {_TEMPLATE} regular file\n"),
        f"cat {_FILES[0]}": said(_HELD),
        f"cat {_FILES[2]}": said(f"ip route replace 10.200.1.0/24 via {ADDRESSES['worker-1'][1]} dev eth0\n"),
        f"cat {_TEMPLATE}": said("## template:jinja\n127.0.1.1 {{fqdn}}\n"),
        "grep -arsH -e manage_etc_hosts": said(
            "/etc/cloud/cloud.cfg:manage_etc_hosts: true\n/etc/os-release:ID=ubuntu\n/etc/os-release:ID_LIKE=debian\n"
        ),
        "systemctl is-enabled": said("enabled\n"),
        "systemctl is-active": said("active\n"),
    },
    "NetworkManager and ifupdown": {
        "networkctl": said(status=127, err="no such program"),
        "stat -c '%a %n %F'": said("755 /run/NetworkManager directory\n644 /run/network/ifstate regular file\n"),
        "cat /run/network/ifstate": said("lo=lo\neth0=eth0\n"),
        "nmcli": said("netplan-id0\n100 (connected)\n"),
    },
}
"""What the hostile host answers instead of the lab's: by the beginning of the command, the longest that fits."""


@cache
def recorded(setup: str = "lab") -> tuple[Mapping[str, Mapping[str, list[Result]]], tuple[Asked, ...]]:
    """(node -> command -> its answers in order), and what the hostile host was asked."""
    topology = cluster()
    found: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    asked: list[Asked] = []
    for name, host in topology.hosts.items():
        _with_pods_and_a_table(host, name)

    def live(node: str) -> Callable[[Command], Result]:
        def answer(command: Command) -> Result:
            instead = SETUPS[setup] if node == HOSTILE else {}
            begin = max((b for b in instead if str(command).startswith(b)), key=len, default=None)
            if begin is None:
                ran = run(topology.hosts[node], str(command), stdin=command.stdin)
                result = Result(ran.status, ran.out.encode("utf-8", "surrogateescape"), ran.err.encode())
            else:
                result = instead[begin]
            found[node][str(command)].append(result)
            if node == HOSTILE:
                asked.append(Asked(len(asked), str(command), result))
            return result

        return answer

    walk(Hosts(live), nodes())
    return found, tuple(asked)


def played(
    number: int, mutate: Mutate, *, setup: str = "lab", is_stderr: bool = False, status: int | None = None
) -> Hosts:
    """The recorded hosts; the hostile one's answer of this number, and each later one to the same command, changed."""
    answers, asked = recorded(setup)
    changed = asked[number].command
    first = sum(1 for a in asked[:number] if a.command == changed)

    def replayed(node: str) -> Callable[[Command], Result]:
        turns: dict[str, int] = defaultdict(int)

        def answer(command: Command) -> Result:
            known = answers[node].get(str(command), [Result(1, b"", b"no such thing")])
            turn = turns[str(command)]
            turns[str(command)] += 1
            result = known[min(turn, len(known) - 1)]
            if node != HOSTILE or str(command) != changed or turn < first:
                return result
            out = result.stdout if is_stderr else mutate(result.stdout)
            err = mutate(result.stderr) if is_stderr else result.stderr
            return Result(result.status if status is None else status, out, err)

        return answer

    return Hosts(replayed)


@pytest.fixture(scope="module")
def faults() -> Iterator[list[BaseException]]:
    """Exceptions of a host's work that are no errors for people, wherever they were met."""
    found: list[BaseException] = []

    def noted(error: BaseException) -> OwnFault:
        found.append(error)
        return OwnFault(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleet, "OwnFault", noted)
        yield found


def tried(faults: list[BaseException], hosts: Hosts, *, to_the_end: bool) -> None:
    faults.clear()
    walk(hosts, nodes(), to_the_end=to_the_end)
    if faults:
        raise AssertionError("a fault of ours") from faults[0]


def test_what_is_recorded_plays_again(faults: list[BaseException]) -> None:
    """Also names what is covered: all that is asked before, while and after something is changed."""
    tried(faults, played(0, lambda out: out), to_the_end=True)
    programs = {asked.command.split()[0] for setup in SETUPS for asked in recorded(setup)[1]}
    assert programs >= {"ip", "cat", "hostname", "ls", "find", "stat", "ping", "dd", "mv", "grep"}
    assert programs >= {"networkctl", "netplan", "nmcli", "systemctl", "sysctl"}


# --- what may become of an answer ---------------------------------------------------------------------------------

NUMBERS: tuple[object, ...] = (-1, 0, 2**31, 2**32, 10**11, 2**64, 10**400, -5.5, float("nan"), float("inf"))
TEXTS: tuple[object, ...] = (
    "",
    "¹²",
    "١٢",
    "1_0",
    "0x1ff",
    "1e400",
    "-force",
    "a b",
    "\x1b]0;x\x07",
    "\u202ex",
    "x" * 70_000,
)
OTHERS: tuple[object, ...] = (None, True, False, [], {}, [None], [[[]]], {"": {}}, [{"family": "inet"}])
VALUES = st.sampled_from((*NUMBERS, *TEXTS, *OTHERS))


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from _places(inner, (*path, key))


def _changed(value: Any, path: tuple[Any, ...], new: object, *, delete: bool) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and delete:
        del copy[path[0]]
    else:
        copy[path[0]] = _changed(copy[path[0]], path[1:], new, delete=delete)
    return copy


@st.composite
def of_json(draw: st.DrawFn, text: str) -> str:
    """One value of a document replaced, or taken out, or given twice."""
    lines = text.splitlines(keepends=True)
    if len(lines) > 1 and all(line.startswith("[") for line in lines):  # of several readings in one process
        at = draw(st.integers(0, len(lines) - 1))
        return "".join([*lines[:at], draw(of_json(lines[at])), *lines[at + 1 :]])
    document, end = json.JSONDecoder().raw_decode(text.lstrip())
    rest = text.lstrip()[end:]  # of a file that follows
    path = draw(st.sampled_from(list(_places(document))))
    new = draw(VALUES)
    printed = json.dumps(_changed(document, path, new, delete=draw(st.booleans())))
    if path and isinstance(path[-1], str) and draw(st.booleans()):
        key = json.dumps(path[-1])
        return text.replace(f"{key}:", f"{key}: {json.dumps(new)}, {key}:", 1)
    return printed.replace('"1e400"', "1e400") + rest


@st.composite
def of_text(draw: st.DrawFn, text: str) -> str:
    """One word replaced, a line taken out or said again, or the end cut off."""
    words = text.split(" ")
    at = draw(st.integers(0, len(words) - 1))
    new = str(draw(VALUES))
    lines = text.splitlines(keepends=True) or [""]
    line = draw(st.integers(0, len(lines) - 1))
    return draw(
        st.sampled_from(
            [
                " ".join([*words[:at], new, *words[at + 1 :]]),
                " ".join([*words[:at], *words[at + 1 :]]),
                "".join([*lines[:line], *lines[line + 1 :]]),
                "".join([*lines[: line + 1], *lines[line:]]),
                "".join([*lines[:line], f"{new}\n", *lines[line:]]),
                text[: draw(st.integers(0, len(text)))],
                text + new,
                new,
                "[" * 100_000,
                '{"a":' * 100_000,
                "[{}]",
                "\n" * 100_000,
                "\x9d" * 50_000 + "\x1b",
            ]
        )
    )


@st.composite
def mutations(draw: st.DrawFn, among: Sequence[Asked], setup: str = "lab") -> Hosts:
    asked = draw(st.sampled_from(among))
    is_stderr = bool(asked.result.stderr) and draw(st.booleans())
    old = (asked.result.stderr if is_stderr else asked.result.stdout).decode("utf-8", "replace")
    kinds = [of_text(old)]
    if old.lstrip().startswith(("[", "{")):
        kinds += [of_json(old)] * 2
    if draw(st.integers(0, 9)) == 0:
        new = draw(st.binary(max_size=200))
    else:
        new = draw(st.one_of(kinds)).encode("utf-8", "surrogatepass")
    status = draw(st.sampled_from([None, None, None, 0, 1, 2, 127, 255, -1]))
    return played(asked.number, lambda _: new, setup=setup, is_stderr=is_stderr, status=status)


def of_the_review(setup: str = "lab") -> tuple[Asked, ...]:
    """What is asked before anything is changed: up to where it is compared whether the table is as it was."""
    asked = recorded(setup)[1]
    tables = [a.number for a in asked if a.command == "ip -json route show"]
    return asked[: tables[0]] if tables else asked


@pytest.mark.parametrize("setup", SETUPS)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_one_host_answers_the_others_are_planned(
    faults: list[BaseException], setup: str, data: st.DataObject
) -> None:
    tried(faults, data.draw(mutations(of_the_review(setup), setup)), to_the_end=False)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_one_host_answers_in_a_run_the_others_end_it(faults: list[BaseException], data: st.DataObject) -> None:
    tried(faults, data.draw(mutations(recorded()[1][len(of_the_review()) :])), to_the_end=True)


FIELDS = (
    "dst",
    "gateway",
    "dev",
    "protocol",
    "metric",
    "tos",
    "scope",
    "type",
    "prefsrc",
    "flags",
    "metrics",
    "nexthops",
)


@pytest.mark.parametrize("key", FIELDS)
def test_every_field_of_a_route_may_be_anything(faults: list[BaseException], key: str) -> None:
    asked = next(a for a in recorded()[1] if a.command == "ip -json -4 -batch -")
    *others, last = asked.result.stdout.splitlines(keepends=True)
    table = json.loads(last)
    at = next(n for n, r in enumerate(table) if r["dst"].startswith("10.200.1."))
    for value in (*NUMBERS, *TEXTS, *OTHERS):
        changed = json.dumps([*table[:at], {**table[at], key: value}, *table[at + 1 :]])
        new = b"".join(others) + changed.encode() + b"\n"
        tried(faults, played(asked.number, lambda _, new=new: new), to_the_end=False)  # type: ignore[misc]  # no default
