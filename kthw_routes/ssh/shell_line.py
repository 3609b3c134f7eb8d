"""Commands as the one line of shell that a host is asked to run, and several of them as a script on its stdin.

The line first prints a mark to both streams, so that what a `.bashrc` wrote before it can be known from what the
command wrote; and each command runs under `timeout`, because a program on a host does not end when our connection does.
The login shell may be any of sh, bash, zsh, csh, tcsh and fish; a line without the mark was not run at all.
"""

import math
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from kthw_routes.facts import Privilege
from kthw_routes.ssh.command import NO_SUCH_PROGRAM, Command, Result

_MAX_LITERAL: Final = 1024
"""Bytes of an expected answer that are in the script as they are."""
KILL_AFTER: Final = 5
"""Seconds after which a program that ignores its timeout is killed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a script."""

    command: Command
    is_silent: bool = False
    """Whether its output is for programs only, and not shown."""
    expected: Result | None = None
    """How it has to end, or nothing after it is run: the status, and stdout unless that is not an answer."""

    @property
    def answer(self) -> bytes | None:
        """The stdout that it has to have, without newlines at its end; None where any will do."""
        return self.expected.stdout.rstrip(b"\n") if self.expected is not None and self.command.is_answered else None

    def is_as_expected(self, result: Result) -> bool:
        """Whether what comes after it may run."""
        if self.expected is None:
            return True
        return result.status == self.expected.status and self.answer in (None, result.stdout.rstrip(b"\n"))


def render(command: Command, privilege: Privilege, mark: str, seconds: float) -> str:
    """Build the line for a login that reaches root by `privilege`. `mark` is a word of letters, digits and `-`.

    The mark comes once; twice where sudo is used: before it, and from below it once it has let us in.
    """
    return _line(f"env LC_ALL=C {_limited(command, seconds)}", privilege if command.needs_root else None, mark)


def render_shell(privilege: Privilege | None, mark: str, seconds: float) -> str:
    """Build the line that runs the script on its stdin, within `seconds` in all.

    As root by `privilege`; as the login where that is None.
    """
    return _line(f"env LC_ALL=C timeout -k {KILL_AFTER} {math.ceil(seconds)} sh", privilege, mark)


def render_script(steps: Iterable[Step], frame: str, silence: float) -> bytes:
    r"""Build the script that runs commands one after the other.

    After each it prints to both streams: the byte 1, `frame`, the exit status, a newline. Nothing is run before the
    whole script has arrived, as it is one group. At a step that does not end as expected it ends.

    Args:
        steps: the commands; each must fit (`Command.fits_script`).
        frame: a word of letters, digits and `-` that the host has not seen before.
        silence: seconds for which a host may be silent (`Command.limit`).
    """
    lines = ["{"]
    for step in steps:
        command = step.command
        run = shlex.join(command.argv) if command.is_quick else _limited(command, command.limit(silence))
        ends = f"printf '\\001%s %s\\n' {frame} $s; printf '\\001%s %s\\n' {frame} $s >&2"
        is_status = f"[ $s = {step.expected.status} ]" if step.expected is not None else ""
        if step.answer is not None:
            lines += [f"o=$({run} </dev/null); s=$?", """[ -z "$o" ] || printf '%s\\n' "$o\"""", ends]
            lines.append(f"{is_status} && {_equals(step.answer)} || exit 0")
            continue
        if command.stdin:
            lines.append(f"{run} <<'{frame}'")
            lines.append(command.stdin.decode("utf-8", "surrogateescape") + frame)
        elif command.only_with is not None:
            path = shlex.quote(command.only_with)
            lines.append(f"if [ -e {path} ]; then {run} </dev/null; else (exit {NO_SUCH_PROGRAM}); fi")
        else:
            lines.append(f"{run} </dev/null")
        lines.append(f"s=$?; {ends}")
        if step.expected is not None:
            lines.append(f"{is_status} || exit 0")
    return "\n".join([*lines, "}", ""]).encode("utf-8", "surrogateescape")


def _equals(answer: bytes) -> str:
    """Write the comparison of `$o` with an answer, by its digest where that is shorter."""
    if len(answer) <= _MAX_LITERAL:
        return f'[ "$o" = {shlex.quote(answer.decode("utf-8", "surrogateescape"))} ]'
    return f"""[ "$(printf %s "$o" | sha256sum)" = '{sha256(answer).hexdigest()}  -' ]"""


def _limited(command: Command, seconds: float) -> str:
    return shlex.join(["timeout", "-k", str(KILL_AFTER), str(math.ceil(seconds)), *command.argv])


def _line(program: str, privilege: Privilege | None, mark: str) -> str:
    script = f'printf "\\n%s\\n" {mark}; printf "\\n%s\\n" {mark} >&2; exec '
    match privilege:
        case Privilege.SUDO:
            # -k: what sudo remembers of a password counts for a while only.
            below = f"env LC_ALL=C sudo -k -n sh -c {shlex.quote(script + program)}"
        case Privilege.SUDO_PASSWORD:
            # In C, or a wrong password would be complained of in the host's own language, and not understood.
            # -k: with a remembered login sudo would not read the password, and the program would.
            below = f"env LC_ALL=C sudo -k -S -p '' sh -c {shlex.quote(script + program)}"
        case _:
            below = program
    return f"exec sh -c {_quote_for_any_shell(script + below)}"


def _quote_for_any_shell(script: str) -> str:
    """Quote a script so that sh, csh and fish read the same word, as long as it has no newline (csh has no way then).

    Within single quotes csh still acts on `!`, and fish on a backslash before a quote: both are put outside of them.
    """
    return shlex.quote(script).replace("\\", "'\\\\'").replace("!", "'\\!'")


def marks_of(privilege: Privilege | None) -> int:
    """Count the marks in front of the commands' own output."""
    return 2 if privilege in (Privilege.SUDO, Privilege.SUDO_PASSWORD) else 1
