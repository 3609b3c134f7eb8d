"""What a login or sudo says instead of running a command: quoted, told apart, and never taken for an answer."""

import pytest

from kthw_routes.ssh.command import Result
from kthw_routes.ssh.errors import CommandNotRun, NoRoot, WrongSudoPassword
from kthw_routes.ssh.refusals import check_begun, no_root, not_run, quoted, wants_password
from kthw_routes.ssh.streams import Gate

MARK = "kthw-routes-0123"
LINE = f"\n{MARK}\n".encode()


def stream(data: bytes, marks: int = 1) -> Gate:
    made = Gate(MARK, marks)
    made.pass_on(data)
    return made


@pytest.mark.parametrize(
    ("words", "user", "hint"),
    [
        (
            'Please login as the user "ubuntu" rather than the user "root".',
            "root",
            "Log in as that user: --user ubuntu.",
        ),
        ("Please log in as the user 'ec2-user' rather than root.", "root", "Log in as that user: --user ec2-user."),
        ("Please login as the user core.", "root", "Log in as that user: --user core."),
        ('Please login as the user "NONE" rather than the user "root".', "root", "Is there a command= in"),
        ('Please login as the user "--evil" rather', "root", "Is there a command= in"),
        ('Please login as the user "$(reboot)" rather', "root", "Is there a command= in"),
        ('Please login as the user "a;reboot" rather', "root", "Is there a command= in"),
        ("Log in as soon as you can.", "root", "Is there a command= in"),
        ('Please login as the user "me"', "me", "Is there a command= in"),
        ("This account is currently not available.", "me", "The login shell of me is nologin"),
        ("This service allows sftp connections only.", "me", "The login of me is for SFTP only"),
        ("rbash: line 1: exec: restricted", "me", "The login shell of me is a restricted one"),
        ("fatal: unrecognized command 'exec sh'", "me", "The login shell of me is git's"),
        ("Password change required but no TTY available.", "me", "Log in as me by hand once"),
        ("", "me", "Is there a command= in"),
    ],
)
def test_a_login_that_runs_no_command_is_quoted_with_its_hint(words: str, user: str, hint: str) -> None:
    with pytest.raises(CommandNotRun) as caught:
        check_begun("worker-0", user, stream(words.encode()), stream(b""), 1)
    said = f"and said: “{words}”" if words else "without a word"
    assert caught.value.sentence == (
        f"worker-0: no command is run there as {user}: the login ended with status 1 before it, {said}."
    )
    assert caught.value.hint.startswith(hint)


def test_a_login_that_does_not_end_is_said_so() -> None:
    error = not_run("worker-0", "root", (b"Wait\n", b""), status=None, seconds=5)
    assert "did not come to it within 5 s, and said: “Wait”." in error.sentence


@pytest.mark.parametrize(("out", "err"), [(LINE + b"fine", b"lost"), (b"", LINE * 2), (LINE + LINE + b"mixed", b"")])
def test_a_login_that_redirects_a_stream_gives_no_answers(out: bytes, err: bytes) -> None:
    with pytest.raises(CommandNotRun, match="redirects it"):
        check_begun("worker-0", "root", stream(out), stream(err), 0)


def test_a_command_that_was_run_passes_whatever_it_says() -> None:
    check_begun("worker-0", "root", stream(b"This account is currently not available.\n" + LINE), stream(LINE), 1)


@pytest.mark.parametrize(
    ("words", "status", "sentence", "hint"),
    [
        (
            "sudo: sorry, you must have a tty to run sudo",
            1,
            "sudo said: “sudo: sorry, you must have a tty to run sudo”.",
            "Put `Defaults:me !requiretty`",
        ),
        (
            "me is not in the sudoers file.  This incident will be reported.",
            1,
            "sudo said: “me is not in",
            "Log in as root",
        ),
        (
            "Sorry, user me may not run sudo on worker-0.",
            1,
            "sudo said: “Sorry",
            "Log in as root (--user root), or allow",
        ),
        ("Sorry, user me is not allowed to execute '/bin/sh' as root on w.", 1, "sudo said: “Sorry", "Log in as root"),
        ("sudo: I'm sorry me. I'm afraid I can't do that", 1, "sudo said: “sudo: I'm sorry", "Log in as root"),
        (
            "sudo: a password is required",
            1,
            "sudo said: “sudo: a password",
            "Give the password beforehand with --ask-sudo",
        ),
        ("sudo: interactive authentication is required", 1, "sudo said: “sudo: inter", "Give the password beforehand"),
        (
            "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set",
            1,
            "sudo said",
            "sudo itself does not",
        ),
        ("sudo: no valid sudoers sources found, quitting", 1, "sudo said", "sudo itself does not work there"),
        ('sudo: The "no new privileges" flag is set, which prevents sudo from running as root.', 1, "", "sudo itself"),
        ("sudo: Account or password is expired, reset your password and try again", 1, "", "Log in as me by hand once"),
        (
            "timeout: failed to run command 'sudo': No such file or directory",
            127,
            "no sudo can be run: “timeout",
            "Log in as",
        ),
        (
            "timeout: failed to run command 'sudo': Permission denied",
            126,
            "no sudo can be run: “timeout",
            "Log in as root",
        ),
        ("", 1, "sudo ended with status 1 without a word.", "Log in as root (--user root), or let sudo run any"),
        (
            "sudo: Heute nicht",
            1,
            "sudo said: “sudo: Heute nicht”.",
            "Log in as root (--user root), or let sudo run any",
        ),
    ],
)
def test_each_refusal_of_sudo_is_quoted_with_its_own_hint(words: str, status: int, sentence: str, hint: str) -> None:
    error = no_root("worker-0", "me", status, words.encode() + b"\n")
    assert error.sentence.startswith("worker-0: me is not root there, and ")
    assert sentence in error.sentence
    assert error.hint.startswith(hint)
    asks = hint.startswith("Give the password")
    assert wants_password(Result(status, b"", words.encode())) is asks
    streams = stream(LINE, 2), stream(LINE + words.encode(), 2)
    with pytest.raises(NoRoot) as caught:
        check_begun("worker-0", "me", *streams, status)
    assert caught.value.sentence == error.sentence


@pytest.mark.parametrize(
    "words",
    [
        "Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt",
        "sudo: Authentication failed, try again.\nsudo: Maximum 3 incorrect authentication attempts",
    ],
)
def test_a_wrong_password_is_told_from_any_other_refusal(words: str) -> None:
    with pytest.raises(WrongSudoPassword):
        check_begun("worker-0", "me", stream(LINE, 2), stream(LINE + words.encode(), 2), 1)


def test_words_are_quoted_clean_and_bounded() -> None:
    assert quoted(b"\x1b[31mone\r\ntwo\n\n", b"three\n") == "one two three"
    assert quoted(b"".join(b"%d\n" % n for n in range(9))) == "0 1 2 … 8"
    assert len(quoted(b"x" * 1_000_000, b"y" * 1_000_000)) <= 401
    assert quoted(b"lecture\n" * 20 + b"the reason\n", last=True) == "lecture the reason"
