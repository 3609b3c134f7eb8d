"""Which host keys are trusted, and how new ones are written down."""

import base64
import fcntl
import multiprocessing
import stat
import subprocess
import threading
from multiprocessing.synchronize import Barrier
from pathlib import Path
from shutil import which

import pytest

from kthw_routes.ssh.config import Resolved
from kthw_routes.ssh.errors import HostKeyChanged, HostKeyUnknown
from kthw_routes.ssh.known_hosts import HostKeyMode, HostKeyStatus, KnownHosts, fingerprint, read_known_hosts
from kthw_routes.ssh.login import HostKeyCheck

ED25519 = "ssh-ed25519"


def blob(number: int, key_type: str = ED25519) -> bytes:
    name = key_type.encode()
    return len(name).to_bytes(4, "big") + name + (32).to_bytes(4, "big") + bytes([number]) * 32


def line(names: str, number: int, key_type: str = ED25519) -> str:
    return f"{names} {key_type} {base64.b64encode(blob(number, key_type)).decode()}\n"


def test_an_added_key_is_known_and_survives(tmp_path: Path) -> None:
    file = tmp_path / "state" / "known_hosts"
    known = KnownHosts(file)
    assert known.look_up("a", ED25519, blob(1)).verdict is HostKeyStatus.UNKNOWN
    assert known.add("a", ED25519, blob(1)).is_new
    assert known.look_up("a", ED25519, blob(1)).is_new
    again = KnownHosts(file)
    assert again.look_up("a", ED25519, blob(1)).verdict is HostKeyStatus.KNOWN
    assert not again.look_up("a", ED25519, blob(1)).is_new
    assert again.look_up("a", ED25519, blob(2)).verdict is HostKeyStatus.CHANGED
    assert again.look_up("b", ED25519, blob(1)).verdict is HostKeyStatus.UNKNOWN
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_without_a_file_keys_hold_for_the_run(tmp_path: Path) -> None:
    known = KnownHosts(None)
    known.add("a", ED25519, blob(1))
    assert known.look_up("a", ED25519, blob(1)).verdict is HostKeyStatus.KNOWN
    assert known.look_up("a", ED25519, blob(2)).verdict is HostKeyStatus.CHANGED


def test_the_key_of_a_rebuilt_node_is_forgotten_and_that_of_no_other(tmp_path: Path) -> None:
    file, others = tmp_path / "known_hosts", tmp_path / "theirs"
    file.write_text(line("a", 1) + "# kept\n" + line("b", 2))
    others.write_text(line("a,c", 1))
    known = KnownHosts(file, [others])
    known.forget("a")
    assert known.look_up("a", ED25519, blob(3)).verdict is HostKeyStatus.UNKNOWN
    assert known.add("a", ED25519, blob(3)).is_new
    assert file.read_text() == "# kept\n" + line("b", 2) + line("a", 3)
    assert others.read_text() == line("a,c", 1)
    assert known.look_up("c", ED25519, blob(4)).verdict is HostKeyStatus.CHANGED
    again = KnownHosts(file, [others])
    assert again.look_up("a", ED25519, blob(3)).verdict is HostKeyStatus.KNOWN
    assert again.look_up("a", ED25519, blob(5)).verdict is HostKeyStatus.CHANGED


def test_only_a_node_that_was_named_may_come_with_another_key(tmp_path: Path) -> None:
    known = KnownHosts(tmp_path / "known_hosts")
    known.add("10.0.0.1", ED25519, blob(1))
    seen: dict[str, bytes] = {}
    for named in ("worker-1", "worker-0"):
        policy = HostKeyCheck("worker-0", Resolved("10.0.0.1"), known, HostKeyMode.ACCEPT_NEW, seen, {named})
        if named == "worker-1":
            with pytest.raises(HostKeyChanged, match="has changed"):
                policy.accept(ED25519, blob(2))
        else:
            policy.accept(ED25519, blob(2))
            assert policy.key is not None
            assert policy.key.is_new
            with pytest.raises(HostKeyChanged):  # once is enough
                policy.accept(ED25519, blob(3))


def test_a_key_of_another_type_only_is_a_change(tmp_path: Path) -> None:
    known = KnownHosts(tmp_path / "known_hosts")
    known.add("a", "ssh-rsa", blob(1, "ssh-rsa"))
    assert known.types("a") == ("ssh-rsa",)
    assert known.look_up("a", ED25519, blob(1)).verdict is HostKeyStatus.CHANGED


def test_the_file_of_the_person_is_read_and_never_written(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("# mine\n\nhalf a line\nx ssh-ed25519 !!!!\n@cert-authority * " + line("", 9) + line("a,b", 1))
    before = theirs.read_bytes()
    known = KnownHosts(tmp_path / "ours", [theirs])
    assert known.look_up("b", ED25519, blob(1)).verdict is HostKeyStatus.KNOWN
    assert known.look_up("b", ED25519, blob(2)).verdict is HostKeyStatus.CHANGED
    known.add("c", ED25519, blob(3))
    assert theirs.read_bytes() == before


def test_another_file_can_stand_in_for_one_host(tmp_path: Path) -> None:
    theirs, other = tmp_path / "theirs", tmp_path / "other"
    theirs.write_text(line("a", 1))
    other.write_text(line("a", 2))
    known = KnownHosts(tmp_path / "ours", [theirs])
    assert known.look_up("a", ED25519, blob(2), [other]).verdict is HostKeyStatus.KNOWN
    assert known.look_up("a", ED25519, blob(2)).verdict is HostKeyStatus.CHANGED


def test_a_match_in_one_file_outweighs_another_key_in_the_next(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text(line("a", 1) + line("a", 2))
    assert KnownHosts(None, [theirs]).look_up("a", ED25519, blob(2)).verdict is HostKeyStatus.KNOWN


def test_a_revoked_key_is_refused_even_where_it_is_known(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("@revoked " + line("*", 1) + line("a", 1))
    assert KnownHosts(None, [theirs]).look_up("a", ED25519, blob(1)).verdict is HostKeyStatus.REVOKED
    # a revoked key says nothing about other keys
    assert KnownHosts(None, [theirs]).look_up("z", ED25519, blob(2)).verdict is HostKeyStatus.UNKNOWN


def test_patterns_and_ports(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text(line("*.example.org,!bad.example.org", 1) + line("[10.0.0.1]:2222", 2))
    known = KnownHosts(None, [theirs])
    assert known.look_up("a.example.org", ED25519, blob(1)).verdict is HostKeyStatus.KNOWN
    assert known.look_up("bad.example.org", ED25519, blob(1)).verdict is HostKeyStatus.UNKNOWN
    assert known.look_up("[10.0.0.1]:2222", ED25519, blob(2)).verdict is HostKeyStatus.KNOWN
    assert known.look_up("10.0.0.1", ED25519, blob(2)).verdict is HostKeyStatus.UNKNOWN


@pytest.mark.skipif(which("ssh-keygen") is None, reason="there is no ssh-keygen to make hashed names with")
def test_hashed_names_and_fingerprints_are_those_of_ssh(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text(line("a", 1) + line("[b]:7", 2))
    said = subprocess.run(["ssh-keygen", "-lf", theirs], capture_output=True, text=True, check=True).stdout
    assert fingerprint(blob(1)) in said
    subprocess.run(["ssh-keygen", "-Hf", theirs], capture_output=True, check=True)
    assert "|1|" in theirs.read_text()
    known = KnownHosts(None, [theirs])
    assert known.look_up("a", ED25519, blob(1)).verdict is HostKeyStatus.KNOWN
    assert known.look_up("[b]:7", ED25519, blob(1)).verdict is HostKeyStatus.CHANGED
    assert known.look_up("b", ED25519, blob(2)).verdict is HostKeyStatus.UNKNOWN


def test_a_file_cut_off_in_a_line_does_not_swallow_the_next(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(line("a", 1) + "b ssh-ed25519 AAAA")
    KnownHosts(file).add("c", ED25519, blob(3))
    assert [k.names for k in read_known_hosts(file)] == [("a",), ("c",)]


def test_a_key_recorded_meanwhile_by_another_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    one, two = KnownHosts(file), KnownHosts(file)
    assert two.look_up("a", ED25519, blob(2)).verdict is HostKeyStatus.UNKNOWN
    one.add("a", ED25519, blob(1))
    assert two.add("a", ED25519, blob(2)).verdict is HostKeyStatus.CHANGED
    assert two.add("a", ED25519, blob(1)).verdict is HostKeyStatus.KNOWN
    assert len(read_known_hosts(file)) == 1


def _write_many(file: Path, begin: int, together: Barrier) -> None:
    known = KnownHosts(file)

    def write(number: int) -> None:
        together.wait()
        for shared in range(100, 110):
            known.add(f"host-{shared}", ED25519, blob(shared))
        known.add(f"host-{number}", ED25519, blob(number))

    threads = [threading.Thread(target=write, args=(begin + n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_thirty_two_writers_in_four_processes_leave_a_valid_file(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(32)
    processes = [context.Process(target=_write_many, args=(file, n * 8, together)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    expected = [line(f"host-{n}", n).strip() for n in (*range(32), *range(100, 110))]
    assert sorted(file.read_text().splitlines()) == sorted(expected)


def _forget_many(file: Path, together: Barrier) -> None:
    together.wait()
    for _ in range(200):
        KnownHosts(file).forget("gone")


def test_what_is_forgotten_meanwhile_takes_no_line_along(tmp_path: Path) -> None:
    """The file is replaced whole; who waited for the old one's lock writes to the new one."""
    file = tmp_path / "known_hosts"
    file.write_text(line("gone", 99))
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(17)
    processes = [context.Process(target=_write_many, args=(file, n * 8, together)) for n in range(2)]
    processes.append(context.Process(target=_forget_many, args=(file, together)))
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    expected = [line(f"host-{n}", n).strip() for n in (*range(16), *range(100, 110))]
    assert sorted(file.read_text().splitlines()) == sorted(expected)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644, "its mode is kept"
    assert [p.name for p in tmp_path.iterdir()] == ["known_hosts"]


def test_a_writer_waits_for_another_and_sees_what_it_wrote(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    known = KnownHosts(file)
    readings: list[HostKeyStatus] = []
    with file.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread = threading.Thread(target=lambda: readings.append(known.add("a", ED25519, blob(1)).verdict))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        other.write(line("a", 2))
    thread.join(5)
    assert readings == [HostKeyStatus.CHANGED]
    assert file.read_text() == line("a", 2)


# --- the rules of each mode ---------------------------------------------------------------------------------------


def check(known: KnownHosts, mode: HostKeyMode, seen: dict[str, bytes] | None = None) -> HostKeyCheck:
    return HostKeyCheck("worker-0", Resolved("10.0.0.1"), known, mode, {} if seen is None else seen)


@pytest.mark.parametrize("mode", [HostKeyMode.ASK, HostKeyMode.STRICT])
def test_an_unknown_key_is_not_accepted_without_asking(tmp_path: Path, mode: HostKeyMode) -> None:
    known = KnownHosts(tmp_path / "known_hosts")
    with pytest.raises(HostKeyUnknown) as caught:
        check(known, mode).accept(ED25519, blob(1))
    error = caught.value
    assert error.fingerprint == fingerprint(blob(1))
    assert error.sentence == f"worker-0: the host key of 10.0.0.1 is not known: ssh-ed25519 {error.fingerprint}."
    known.add(error.host, error.key_type, error.blob)
    again = check(known, mode)
    again.accept(ED25519, blob(1))
    assert again.key is not None
    assert again.key.is_new


def test_accept_new_records_and_off_does_not(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    check(KnownHosts(file), HostKeyMode.OFF).accept(ED25519, blob(1))
    assert not file.exists()
    check(KnownHosts(file), HostKeyMode.ACCEPT_NEW).accept(ED25519, blob(1))
    assert file.read_text() == line("10.0.0.1", 1)


@pytest.mark.parametrize("mode", list(HostKeyMode))
def test_a_changed_key_is_refused_in_every_mode(tmp_path: Path, mode: HostKeyMode) -> None:
    file = tmp_path / "known_hosts"
    KnownHosts(file).add("10.0.0.1", ED25519, blob(1))
    with pytest.raises(HostKeyChanged) as caught:
        check(KnownHosts(file), mode).accept(ED25519, blob(2))
    assert (caught.value.old, caught.value.new) == (fingerprint(blob(1)), fingerprint(blob(2)))
    assert caught.value.old in caught.value.sentence
    assert caught.value.new in caught.value.sentence
    assert f"ssh-keygen -R '10.0.0.1' -f '{file}'" in caught.value.hint
    assert len(read_known_hosts(file)) == 1


@pytest.mark.parametrize("mode", list(HostKeyMode))
def test_a_revoked_key_is_refused_in_every_mode(tmp_path: Path, mode: HostKeyMode) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("@revoked " + line("*", 1))
    with pytest.raises(HostKeyChanged, match="revoked"):
        check(KnownHosts(None, [theirs]), mode).accept(ED25519, blob(1))


def test_a_key_that_changes_within_a_run_is_refused_even_when_checks_are_off() -> None:
    seen: dict[str, bytes] = {}
    check(KnownHosts(None), HostKeyMode.OFF, seen).accept(ED25519, blob(1))
    check(KnownHosts(None), HostKeyMode.OFF, seen).accept(ED25519, blob(1))
    with pytest.raises(HostKeyChanged):
        check(KnownHosts(None), HostKeyMode.OFF, seen).accept(ED25519, blob(2))
