"""A command that was not run: the host's own words, quoted, their cause, and what to do about each.

What a login or sudo says instead of running a command is never taken for the answer of that command.
"""

import re
from dataclasses import dataclass
from typing import Final

from kthw_routes.sanitize import clean_line
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import CommandNotRun, NoRoot, SecretEchoed, WrongSudoPassword
from kthw_routes.ssh.streams import Gate

_MAX_READ: Final = 8 * 1024
"""Bytes of each stream that are read."""
_MAX_LINES: Final = 4
_MAX_QUOTED: Final = 400
"""Characters of the host's words that are quoted."""
_NOT_EXECUTABLE: Final = frozenset({126, 127})
"""The statuses of `env` and `timeout` for a program that cannot be run, or does not exist."""

_OTHER_USER: Final = re.compile(
    r"""log ?in as (?:(?:the )?user ["'`“‘]?|["'`“‘])([A-Za-z_][A-Za-z0-9_.-]{0,31})(?=["'`”’\s]|[.,)](?:\s|$)|$)""",
    re.I,
)
_NOBODY: Final = frozenset({"none", "root"})
"""cloud-init writes NONE where its image has no default user."""
_WRONG: Final = re.compile(
    r"incorrect password|incorrect authentication|sorry, try again|authentication failed|no password was provided", re.I
)
_WANTS_PASSWORD: Final = re.compile(r"password|authentication is required", re.I)


@dataclass(frozen=True, slots=True)
class _Cause:
    words: re.Pattern[str]
    hint: str
    """With `{user}` for the one who logged in."""


def _cause(words: str, hint: str) -> _Cause:
    return _Cause(re.compile(words, re.I), hint)


_OF_LOGIN: Final = (
    _cause(
        r"account is (currently )?not available|nologin",
        "The login shell of {user} is nologin: log in as another user (--user), or give it a shell (`usermod -s`).",
    ),
    _cause(
        r"sftp connections only|sftp only|sftp-server",
        "The login of {user} is for SFTP only (ForceCommand in sshd_config): log in as another user (--user).",
    ),
    _cause(
        r"git-shell|unrecognized command|git>",
        "The login shell of {user} is git's: log in as another user (--user).",
    ),
    _cause(
        r"restricted|rbash|rksh|lshell|forbidden",
        "The login shell of {user} is a restricted one: log in as another user (--user), or give this one a plain "
        "shell (`usermod -s /bin/bash`).",
    ),
    _cause(
        r"password (has )?expired|password change required|account (has )?expired|must change your password",
        "Log in as {user} by hand once (`ssh`) and do what it asks for.",
    ),
)
_LOGIN_OTHERWISE: Final = (
    "Is there a command= in authorized_keys or a ForceCommand in sshd_config, or does a file such as ~/.bashrc end or "
    "replace the shell (exit, exec) or redirect its output? Correct that, or log in as another user (--user)."
)
_OF_SUDO: Final = (
    _cause(
        r"must have a tty",
        "Put `Defaults:{user} !requiretty` into its sudoers (`visudo`), or log in as root (--user root).",
    ),
    _cause(
        r"not in the sudoers|may not run|not allowed to|afraid I can'?t",
        "Log in as root (--user root), or allow it in sudoers: `{user} ALL=(ALL) NOPASSWD: ALL`.",
    ),
    _cause(r"expired|locked", "Log in as {user} by hand once (`ssh`) and reset what sudo names, or log in as root."),
    _cause(
        _WANTS_PASSWORD.pattern,
        "Give the password beforehand with --ask-sudo-password (or when asked, on a terminal), log in as root (--user "
        "root), or allow it without one: `{user} ALL=(ALL) NOPASSWD: ALL`.",
    ),
    _cause(
        r"setuid|uid 0|nosuid|new privileges|sudoers|plugin|syntax error|parse error|\bPAM\b|account",
        "sudo itself does not work there: fix that as root, or log in as root (--user root).",
    ),
)
_SUDO_OTHERWISE: Final = "Log in as root (--user root), or let sudo run any command there for {user}."
_NO_SUDO: Final = "Log in as root (--user root), or install sudo there; doas and su are not used."


def check_begun(node: str, user: str, out: Gate, err: Gate, status: int) -> None:
    """Make sure that it was the command itself that wrote these streams and ended with this status.

    Raises:
        CommandNotRun: the login ran something else instead, or does not give us both streams.
        NoRoot, WrongSudoPassword: sudo refused to run it.
    """
    said = (out.preamble, err.preamble)
    if not out.is_reached and not err.is_reached:
        raise not_run(node, user, said, status=status)
    if not (out.is_reached and err.is_reached):
        raise redirected(node, user, said)
    if not out.is_open and not err.is_open:  # sudo is in between, and did not let us in
        if _WRONG.search(quoted(err.preamble, last=True)):
            raise wrong_password(node, user)
        raise no_root(node, user, status, err.preamble)


def wants_password(answer: Result) -> bool:
    """Whether `sudo -n` was refused for nothing but a password."""
    if answer.ok or answer.status in _NOT_EXECUTABLE:
        return False
    first = next((cause for cause in _OF_SUDO if cause.words.search(quoted(answer.stderr))), None)
    return first is not None and first.words.pattern == _WANTS_PASSWORD.pattern


def not_run(
    node: str, user: str, said: tuple[bytes, bytes], *, status: int | None, seconds: float = 0
) -> CommandNotRun:
    """Return the error for a login that ran something else, or nothing, instead of a command.

    Args:
        node: the host's name.
        user: who logged in.
        said: what it wrote to stdout and stderr instead.
        status: the exit status, -1 where it has none; None where it did not end within `seconds`.
        seconds: how long was waited.
    """
    words = quoted(*said)
    if status is None:
        ended = f"did not come to it within {seconds:g} s"
    else:
        ended = f"ended {f'with status {status}' if status >= 0 else 'without a status'} before it"
    how = f"and said: “{words}”" if words else "without a word"
    return CommandNotRun(
        node, f"no command is run there as {user}: the login {ended}, {how}.", _hint_for_login(user, words)
    )


def wrong_password(node: str, user: str, refused_on: str | None = None) -> WrongSudoPassword:
    """Return the error for a password that sudo refused here, or on the host `refused_on` that tried it first."""
    if refused_on and refused_on != node:
        return WrongSudoPassword(
            node,
            f"sudo refused the password of {user} on {refused_on}, so it was not tried here.",
            "Try again with the right one.",
        )
    return WrongSudoPassword(
        node, f"sudo refused the password of {user}.", "It was tried once. Try again with the right one."
    )


def echoed(node: str, command: Command) -> SecretEchoed:
    """Return the error for output that holds a password, and is to be parsed or written back: it is not used."""
    return SecretEchoed(
        node,
        f"its answer to `{command}` contains the password or passphrase that was typed, so it was not used.",
        "An honest host has no reason to say it: look at its sudo, and at what its login runs. If the word is there by "
        "chance, log in as root (--user root), or let sudo ask for no password.",
    )


def redirected(node: str, user: str, said: tuple[bytes, bytes]) -> CommandNotRun:
    """Return the error for a login that redirects a command's stdout or stderr, so that no answer is complete."""
    words = quoted(*said)
    return CommandNotRun(
        node,
        f"the output of commands does not arrive as it is: the login of {user} redirects it"
        + (f", and said: “{words}”." if words else "."),
        "Does a file such as ~/.bashrc redirect it (exec >…, exec 2>…)? Let it do so for interactive shells only.",
    )


def no_root(node: str, user: str, status: int, said: bytes) -> NoRoot:
    """Return the error for a login that is not root, and a sudo that ended with this status and these words."""
    words = quoted(said, last=True)
    if status in _NOT_EXECUTABLE:
        how = f": “{words}”" if words else ""
        return NoRoot(node, f"{user} is not root there, and no sudo can be run{how}.", _NO_SUDO)
    how = f"said: “{words}”" if words else f"ended with status {status} without a word"
    hint = next((cause.hint for cause in _OF_SUDO if cause.words.search(words)), _SUDO_OTHERWISE)
    return NoRoot(node, f"{user} is not root there, and sudo {how}.", hint.format(user=user))


def quoted(*streams: bytes, last: bool = False) -> str:
    """Quote the first lines of a host's words and the last, clean, on one line of at most 400 characters.

    `last`: only its last lines: sudo may begin with a lecture, or with what it cannot resolve.
    """
    parts = (stream[-_MAX_READ:] if last else stream[:_MAX_READ] for stream in streams)
    text = "\n".join(part.decode("utf-8", "replace") for part in parts)
    lines = [words for line in re.split(r"[\r\n]+", text) if (words := clean_line(line))]
    if last:
        lines = lines[-2:]
    elif len(lines) > _MAX_LINES:
        lines = [*lines[: _MAX_LINES - 1], "…", lines[-1]]
    words = " ".join(lines)
    return words if len(words) <= _MAX_QUOTED else f"{words[:_MAX_QUOTED]}…"


def _hint_for_login(user: str, words: str) -> str:
    other = _OTHER_USER.search(words)
    if other is not None and other[1].casefold() not in _NOBODY and other[1] != user:
        return f"Log in as that user: --user {other[1]}."
    hint = next((cause.hint for cause in _OF_LOGIN if cause.words.search(words)), _LOGIN_OTHERWISE)
    return hint.format(user=user)
