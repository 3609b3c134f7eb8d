"""Whole walks in the practice lab, recorded and played again with one answer of one host changed.

Plan, run, proof and undo: all that makes a host be asked for something. What is asked later on is recorded, too.
"""

import inspect
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, wraps
from pathlib import Path
from typing import Final

import pytest

from kthw_routes.cluster import Cluster, Endpoint, Node, Role
from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.linux.pods import pod_cidr
from kthw_routes.demo.pods import add_pod
from kthw_routes.demo.topology import ADDRESSES
from kthw_routes.events import HostState
from kthw_routes.facts import HostKey, Privilege
from kthw_routes.hosts import programs
from kthw_routes.options import Options
from kthw_routes.record.history import read_runs
from kthw_routes.record.json_plan import plan_document
from kthw_routes.record.json_proof import proof_json
from kthw_routes.record.transcript import head
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import HostError
from kthw_routes.ssh.session import OnLine, Watch
from kthw_routes.ssh.shell_line import Step
from kthw_routes.workflow.results import Review
from kthw_routes.workflow.workflow import Workflow
from tests.unit.answering import run_steps
from tests.unit.builders import ip

from .hosts import cluster, run
from .walk_setups import SETUPS, Setup

HOSTILE: Final = "worker-0"
NOW: Final = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
"""When a run begins."""
PROGRAMS: Final = tuple(
    name
    for name, function in vars(programs).items()
    if inspect.isfunction(function)
    and function.__module__ == programs.__name__
    and not name.startswith("_")
    and inspect.signature(function).return_annotation is Command
)
"""The names of all functions that make a command for a host."""

Mutate = Callable[[bytes], bytes]
Key = tuple[tuple[str, ...], int]


def key(command: Command) -> Key:
    """Return by what an answer is found again: not by the command's input, which a changed answer may change."""
    return command.argv, command.capture


@dataclass(frozen=True, slots=True)
class Asked:
    """One command that the hostile host was asked, and which of those it was, from 0."""

    number: int
    command: Command
    programs: frozenset[str]
    """The functions that made the command."""
    result: Result

    @property
    def text(self) -> str:
        """The command as one would type it."""
        return str(self.command)


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


@dataclass(slots=True)
class Walked:
    """How far a walk came, and how the hosts ended."""

    ended: dict[str, HostState] = field(default_factory=dict)
    undone: dict[str, HostState] = field(default_factory=dict)


def walk(hosts: Hosts, members: Cluster, options: Options, reviewed: Callable[[], None] = lambda: None) -> Walked:
    """Inspect, review, run, prove, confirm, and undo it all; every document is made that is made of it.

    `reviewed` is called when all is known that the first plan rests on.
    """
    walked = Walked()
    with tempfile.TemporaryDirectory() as state, pytest.MonkeyPatch.context() as patch:
        patch.setattr("kthw_routes.record.run.secrets.randbelow", lambda _: 0)  # the run's name is on the hosts
        patch.setattr("kthw_routes.record.run.now", lambda: NOW)
        walk = Workflow(hosts, options, Path(state), lambda _: None)
        inspection = walk.inspect(members)
        assert all(isinstance(error, HostError) for error in inspection.troubles.values()), inspection.troubles
        assert inspection.troubles.keys() <= {HOSTILE}
        review = walk.review(inspection)
        documents(review, {node.name for node in members} - inspection.troubles.keys())
        reviewed()
        if review.stops:  # a finding may stop all: two nodes that claim the same pod CIDR, say
            return walked
        report = walk.run(review)
        proof = walk.prove(inspection)
        json.dumps(proof_json(proof))
        walk.print_tables(inspection.facts)
        walk.commit(report, proof)
        walk.finish(report, proof)
        walked.ended = {name: outcome.state for name, outcome in report.outcomes.items()}
        if runs := read_runs(Path(state)):
            (past,) = runs
            assert not past.problem
            back = Workflow(hosts, replace(options, commit_within=None), Path(state), lambda _: None)
            inspection = back.inspect(past.to_visit)
            assert inspection.troubles.keys() <= {HOSTILE}
            review = back.review_undo(inspection, past, runs)
            documents(review, {node.name for node in past.to_visit.visited} - inspection.troubles.keys())
            report = back.run(review)
            back.finish(report, None)
            walked.undone = {name: outcome.state for name, outcome in report.outcomes.items()}
            assert not any(run.problem for run in read_runs(Path(state)))
            back.close()
        walk.close()
    return walked


def documents(review: Review, planned: Iterable[str]) -> None:
    """Make what is made of a review, and see that every host that was read is in it."""
    assert {host.node for host in review.plan.hosts} == set(planned)
    json.dumps(plan_document(review.inspection.cluster, review.plan, review.findings))
    assert all("\x1b" not in line for line in head(review.inspection.cluster, review.plan, review.findings))


def _prepare(host: ModelHost, name: str, setup: Setup) -> None:
    if name != HOSTILE:
        return
    if setup.has_pod:
        add_pod(host, pod_cidr(name))
    for path, content in setup.files.items():
        host.files.put(path, content)
    for command in (*setup.setup, "sysctl -q -w net.ipv4.ip_forward=0"):
        run(host, command)


@dataclass(frozen=True, slots=True)
class Recording:
    """A walk that was recorded."""

    answers: Mapping[str, Mapping[Key, Sequence[Result]]]
    """node -> command -> its answers in order."""
    asked: Sequence[Asked]
    """What the hostile host was asked."""
    planned: int
    """How many of those the first plan rests on."""
    walked: Walked


@cache
def recorded(name: str = "lab") -> Recording:
    setup = SETUPS[name]
    topology = cluster()
    found: dict[str, dict[Key, list[Result]]] = defaultdict(lambda: defaultdict(list))
    asked: list[Asked] = []
    makers: dict[Command, set[str]] = defaultdict(set)
    for node, host in topology.hosts.items():
        _prepare(host, node, setup)

    def live(node: str) -> Callable[[Command], Result]:
        def answer(command: Command) -> Result:
            instead = setup.instead if node == HOSTILE else {}
            begin = max((b for b in instead if str(command).startswith(b)), key=len, default=None)
            result = instead[begin](command) if begin is not None else None
            if result is None:
                ran = run(topology.hosts[node], str(command), stdin=command.stdin)
                result = Result(ran.status, ran.out.encode("utf-8", "surrogateescape"), ran.err.encode())
            found[node][key(command)].append(result)
            if node == HOSTILE:
                asked.append(Asked(len(asked), command, frozenset(makers[command]), result))
            return result

        return answer

    def noting(name: str, make: Callable[..., Command]) -> Callable[..., Command]:
        @wraps(make)
        def made(*given: object, **named: object) -> Command:
            command = make(*given, **named)
            makers[command].add(name)
            return command

        return made

    planned: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        for program in PROGRAMS:
            patch.setattr(programs, program, noting(program, getattr(programs, program)))
        walked = walk(Hosts(live), nodes(), setup.options, lambda: planned.append(len(asked)))
    return Recording(answers=found, asked=tuple(asked), planned=planned[0], walked=walked)


def played(
    number: int, mutate: Mutate, *, setup: str = "lab", is_stderr: bool = False, status: int | None = None
) -> Hosts:
    """The recorded hosts; the hostile one's answer of this number, and each later one to the same command, changed."""
    recording = recorded(setup)
    asked = recording.asked
    changed = key(asked[number].command)
    first = sum(1 for a in asked[:number] if key(a.command) == changed)

    def replayed(node: str) -> Callable[[Command], Result]:
        turns: dict[Key, int] = defaultdict(int)

        def answer(command: Command) -> Result:
            known = recording.answers[node].get(key(command), [Result(1, b"", b"no such thing")])
            turn = turns[key(command)]
            turns[key(command)] += 1
            result = known[min(turn, len(known) - 1)]
            if node != HOSTILE or key(command) != changed or turn < first:
                return result
            out = result.stdout if is_stderr else mutate(result.stdout)
            err = mutate(result.stderr) if is_stderr else result.stderr
            kept = command.capture
            return Result(
                result.status if status is None else status,
                out[:kept],
                err[:kept],
                is_cut=result.is_cut or len(out) > kept,
                is_err_cut=len(err) > kept,
            )

        return answer

    return Hosts(replayed)
