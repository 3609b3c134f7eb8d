"""A command as the one line of shell that a host is asked to run.

The line first prints a mark to both streams, so that what a `.bashrc` wrote before it can be known from what the
command wrote; and it runs under `timeout`, because a program on a host does not end when our connection does.
The login shell may be any of sh, bash, zsh, csh, tcsh and fish; a line without the mark was not run at all.
"""

import math
import shlex
from typing import Final

from kthw_routes.facts import Privilege
from kthw_routes.ssh.command import Command

KILL_AFTER: Final = 5
"""Seconds after which a program that ignores its timeout is killed."""


def render(command: Command, privilege: Privilege, mark: str, seconds: float) -> str:
    """Build the line for a login that reaches root by `privilege`. `mark` is a word of letters, digits and `-`.

    The mark comes once; twice where sudo is used: before it, and from below it once it has let us in.
    """
    program = shlex.join(["env", "LC_ALL=C", "timeout", "-k", str(KILL_AFTER), str(math.ceil(seconds)), *command.argv])
    script = f'printf "\\n%s\\n" {mark}; printf "\\n%s\\n" {mark} >&2; exec '
    match privilege if command.needs_root else Privilege.ROOT:
        case Privilege.SUDO:
            below = f"env LC_ALL=C sudo -n sh -c {shlex.quote(script + program)}"
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


def marks_of(command: Command, privilege: Privilege) -> int:
    """Count the marks in front of the command's own output."""
    return 2 if command.needs_root and privilege in (Privilege.SUDO, Privilege.SUDO_PASSWORD) else 1
