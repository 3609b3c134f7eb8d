"""Accounts on a modelled host beside root, and what sudo lets them do."""

from dataclasses import dataclass, replace
from enum import StrEnum

from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.linux.nodes import ROOT, User
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.linux.system_files import write_passwd
from tests.model.hosts import Program, wrap_programs


class SudoPolicy(StrEnum):
    """What happens when an account calls sudo."""

    ABSENT = "sudo is not installed"
    DENIED = "not in the sudoers file"
    PASSWORD = "asks for the password"
    NOPASSWD = "asks for nothing"


@dataclass(frozen=True, slots=True)
class SudoUser(User):
    """An account that is let in by key only, and may call sudo."""

    sudo: SudoPolicy = SudoPolicy.NOPASSWD
    password: str = ""
    """What sudo asks for."""


def add_user(host: ModelHost, name: str, *, sudo: SudoPolicy = SudoPolicy.NOPASSWD, password: str = "") -> None:
    """Make an account with a home directory."""
    number = 1000 + len(host.users) - 1
    user = host.users[name] = SudoUser(name, number, number, f"/home/{name}", sudo, password)
    home = host.files.directory(user.home)
    home.uid, home.gid, home.mode = number, number, 0o750
    write_passwd(host)
    wrap_programs(host, _allow)


def _allow(process: Process, real: Program) -> int:
    """Let sudo follow the account's policy."""
    user, is_sudo = process.user, process.argv[0].rpartition("/")[2] == "sudo"
    if not isinstance(user, SudoUser) or not is_sudo or not process.host.has_program("sudo"):
        return real(process)
    refusal = _authenticate(process, user)
    return real(replace(process, user=ROOT)) if refusal is None else refusal


def _authenticate(process: Process, user: SudoUser) -> int | None:
    """Ask for the password where it is needed. None if the account may go on, else sudo's exit status."""
    words = process.arguments
    prompt = words[words.index("-p") + 1] if "-p" in words else f"[sudo] password for {user.name}: "
    if user.sudo is SudoPolicy.NOPASSWD:
        return None
    if "-n" in words:
        return process.fail("a password is required")
    if "-S" not in words:
        process.err("sudo: a terminal is required to read the password; either use the -S option to read from\n")
        process.err("standard input or configure an askpass helper\n")
        return process.fail("a password is required")
    for attempt in range(3):
        process.err(prompt)
        typed = process.readline()
        if not typed:
            process.err("\n")
            process.fail("no password was provided")
            return process.fail(_attempts(attempt)) if attempt else process.fail("a password is required")
        if user.password and typed.rstrip(b"\n").decode("utf-8", "replace") == user.password:
            if user.sudo is SudoPolicy.DENIED:
                process.err(f"{user.name} is not in the sudoers file.\n")
                return 1
            return None
        if attempt < 2:
            process.err("Sorry, try again.\n")
    return process.fail(_attempts(3))


def _attempts(count: int) -> str:
    return f"{count} incorrect password attempt{'s' if count > 1 else ''}"
