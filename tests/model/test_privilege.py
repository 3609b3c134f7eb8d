"""How root is reached: as root, by sudo with and without a password, or not at all."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.linux.process import Process
from kthw_routes.facts import Privilege
from kthw_routes.ssh.access import Access
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.errors import NoRoot, WrongSudoPassword
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.sudo import SudoPassword, detect_privilege
from tests.model.accounts import SudoPolicy, add_user
from tests.model.hosts import Program, wrap_programs
from tests.model.ssh_hosts import Answers, Bench, healthy

_CAT = Command(("cat",), stdin=b"first\nsecond\n", needs_root=True)


def task(bench: Bench, policy: SudoPolicy, access: Access, node: str = "worker-0") -> SshSession:
    """An open session of `learner` on a modelled host with this sudo."""
    host = ModelHost(node)
    add_user(host, "learner", sudo=policy, password="s3cret")
    if policy is SudoPolicy.ABSENT:
        host.missing.add("sudo")
    server = bench.server(host, manners=healthy(users=frozenset({"root", "learner"})))
    session = bench.session(server.port, access, node)
    session.open()
    return session


def test_root_needs_nothing(bench: Bench) -> None:
    session = task(bench, SudoPolicy.ABSENT, bench.access(user="root"))
    assert detect_privilege(session, session.access.sudo) is Privilege.ROOT
    assert session.run(_CAT).stdout == b"first\nsecond\n"


@pytest.mark.parametrize(
    ("policy", "privilege", "asked"),
    [
        (SudoPolicy.NOPASSWD, Privilege.SUDO, 0),
        (SudoPolicy.PASSWORD, Privilege.SUDO_PASSWORD, 1),
    ],
)
def test_sudo_is_found_out_and_stdin_stays_whole(
    bench: Bench, policy: SudoPolicy, privilege: Privilege, asked: int
) -> None:
    answers = Answers(sudo="s3cret")
    session = task(bench, policy, bench.access(user="learner", asker=answers))
    assert detect_privilege(session, session.access.sudo) is privilege
    assert len(answers.questions) == asked
    for _ in range(3):
        assert session.run(_CAT).stdout == b"first\nsecond\n"


@pytest.mark.parametrize(
    ("policy", "answer", "words"),
    [
        (
            SudoPolicy.DENIED,
            "s3cret",
            "sudo said: “learner is not in the sudoers file.”.",
        ),  # asks before it looks who may
        (SudoPolicy.PASSWORD, None, "sudo said: “sudo: a password is required”."),
        (
            SudoPolicy.ABSENT,
            "s3cret",
            "no sudo can be run: “timeout: failed to run command 'sudo': No such file or dir",
        ),
    ],
)
def test_without_a_way_to_root_its_words_are_told(
    bench: Bench, policy: SudoPolicy, answer: str | None, words: str
) -> None:
    session = task(bench, policy, bench.access(user="learner", asker=Answers(sudo=answer)))
    with pytest.raises(NoRoot) as caught:
        detect_privilege(session, session.access.sudo)
    assert caught.value.sentence.startswith(f"worker-0: learner is not root there, and {words}")
    assert session.privilege is Privilege.NONE
    with pytest.raises(NoRoot):
        session.run(_CAT)


def test_a_wrong_password_is_tried_once_on_one_host(bench: Bench) -> None:
    answers = Answers(sudo="hunter2")
    access = bench.access(user="learner", asker=answers)
    sessions = [task(bench, SudoPolicy.PASSWORD, access, f"worker-{n}") for n in range(4)]
    tries: list[str] = []

    def note(process: Process, real: Program) -> int:
        if process.argv[0] == "sudo" and "-S" in process.argv:
            tries.append(process.host.name)
        return real(process)

    for server in bench.servers:
        host = server.host
        assert isinstance(host, ModelHost)
        wrap_programs(host, note)

    def refused(session: SshSession) -> str:
        with pytest.raises(WrongSudoPassword) as caught:
            detect_privilege(session, session.access.sudo)
        assert "hunter2" not in f"{caught.value.sentence} {caught.value.hint} {caught.value!r}"
        return caught.value.sentence

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(refused, sessions))
    assert len(tries) == 1
    tried = tries[0]
    assert sorted(said) == sorted(
        f"{name}: sudo refused the password of learner."
        if name == tried
        else f"{name}: sudo refused the password of learner on {tried}, so it was not tried here."
        for name in (f"worker-{n}" for n in range(4))
    )
    assert len(answers.questions) == 1


def test_a_right_password_is_asked_for_once(bench: Bench) -> None:
    answers = Answers(sudo="s3cret")
    access = bench.access(user="learner", asker=answers)
    sessions = [task(bench, SudoPolicy.PASSWORD, access, f"worker-{n}") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda s: detect_privilege(s, s.access.sudo), sessions)) == {Privilege.SUDO_PASSWORD}
    assert len(answers.questions) == 1


def test_until_a_password_is_proved_one_host_tries_at_a_time() -> None:
    password = SudoPassword(Answers(sudo="s3cret"))
    first_in, let_go = threading.Event(), threading.Event()
    trying: list[str] = []

    def attempt(name: str) -> bool:
        trying.append(name)
        first_in.set()
        return let_go.wait(5)

    with ThreadPoolExecutor(3) as pool:
        results = [pool.submit(password.try_on, "learner", n, partial(attempt, n)) for n in "abc"]
        assert first_in.wait(5)
        assert len(trying) == 1
        let_go.set()
        assert [r.result() for r in results] == [True, True, True]
    assert sorted(trying) == ["a", "b", "c"]
