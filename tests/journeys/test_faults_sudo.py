"""How root is reached, and how not: with a password, without one, with a wrong one, and not at all."""

import pytest

from tests.journeys.faults import Faults
from tests.journeys.looking import NODES, is_done, pod_routes
from tests.journeys.stage import ON_MODEL, WORKERS, Stage
from tests.nodes.spec import SUDO_PASSWORD

APPLY = ("apply", "--yes", "--no-probe")


def controllers_too(stage: Stage) -> bool:
    return is_done(stage, *NODES)


def test_sudo_without_a_password(stage: Stage, faults: Faults) -> None:
    answer = stage.tool("apply", "--yes", "--user", "ubuntu")
    assert answer.code == 0, answer.out + answer.err
    assert "Traffic between all pod CIDRs gets through." in answer.out
    assert controllers_too(stage)


def test_sudo_with_the_right_password_asked_once(stage: Stage, faults: Faults) -> None:
    tool = stage.start("apply", "--yes", "--user", "learner", terminal=True)
    tool.type(SUDO_PASSWORD, asked="sudo password")
    answer = tool.wait()
    assert answer.code == 0, answer.out + answer.err
    assert "sudo password of learner (asked once, tried on worker-0 first)" in tool.shown
    assert tool.shown.count("password") == 1
    assert controllers_too(stage)
    assert [faults.failed_sudo(node) for node in NODES] == [0] * len(NODES)
    assert SUDO_PASSWORD not in tool.shown + answer.out + answer.err


@ON_MODEL
def test_sudo_with_a_password_asked_beforehand(stage: Stage, faults: Faults) -> None:
    tool = stage.start(*APPLY, "--user", "learner", "--ask-sudo-password", terminal=True)
    tool.type(SUDO_PASSWORD, asked="sudo password")
    answer = tool.wait()
    assert answer.code == 0, answer.out + answer.err
    assert controllers_too(stage)


def test_a_wrong_sudo_password_is_tried_once_on_one_host(stage: Stage, faults: Faults) -> None:
    tool = stage.start(*APPLY, "--user", "learner", terminal=True)
    tool.type("wrong horse", asked="sudo password")
    answer = tool.wait()
    assert answer.code == 1
    assert "✗ skip host: worker-0: sudo refused the password of learner." in answer.out
    assert "    It was tried once. Try again with the right one." in answer.out
    assert "worker-1: sudo refused the password of learner on worker-0, so it was not tried here." in answer.out
    assert sorted(faults.failed_sudo(node) for node in NODES) == [0, 0, 0, 1]
    assert all(pod_routes(stage, worker) == {} for worker in WORKERS)
    assert "Nothing is known: no host could be read." in answer.out
    assert "wrong horse" not in answer.out + answer.err


def test_a_wrong_password_is_understood_in_german(stage: Stage, faults: Faults) -> None:
    """The nodes' language is set by what sshd and PAM hand to every login."""
    faults.speak_german("worker-0")
    tool = stage.start(*APPLY, "--user", "learner", terminal=True)
    tool.type("wrong horse", asked="sudo password")
    answer = tool.wait()
    assert answer.code == 1
    assert "✗ skip host: worker-0: sudo refused the password of learner." in answer.out
    assert faults.failed_sudo("worker-0") == 1


def test_german_nodes_are_read_and_changed(stage: Stage, faults: Faults) -> None:
    for node in NODES:
        faults.speak_german(node)
    faults.fill_disk("controller-0")
    tool = stage.start("apply", "--yes", "--user", "learner", terminal=True)
    tool.type(SUDO_PASSWORD, asked="sudo password")
    answer = tool.wait()
    assert answer.code == 1
    assert is_done(stage, *WORKERS)
    assert "the disk is full (dd: error writing '/etc/.hosts.kthw-routes': No space left on device)" in answer.out


@ON_MODEL
def test_without_a_terminal_nobody_is_asked(stage: Stage, faults: Faults) -> None:
    answer = stage.tool(*APPLY, "--user", "learner")
    assert answer.code == 1
    refusal = "learner is not root there, and sudo said: “sudo: a password is required”."
    assert f"✗ skip host: worker-0: {refusal}" in answer.out
    assert "    Give the password beforehand with --ask-sudo-password (or when asked, on a terminal)" in answer.out
    assert all(pod_routes(stage, worker) == {} for worker in WORKERS)


@pytest.mark.parametrize("why", ["no sudo", "not in sudoers"])
def test_without_any_way_to_root_the_host_is_skipped(stage: Stage, faults: Faults, why: str) -> None:
    if why == "no sudo":
        faults.remove("worker-1", "sudo")
        user = "ubuntu"
    else:
        user = "guest"
    answer = stage.tool(*APPLY, "--user", user)
    assert answer.code == 1
    words = (
        "no sudo can be run: “timeout: failed to run" if why == "no sudo" else "sudo said: “sudo: a password is requi"
    )
    assert f"✗ skip host: worker-1: {user} is not root there, and {words}" in answer.out
    assert pod_routes(stage, "worker-1") == {}
    if user == "ubuntu":
        assert is_done(stage, *(node for node in NODES if node != "worker-1"))


def test_a_login_that_names_another_user_is_quoted_and_that_user_works(stage: Stage, faults: Faults) -> None:
    """As cloud images write it into root's authorized_keys."""
    words = 'Please login as the user "ubuntu" rather than the user "root".'
    faults.force_login("worker-1", words, 142)
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    said = f"no command is run there as root: the login ended with status 142 before it, and said: “{words}”."
    assert f"✗ skip host: worker-1: {said}\n    Log in as that user: --user ubuntu.\n" in answer.out
    assert pod_routes(stage, "worker-1") == {}
    assert is_done(stage, *(node for node in NODES if node != "worker-1"))
    assert stage.tool(*APPLY, "--user", "ubuntu").code == 0
    assert controllers_too(stage)


@pytest.mark.parametrize("stage", [pytest.param("real nodes", marks=pytest.mark.nodes)], indirect=True)
@pytest.mark.parametrize(
    ("breaks", "words", "hint"),
    [
        (
            "echo 'Defaults requiretty' >/etc/sudoers.d/tty",
            "sudo said: “sudo: sorry, you must have a tty to run sudo”.",
            "Put `Defaults:ubuntu !requiretty` into its sudoers",
        ),
        (
            "echo 'ubuntu ALL=(ALL) NOPASSWD: /usr/bin/id' >/etc/sudoers.d/test-users",
            "sudo said: “sudo: a password is required”.",
            "Give the password beforehand with --ask-sudo-password",
        ),
        (
            "echo 'ubuntu ALL=(ALL) NOPASSWD: /usr/bin/true' >/etc/sudoers.d/test-users",
            "sudo said: “sudo: a password is required”.",
            "Give the password beforehand with --ask-sudo-password",
        ),
        (
            "chmod u-s /usr/bin/sudo",
            "sudo said: “sudo: /usr/bin/sudo must be owned by uid 0 and",
            "sudo itself does not",
        ),
        ("chmod 666 /etc/sudoers", "sudo said: “sudo: ", "sudo itself does not work there"),
        ("chmod 700 /usr/bin/sudo", "no sudo can be run: “timeout: failed to run command 'sudo'", "Log in as root"),
        ("rm /usr/bin/sudo", "no sudo can be run: “timeout: failed to run command 'sudo'", "Log in as root"),
    ],
)
def test_the_words_of_real_sudo_are_quoted_with_their_hint(
    stage: Stage, faults: Faults, breaks: str, words: str, hint: str
) -> None:
    stage.run("worker-1", breaks)
    answer = stage.tool("plan", "--user", "ubuntu")
    assert answer.code == 1
    assert f"✗ skip host: worker-1: ubuntu is not root there, and {words}" in answer.out
    assert f"\n    {hint}" in answer.out.partition("skip host: worker-1")[2]


@pytest.mark.parametrize("stage", [pytest.param("real nodes", marks=pytest.mark.nodes)], indirect=True)
@pytest.mark.parametrize(
    ("breaks", "words", "hint"),
    [
        (
            "usermod -s /usr/sbin/nologin root",
            "This account is currently not available.",
            "The login shell of root is nol",
        ),
        (
            "echo 'ForceCommand internal-sftp' >>/etc/ssh/sshd_config",
            "This service allows sftp",
            "The login of root is",
        ),
        ("usermod -s /bin/rbash root", "exec: restricted", "The login shell of root is a restricted one"),
        ("echo 'echo bye; exit' >/root/.bashrc", "“bye”", "Is there a command= in authorized_keys"),
        ("echo 'exec sleep 0' >/root/.bashrc", "without a word", "Is there a command= in authorized_keys"),
    ],
)
def test_real_logins_that_run_no_command_are_told(
    stage: Stage, faults: Faults, breaks: str, words: str, hint: str
) -> None:
    stage.run("worker-1", breaks)
    faults.connect("worker-1")
    answer = stage.tool("plan")
    assert answer.code == 1
    assert "✗ skip host: worker-1: no command is run there as root: the login ended with status " in answer.out
    assert words in answer.out
    assert f"\n    {hint}" in answer.out.partition("skip host: worker-1")[2]
