"""Files of ours on a host: what is sent for each, in which order, and what becomes of each fault."""

from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest

from kthw_routes.events import Event, Phase
from kthw_routes.hosts import write_files
from kthw_routes.hosts.task import HostTask
from kthw_routes.plan.changes import ChangeKind, FileChange
from kthw_routes.ssh.command import TIMED_OUT, Command, Result
from kthw_routes.ssh.errors import ConnectionLost, HostError
from kthw_routes.ssh.session import OnLine

from .answering import Answering, said

Answers = Mapping[str, Result | HostError | list[Result | HostError]]

SCRIPT = PurePosixPath("/etc/network/if-up.d/kthw-routes")
DROP_IN = PurePosixPath("/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf")
NETPLAN = PurePosixPath("/etc/netplan/90-kthw-routes.yaml")
TEMPLATE = PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl")
BATCH = PurePosixPath("/etc/kthw-routes/routes.batch")
SERVICE = PurePosixPath("/etc/systemd/system/kthw-routes.service")
TIMER = PurePosixPath("/etc/systemd/system/kthw-routes.timer")
HANGS = said(status=TIMED_OUT)


def change(
    path: PurePosixPath,
    before: bytes | None = None,
    after: bytes | None = b"new\n",
    mode: int = 0o644,
    *,
    is_ours: bool = True,
    folder_is_ours: bool = False,
) -> FileChange:
    if before == after:
        kind = ChangeKind.KEEP
    else:
        kind = ChangeKind.ADD if before is None else ChangeKind.REMOVE if after is None else ChangeKind.REPLACE
    before_mode = None if before is None else mode
    return FileChange(
        kind=kind,
        path=path,
        before=before,
        after=after,
        mode=mode,
        reason="because",
        before_mode=before_mode,
        is_ours=is_ours,
        folder_is_ours=folder_is_ours,
    )


def write(answers: Answers, *changes: FileChange) -> tuple[dict[str, str], list[str]]:
    host = Answering(answers, files={str(c.path): c.before for c in changes if c.before is not None})
    return dict(write_files.write(HostTask(host, Phase.RUN, lambda _: None), changes)), [
        line for line in host.ran if not line.startswith(("stat", "grep -F", "sha256sum"))
    ]


def test_a_file_is_filled_beside_its_place_and_renamed() -> None:
    problems, ran = write({}, change(SCRIPT, mode=0o755))
    new = "/etc/network/if-up.d/.kthw-routes.new"
    assert not problems
    assert ran == [
        "mkdir -p -m 755 /etc/network/if-up.d",
        f"rm -f {new}",
        f"install -m 755 /dev/null {new}",
        f"dd of={new} conv=fsync status=none",
        f"mv -fT {new} {SCRIPT}",
        "sync /etc/network/if-up.d",
    ]


def test_what_is_to_stay_is_not_touched() -> None:
    for kind in (ChangeKind.KEEP, ChangeKind.FOREIGN, ChangeKind.STALE):
        assert write({}, FileChange(kind=kind, path=SCRIPT, before=b"a", after=b"b", mode=0o755, reason="because")) == (
            {},
            [],
        )


def test_the_template_keeps_its_owner_and_mode() -> None:
    ran = write({}, change(TEMPLATE, b"old\n", is_ours=False))[1]
    new = TEMPLATE.with_name(".hosts.debian.tmpl.kthw-routes.new")
    assert ran[1] == f"cp --attributes-only --preserve=all {TEMPLATE} {new}"


@pytest.mark.parametrize("after", [b"new\n", None])
@pytest.mark.parametrize(("path", "is_ours"), [("/etc/shadow", True), ("/etc/shadow", False), (str(SCRIPT), False)])
def test_no_other_file_is_written_or_removed(path: str, is_ours: bool, after: bytes | None) -> None:
    problems, ran = write({}, change(PurePosixPath(path), b"old\n", after, is_ours=is_ours))
    assert "it was left alone" in problems[path]
    assert not ran


FAULTS: dict[str, tuple[Answers, str]] = {
    "full disk": (
        {"dd": said(status=1, err="dd: error writing 'x': No space left on device")},
        f"the disk is full (dd: error writing 'x': No space left on device); {DROP_IN} is as it was.",
    ),
    "read-only": (
        {"install": said(status=1, err="install: cannot create regular file 'x': Read-only file system")},
        f"the file system is read-only (install: cannot create regular file 'x': Read-only file system); {DROP_IN}"
        " is as it was.",
    ),
    "folder": (
        {"mkdir": said(status=1, err="mkdir: cannot create directory 'x': Read-only file system")},
        f"the file system is read-only (mkdir: cannot create directory 'x': Read-only file system); {DROP_IN} is as"
        " it was.",
    ),
    "immutable": (
        {"mv": said(status=1, err="mv: cannot move 'x' to 'y': Operation not permitted")},
        f"{DROP_IN} may not be replaced, it may be immutable (mv: cannot move 'x' to 'y': Operation not permitted); see"
        f" `lsattr {DROP_IN}`.",
    ),
    "symbolic link": (
        {f"stat -c %F {DROP_IN}": said("symbolic link\n")},
        f"{DROP_IN} is a symbolic link; a rename would replace the link, so it was left alone.",
    ),
    "directory": (
        {f"stat -c %F {DROP_IN}": said("directory\n")},
        f"{DROP_IN} is a directory, not a file; it was left alone.",
    ),
    "bind mount": (
        {f"grep -F ' {DROP_IN} ' /proc/self/mountinfo": said(f"1 2 0:3 / {DROP_IN} rw - tmpfs x rw\n")},
        f"{DROP_IN} is a mount of its own (a container's, perhaps) and cannot be replaced; it was left alone.",
    ),
    "rename without an end": (
        {"mv": said(status=124)},
        f"whether {DROP_IN} was changed is not confirmed: `mv -fT {DROP_IN.parent}/.90-kthw-routes.conf.new {DROP_IN}`"
        " took too long and was ended there.",
    ),
    "silent program": ({"mv": said(status=3)}, f"{DROP_IN} was not changed: mv ended with status 3"),
    "slow disk": (
        {"dd": HANGS},
        f"{DROP_IN} was not changed: `dd of={DROP_IN.parent}/.90-kthw-routes.conf.new conv=fsync status=none` took too"
        " long and was ended there.",
    ),
    "dead disk": (
        {"dd": HANGS, "rm": [said(), HANGS]},
        f"{DROP_IN} was not changed: `dd of={DROP_IN.parent}/.90-kthw-routes.conf.new conv=fsync status=none` took too"
        " long and was ended there.",
    ),
    "unconfirmed": (
        {"sync": HANGS},
        f"{DROP_IN} was changed, but whether that is on disk is not confirmed: `sync {DROP_IN.parent}` took too long"
        " and was ended there.",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_sentence_and_nothing_half_made_stays(fault: str) -> None:
    answers, sentence = FAULTS[fault]
    problems, ran = write(answers, change(DROP_IN, folder_is_ours=True))
    assert problems == {str(DROP_IN): sentence}
    if fault in ("unconfirmed", "folder"):
        return
    assert ran[-1] == f"rmdir {DROP_IN.parent}"
    assert not any(line.startswith("mv") for line in ran) or "mv" in answers
    if any(line.startswith("install") for line in ran):
        assert ran[-2] == f"rm -f {DROP_IN.parent}/.90-kthw-routes.conf.new"


def test_a_sync_that_knows_no_paths_is_no_fault() -> None:
    assert write({"sync": said(status=1, err="sync: extra operand")}, change(SCRIPT)) == write({}, change(SCRIPT))


def test_a_connection_that_ends_is_raised() -> None:
    with pytest.raises(ConnectionLost):
        write({"mv": ConnectionLost("worker-0", "the connection ended.")}, change(SCRIPT))


def test_a_file_goes_with_the_folder_that_was_made_for_it() -> None:
    assert write({}, change(DROP_IN, b"old\n", None, folder_is_ours=True))[1] == [
        f"rm -f {DROP_IN}",
        f"rmdir {DROP_IN.parent}",
    ]
    assert write({}, change(SCRIPT, b"old\n", None))[1] == [f"rm -f {SCRIPT}", f"sync {SCRIPT.parent}"]


def test_the_old_file_stays_where_the_new_one_could_not_be_written() -> None:
    full = said(status=1, err="No space left on device")
    problems, ran = write({"dd": full}, change(DROP_IN), change(SCRIPT, b"old\n", None))
    assert problems[str(SCRIPT)] == f"{SCRIPT} was kept, as the file that was to take its place could not be written."
    assert f"rm -f {SCRIPT}" not in ran


def test_an_old_file_that_does_not_go_is_told() -> None:
    kept = said(status=1, err=f"rm: cannot remove '{SCRIPT}': Operation not permitted")
    assert "immutable" in write({f"rm -f {SCRIPT}": kept}, change(SCRIPT, b"old\n", None))[0][str(SCRIPT)]


# --- netplan ----------------------------------------------------------------------------------------------------

SCRATCH = "/tmp/kthw-routes.AbCd1234"
BASE = f"""\
{SCRATCH}/run/systemd/network/10-netplan-eth0.network:[Match]
{SCRATCH}/run/systemd/network/10-netplan-eth0.network:Name=eth0
{SCRATCH}/run/systemd/network/10-netplan-eth0.network:
{SCRATCH}/run/systemd/network/10-netplan-eth0.network:[Network]
{SCRATCH}/run/systemd/network/10-netplan-eth0.network:Address=192.168.8.20/24
"""
GAINED = f"""\
{SCRATCH}/run/systemd/network/10-netplan-eth0.network:
{SCRATCH}/run/systemd/network/10-netplan-eth0.network:[Route]
{SCRATCH}/run/systemd/network/10-netplan-eth0.network:Destination=10.200.1.0/24
{SCRATCH}/run/systemd/network/10-netplan-eth0.network:Gateway=192.168.8.21
"""
YAML = b"""\
network:
  version: 2
  ethernets:
    eth0:
      routes:
        - to: 10.200.1.0/24
          via: 192.168.8.21
"""
RIGHT: Answers = {
    "mktemp": said(f"{SCRATCH}\n"),
    "cp -a": said(status=1, err="cp: cannot stat '/run/netplan': No such file or directory"),
    "grep": [said(BASE), said(BASE + GAINED)],
}


def test_netplan_is_asked_on_a_copy_then_the_file_is_written_and_netplan_told() -> None:
    problems, ran = write(RIGHT, change(NETPLAN, after=YAML, mode=0o600))
    assert not problems
    assert ran == [
        "mktemp -d /tmp/kthw-routes.XXXXXXXX",
        f"cp -a --parents /etc/netplan /run/netplan /lib/netplan {SCRATCH}",
        f"rm -f {SCRATCH}{NETPLAN}",
        f"netplan generate --root-dir {SCRATCH}",
        f"grep -arsH '' {SCRATCH}/run",
        f"dd of={SCRATCH}{NETPLAN} conv=fsync status=none",
        f"netplan generate --root-dir {SCRATCH}",
        f"grep -arsH '' {SCRATCH}/run",
        f"rm -rf {SCRATCH}",
        "mkdir -p -m 755 /etc/netplan",
        "rm -f /etc/netplan/.90-kthw-routes.yaml.new",
        "install -m 600 /dev/null /etc/netplan/.90-kthw-routes.yaml.new",
        "dd of=/etc/netplan/.90-kthw-routes.yaml.new conv=fsync status=none",
        f"mv -fT /etc/netplan/.90-kthw-routes.yaml.new {NETPLAN}",
        "sync /etc/netplan",
        "netplan generate",
    ]


REFUSALS: dict[str, tuple[Answers, str]] = {
    "a base that netplan does not read": (
        {"netplan generate --root-dir": said(status=1, err=f"{SCRATCH}/etc/netplan/50.yaml:3:1: Bad:\n\teth0:\n^")},
        "netplan does not accept the files that this host has without it, and it is not for us to make that worse:"
        " /etc/netplan/50.yaml:3:1: Bad",
    ),
    "a file that netplan does not read": (
        {"netplan generate --root-dir": [said(), said(status=1, err="unknown key")]},
        "netplan does not accept it: unknown key",
    ),
    "a full disk": (
        {"dd": said(status=1, err="No space left on device")},
        "the copy of netplan's files could not be filled: No space left on device",
    ),
    "a slow netplan": (
        {"netplan generate --root-dir": HANGS},
        f"`netplan generate --root-dir {SCRATCH}` took too long and was ended there.",
    ),
    "no effect": (
        {"grep": said(BASE)},
        "netplan would make no route to 10.200.1.0/24 via 192.168.8.21 of it",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_netplan_does_not_take_is_not_written(case: str) -> None:
    answers, words = REFUSALS[case]
    problems, ran = write({**RIGHT, **answers}, change(NETPLAN, after=YAML, mode=0o600))
    assert problems == {str(NETPLAN): f"{NETPLAN} was not written: {words}"}
    assert ran[-1] == f"rm -rf {SCRATCH}"


@pytest.mark.parametrize("answer", ["/", "/tmp", "/tmp/kthw-routes.x/../../etc", f"{SCRATCH}\n/etc", "", "x; reboot"])
def test_a_scratch_folder_of_a_strange_name_is_not_used(answer: str) -> None:
    problems, ran = write({"mktemp": said(answer)}, change(NETPLAN, after=YAML))
    assert "answered something else than a folder" in problems[str(NETPLAN)]
    assert len(ran) == 1


def test_a_scratch_folder_that_cannot_be_made_is_told() -> None:
    problems, ran = write({"mktemp": said(status=1, err="mktemp: No space left")}, change(NETPLAN, after=YAML))
    words = f"{NETPLAN} was not written: no folder to check it in could be made: mktemp: No space left"
    assert problems == {str(NETPLAN): words}
    assert len(ran) == 1


@pytest.mark.parametrize(
    ("before", "back"),
    [(None, f"rm -f {NETPLAN}"), (b"old\n", f"mv -fT /etc/netplan/.90-kthw-routes.yaml.new {NETPLAN}")],
)
def test_what_netplan_refuses_afterwards_is_put_back(before: bytes | None, back: str) -> None:
    answers = {**RIGHT, "netplan generate": said(status=1, err="no"), "netplan generate --root-dir": said()}
    problems, ran = write(answers, change(NETPLAN, before, YAML, mode=0o600))
    assert problems == {str(NETPLAN): f"`netplan generate` failed (no); {NETPLAN} was put back as it was."}
    end = ran[ran.index("netplan generate") + 1 :]
    assert back in end
    assert end[-1] == "netplan generate"


def test_netplan_is_told_when_its_file_goes() -> None:
    assert write({}, change(NETPLAN, b"old\n", None))[1] == [
        f"rm -f {NETPLAN}",
        "sync /etc/netplan",
        "netplan generate",
    ]
    words = write({"netplan generate": said(status=1, err="no")}, change(NETPLAN, b"old\n", None))[0][str(NETPLAN)]
    assert words == f"{NETPLAN} is gone, but `netplan generate` fails on the files that are left: no"


class _Loud(Answering):
    """One whose output comes line by line, as from a real host."""

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        result = super().run(command)
        if on_line is not None:
            for line in result.err.splitlines():
                on_line(line, True)
        return result


def test_the_line_of_somebody_elses_file_that_netplan_prints_is_told_to_nobody() -> None:
    """It may hold the password of a Wi-Fi."""
    err = "/etc/netplan/50-wifi.yaml:7:13: Error in network definition: unknown key 'pasword'\n  pasword: s3cret\n  ^"
    events: list[Event] = []
    task = HostTask(
        _Loud({"netplan generate": said(status=1, err=err)}, files={str(NETPLAN): b"old\n"}), Phase.RUN, events.append
    )
    problems = write_files.write(task, [change(NETPLAN, b"old\n", None)])
    assert "/etc/netplan/50-wifi.yaml:7:13: Error in network definition: unknown key" in problems[str(NETPLAN)]
    told = [e.text for e in events] + list(problems.values())
    assert "netplan generate" in told, "that it is run is no secret"
    assert not any("s3cret" in text for text in told)
