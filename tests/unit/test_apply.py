"""What happens on one host: journal before the change, the exact commands, and how two tries add up."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from kthw_routes.events import Event, HostOutcome, HostState, Phase, now
from kthw_routes.facts import HostFacts, HostKey, NetworkSetup, Privilege, Route
from kthw_routes.hosts import apply as applying
from kthw_routes.hosts import programs, read_network
from kthw_routes.hosts.apply import ChangedSinceReview
from kthw_routes.hosts.task import HostTask
from kthw_routes.options import Options
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import HostPlan
from kthw_routes.plan.hosts_lines import BEGIN
from kthw_routes.record.journal import Journal, host_record, read_journal
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import ConnectionLost, HostError
from kthw_routes.ssh.session import OnLine, Watch
from kthw_routes.ssh.shell_line import Step

from .builders import bare_facts, cluster, facts, net, pod_route

CLUSTER = cluster()
NODE = CLUSTER.node("worker-0")


ASIDES = (
    "cat /proc/sys/net/ipv4/ip_forward",
    "find ",
    "stat -",
    "networkctl ",
    "systemctl show ",
    "systemctl is-",
    "grep ",
    "netplan get",
    "ip -json -d link show type vxlan",
    "nft list table",
)
"""Readings that are of no matter here: where the script does not name them, there is nothing to read."""


class Host:
    """A session whose answers are written down beforehand: the first word of a command that begins so."""

    def __init__(self, node: str, answers: Iterable[tuple[str, Result | HostError]]) -> None:
        self.node = node
        self.user = "root"
        self.host_key = HostKey("ssh-ed25519", "SHA256:x")
        self.privilege = Privilege.ROOT
        self.ran: list[str] = []
        self.answers = list(answers)

    def open(self) -> None: ...

    def close(self) -> None: ...

    def run_script(self, steps: Sequence[Step], watch: Watch, /) -> None:
        """Run nothing ahead."""

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        if str(command).startswith(ASIDES) and not (self.answers and str(command).startswith(self.answers[0][0])):
            return Result(1, b"", b"")
        self.ran.append(str(command))
        begin, answer = self.answers.pop(0)
        assert str(command).startswith(begin), f"{command}, not {begin}"
        if isinstance(answer, HostError):
            raise answer
        return answer


def said(text: str = "", status: int = 0, err: str = "") -> Result:
    return Result(status, text.encode(), err.encode())


def sizes(before: bytes, after: bytes) -> Result:
    return said(f"{len(before)} /etc/hosts\n{len(after)} /etc/.hosts.kthw-routes\n")


def digests(before: bytes, after: bytes) -> Result:
    old, new = (hashlib.sha256(content).hexdigest() for content in (before, after))
    return said(f"{old}  /etc/hosts\n{new}  /etc/.hosts.kthw-routes\n")


def table(*routes: Route) -> Result:
    lines = ["192.168.128.0/17 dev eth0 proto kernel scope link src 192.168.128.10"]
    lines += [f"{r.prefix} via {r.gateway} dev eth0 proto {r.protocol}" for r in routes]
    return said("\n".join(lines))


ADDRESSES = said(
    '[{"ifname":"eth0","flags":["UP"],"addr_info":[{"family":"inet","local":"192.168.128.10","prefixlen":17}]}]'
)
RIGHT = (pod_route(1), pod_route(2))


def apply(host: Host, journal: list[HostPlan], *, again: bool = False) -> HostOutcome:
    read = facts(NODE)
    reviewed = planning.make(CLUSTER, {NODE.name: read}).hosts[0]
    events: list[Event] = []

    def note(todo: HostPlan, _facts: HostFacts) -> None:
        assert not any("batch" in line for line in host.ran), "the journal comes before the change"
        journal.append(todo)

    plan = planning.planner(CLUSTER, Options())
    task = HostTask(host, Phase.RUN, events.append)
    return applying.apply(task, NODE, reviewed, read, plan, note, again=again)


def test_the_journal_is_written_before_the_change_and_the_table_read_back() -> None:
    host = Host(
        "worker-0",
        [
            ("ip -json route", table()),
            ("ip -json -4 address", ADDRESSES),
            ("ip -force -batch -", said()),
            ("ip -json route", table(*RIGHT)),
            ("ip -json -4 address", ADDRESSES),
        ],
    )
    journal: list[HostPlan] = []
    outcome = apply(host, journal)
    assert outcome.state is HostState.DONE
    assert outcome.changes_sent == 2
    assert [str(c) for c in journal[0].commands] == [
        "ip route add 10.200.1.0/24 via 192.168.128.11 proto 200",
        "ip route add 10.200.2.0/24 via 192.168.128.12 proto 200",
    ]


def recent(*, old: bool = False) -> tuple[HostFacts, HostPlan]:
    """What was read a moment ago, or a minute; and the plan that was made of it."""
    read = facts(NODE, read_at=now() - timedelta(minutes=old))
    reviewed = planning.planner(CLUSTER, Options())(NODE, read)
    return read, reviewed


def test_a_plan_of_which_nothing_was_sent_is_void_in_the_record() -> None:
    """The guard does not hold here; what is done then is recorded by itself."""
    host = Host(
        "worker-0",
        [
            ("ip -json route", table()),
            ("ip -json -4 address", ADDRESSES),
            ("ip -force -batch -", said()),
            ("ip -json route", table(*RIGHT)),
            ("ip -json -4 address", ADDRESSES),
        ],
    )
    read, reviewed = recent()
    lines: list[str] = []
    outcome = applying.apply(
        HostTask(host, Phase.RUN, lambda _: None),
        NODE,
        reviewed,
        read,
        planning.planner(CLUSTER, Options()),
        lambda todo, _read: lines.append(f"do {todo.changes}"),
        unsent=lambda: lines.append("void"),
    )
    assert outcome.state is HostState.DONE
    assert lines == ["do 2", "void", "do 2"]


@pytest.mark.parametrize("rows_only", [False, True])
def test_a_void_record_is_none(tmp_path: Path, rows_only: bool) -> None:
    """Or an undo would take back what another run did there meanwhile. What was done after it counts."""
    read, reviewed = recent()
    record, void = host_record(reviewed, read), {"host": NODE.name, "void": True}
    path = tmp_path / "journal.jsonl"

    def journal(*lines: Mapping[str, object]) -> Journal:
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return read_journal(path, rows_only=rows_only)

    assert journal(record).rows.keys() == {NODE.name}
    assert journal(record, void) == replace(journal(), states={}, failed={})
    assert journal(record, void, record) == journal(record)


@pytest.mark.parametrize("old", [False, True])
def test_only_what_rests_on_a_fresh_look_counts_as_read_back(old: bool) -> None:
    """Pods and bridges are taken over from the look before: after a minute the proof has to read them."""
    host = Host(
        "worker-0",
        [
            ("ip -json route", table()),
            ("ip -json -4 address", ADDRESSES),
            ("ip -force -batch -", said()),
            ("ip -json route", table(*RIGHT)),
            ("ip -json -4 address", ADDRESSES),
        ],
    )
    read, reviewed = recent(old=old)
    kept: list[HostFacts] = []
    task = HostTask(host, Phase.RUN, lambda _: None)
    plan = planning.planner(CLUSTER, Options())
    applying.apply(task, NODE, reviewed, read, plan, lambda *_: None, read_back=kept.append)
    assert len(kept) == (not old)


def test_what_the_hosts_own_configuration_states_is_read_again_for_this_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[IPv4Network] = []

    def read(_task: HostTask, _devices: object, cluster_cidr: IPv4Network) -> NetworkSetup:
        asked.append(cluster_cidr)
        return NetworkSetup()

    monkeypatch.setattr(read_network, "read", read)
    host = Host("worker-0", [("ip -json route", table(*RIGHT)), ("ip -json -4 address", ADDRESSES)])
    before, reviewed = facts(NODE, RIGHT), HostPlan(NODE.name)
    task = HostTask(host, Phase.RUN, lambda _: None)
    other = net("10.244.0.0/16")
    applying.apply(task, NODE, reviewed, before, lambda *_: reviewed, lambda *_: None, cluster_cidr=other)
    assert set(asked) == {other}


def test_what_the_kernel_refused_and_what_is_not_there_are_rows() -> None:
    refused = "RTNETLINK answers: File exists\nCommand failed -:1\n"
    host = Host(
        "worker-0",
        [
            ("ip -json route", table()),
            ("ip -json -4 address", ADDRESSES),
            ("ip -force -batch -", said(status=1, err=refused)),
            ("ip -json route", table()),
            ("ip -json -4 address", ADDRESSES),
        ],
    )
    outcome = apply(host, [])
    assert outcome.state is HostState.FAILED
    assert outcome.failed_rows == {
        "10.200.1.0/24": "RTNETLINK answers: File exists",
        "10.200.2.0/24": "the route is not in the table as read back.",
    }


def test_a_host_that_differs_from_the_review_is_left_alone() -> None:
    host = Host("worker-0", [("ip -json route", table(pod_route(1))), ("ip -json -4 address", ADDRESSES)])
    with pytest.raises(applying.ChangedSinceReview, match=r"10\.200\.1\.0/24 was “add”, is “keep”"):
        apply(host, [])


def test_a_retry_goes_on_from_what_is_there_by_now() -> None:
    host = Host("worker-0", [("ip -json route", table(*RIGHT)), ("ip -json -4 address", ADDRESSES)])
    assert apply(host, [], again=True).state is HostState.NOTHING_TO_DO


def test_sent_and_not_confirmed_then_read_again_is_done_with_its_changes() -> None:
    host = Host(
        "worker-0",
        [
            ("ip -json route", table()),
            ("ip -json -4 address", ADDRESSES),
            ("ip -force -batch -", ConnectionLost("worker-0", "the connection ended.")),
        ],
    )
    first = apply(host, [])
    assert (first.state, first.changes_sent) == (HostState.NOT_CONFIRMED, 2)
    second = HostOutcome("worker-0", HostState.NOTHING_TO_DO).after(first)
    assert (second.state, second.changes_sent) == (HostState.DONE, 2)
    unsent = HostOutcome("worker-0", HostState.FAILED)
    assert HostOutcome("worker-0", HostState.NOTHING_TO_DO).after(unsent).state is HostState.NOTHING_TO_DO


def test_the_hosts_file_is_copied_with_its_attributes_filled_and_renamed() -> None:
    control = CLUSTER.node("controller-0")
    before = b"127.0.0.1 localhost\n"
    read = facts(control, etc_hosts=before)
    reviewed = planning.make(CLUSTER, bare_facts(CLUSTER) | {control.name: read}).host(control.name)
    assert reviewed is not None
    assert reviewed.hosts_file is not None
    after = reviewed.hosts_file.after
    host = Host(
        "controller-0",
        [
            ("ip -json route", table()),
            ("ip -json -4 address", ADDRESSES),
            ("cat /etc/hosts", said(before.decode())),
            ("stat -c %F /etc/hosts", said("regular file\n")),
            ("grep -F ' /etc/hosts ' /proc/self/mountinfo", said(status=1)),
            ("rm -f /etc/.hosts.kthw-routes", said()),
            ("cp --attributes-only --preserve=all /etc/hosts /etc/.hosts.kthw-routes", said()),
            ("dd of=/etc/.hosts.kthw-routes conv=fsync status=none", said()),
            ("stat -c '%s %n' /etc/hosts", sizes(before, after)),
            ("sha256sum /etc/hosts /etc/.hosts.kthw-routes", digests(before, after)),
            ("mv -fT /etc/.hosts.kthw-routes /etc/hosts", said()),
            ("ip -json route", table()),
            ("ip -json -4 address", ADDRESSES),
            ("cat /etc/hosts", said(after.decode())),
        ],
    )
    plan = planning.planner(CLUSTER, Options())
    task = HostTask(host, Phase.RUN, lambda _: None)
    outcome = applying.apply(task, control, reviewed, read, plan, lambda *_: None)
    assert outcome.state is HostState.DONE
    assert BEGIN in after


def test_the_kernel_takes_a_probe_address_away_by_itself() -> None:
    words = programs.add_probe_address(IPv4Interface("10.200.0.254/32"), 23).argv
    assert words[words.index("valid_lft") + 1] == words[words.index("preferred_lft") + 1] == "23"


SWITCH = "20261122T101500Z-1abc"
SCRIPT = f"/run/kthw-routes-undo-{SWITCH}.sh"


def with_switch(*, is_there: bool, left: str = "") -> tuple[HostOutcome, Host, list[str]]:
    """A host on which all is right, but for the switch of an earlier run. With the runs that were called off."""
    cancelled: list[str] = []
    host = Host(
        "worker-0",
        [
            ("ip -json route", table(*RIGHT)),
            ("ip -json -4 address", ADDRESSES),
            ("find ", said(SCRIPT)),
            (f"systemctl stop kthw-routes-undo-{SWITCH}.timer", said()),
            (f"mv -fT {SCRIPT} {SCRIPT}.claimed", said(status=0 if is_there else 1)),
            *([(f"rm -f {SCRIPT}.claimed", said())] if is_there else []),
            ("ip -json route", table(*RIGHT)),
            ("ip -json -4 address", ADDRESSES),
            ("find ", said(left)),
        ],
    )
    read = facts(NODE, RIGHT, network=NetworkSetup(rollbacks=(SWITCH,)))
    reviewed = planning.make(CLUSTER, {NODE.name: read}).hosts[0]

    def start(*_: object) -> None:
        raise AssertionError("there is nothing that a switch of this run could take back")

    task = HostTask(host, Phase.RUN, lambda _: None)
    plan = planning.planner(CLUSTER, Options())
    outcome = applying.apply(task, NODE, reviewed, read, plan, lambda *_: None, start=start, cancelled=cancelled.append)
    return outcome, host, cancelled


def test_an_earlier_runs_switch_is_called_off_where_all_else_is_right() -> None:
    outcome, host, cancelled = with_switch(is_there=True)
    assert outcome.state is HostState.DONE, outcome.sentence
    assert outcome.changes_sent == 1
    assert f"mv -fT {SCRIPT} {SCRIPT}.claimed" in host.ran
    assert not any("batch" in line for line in host.ran)
    assert cancelled == [SWITCH]


def test_a_switch_that_is_there_still_is_no_success() -> None:
    outcome, _, _ = with_switch(is_there=True, left=SCRIPT)
    assert outcome.state is HostState.FAILED
    assert "it is there still" in outcome.sentence


def test_a_switch_that_worked_meanwhile_is_a_change_since_the_review() -> None:
    with pytest.raises(ChangedSinceReview, match=f"it rolled back automatically what run {SWITCH} had done"):
        with_switch(is_there=False)


OTHER = "20261122T111500Z-2abc"
UNDO = "/run/kthw-routes-undo-{}.sh"


class Steps:
    """Calling off two earlier switches on a host that lacks its routes, and arming one of this run's own."""

    def __init__(self, *answers: Result | HostError, arming: HostError | None = None) -> None:
        commands = (
            f"{words} {UNDO.format(run)}" if words != "systemctl stop" else words
            for run in (SWITCH, OTHER)
            for words in ("systemctl stop", "mv -fT", "rm -f")
        )
        self.host = Host(
            "worker-0",
            [
                ("ip -json route", table()),
                ("ip -json -4 address", ADDRESSES),
                ("find ", said(f"{UNDO.format(SWITCH)}\n{UNDO.format(OTHER)}")),
                *zip(commands, answers, strict=False),
            ],
        )
        self.task = HostTask(self.host, Phase.RUN, lambda _: None)
        self.steps: list[str] = []
        self.arming = arming

    def start(self, *_: object) -> None:
        self.steps.append("arm")
        if self.arming is not None:
            raise self.arming

    def apply(self) -> HostOutcome:
        read = facts(NODE, network=NetworkSetup(rollbacks=(SWITCH, OTHER)))
        plan = planning.planner(CLUSTER, Options())
        reviewed = plan(NODE, read)
        return applying.apply(
            self.task, NODE, reviewed, read, plan, lambda *_: None, start=self.start, cancelled=self.steps.append
        )


def test_where_a_second_switch_worked_meanwhile_it_is_told_that_the_first_is_off_and_none_is_armed() -> None:
    run = Steps(said(), said(), said(), said(), said(status=1))
    with pytest.raises(ChangedSinceReview) as caught:
        run.apply()
    outcome = applying.ended("worker-0", caught.value, run.task.sent)
    assert outcome.sentence == (
        f"worker-0: changed since the review: it rolled back automatically what run {OTHER} had done. "
        f"Nothing was changed there, but the automatic rollback of run {SWITCH} is cancelled."
    )
    assert (outcome.state, outcome.hint) == (HostState.FAILED, "Check again and review.")
    assert run.steps == [SWITCH]


def test_where_none_can_be_armed_it_is_told_which_are_off() -> None:
    error = HostError("worker-0", "it has no room.", "Make room.")
    run = Steps(*[said()] * 6, arming=error)
    with pytest.raises(HostError) as caught:
        run.apply()
    words = f"Nothing was changed there, but the automatic rollback of run {SWITCH} and of run {OTHER} is cancelled."
    outcome = applying.ended("worker-0", caught.value, run.task.sent)
    assert (outcome.sentence, outcome.hint) == (f"worker-0: it has no room. {words}", "Make room.")
    assert run.steps == [SWITCH, OTHER, "arm"]


def lost(*, nothing_ran: bool = False) -> ConnectionLost:
    return ConnectionLost("worker-0", "the connection ended.", nothing_ran=nothing_ran)


@pytest.mark.parametrize(
    ("answers", "state", "words"),
    [
        (
            (said(), said(), said(), lost()),
            HostState.NOT_CONFIRMED,
            f"Nothing was changed there, but the automatic rollback of run {SWITCH} is cancelled, and whether "
            f"the automatic rollback of run {OTHER} is cancelled is not confirmed.",
        ),
        (
            (said(), said(), said(), lost(nothing_ran=True)),
            HostState.FAILED,
            f"Nothing was changed there, but the automatic rollback of run {SWITCH} is cancelled.",
        ),
        (
            (said(), lost()),
            HostState.NOT_CONFIRMED,
            f"Nothing was changed there, but whether the automatic rollback of run {SWITCH} is cancelled is not "
            "confirmed.",
        ),
        ((lost(nothing_ran=True),), HostState.FAILED, "Nothing was changed there."),
    ],
)
def test_a_switch_that_was_not_reached_is_not_called_off(
    answers: tuple[Result | HostError, ...], state: HostState, words: str
) -> None:
    run = Steps(*answers)
    with pytest.raises(ConnectionLost) as caught:
        run.apply()
    outcome = applying.ended("worker-0", caught.value, run.task.sent)
    assert (outcome.state, outcome.sentence) == (state, f"worker-0: the connection ended. {words}")
    assert (outcome.hint, outcome.changes_sent) == ("Try again: the host is read again then.", 0)
    assert run.steps == ([SWITCH] if len(answers) == 4 else [])


def test_a_switch_that_cannot_be_taken_away_is_told_with_its_way_out() -> None:
    run = Steps(said(), said(status=1, err="mv: Read-only file system"))
    run.host.answers.append(("stat -c %F", said("regular file")))
    with pytest.raises(HostError, match="could not be taken away: mv: Read-only file system") as caught:
        run.apply()
    assert caught.value.hint == f"Remove it by hand: `sudo rm {UNDO.format(SWITCH)}`."
    assert run.steps == []
