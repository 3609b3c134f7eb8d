"""What the libraries raise on the way to a host, by its kind, as sentences for people."""

import errno
import os
import socket
from collections.abc import Sequence

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from kthw_routes.sanitize import clean_line
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.config import Resolved
from kthw_routes.ssh.config_options import ALGORITHMS
from kthw_routes.ssh.dial import NameTimeout
from kthw_routes.ssh.errors import (
    CannotConnect,
    ChannelRefused,
    CommandRefused,
    CommandTimedOut,
    ConnectionLost,
    ConnectionRefused,
    ConnectTimedOut,
    HostError,
    KeyRejected,
    NotSsh,
    Unreachable,
)
from kthw_routes.ssh.transport import NoCommonAlgorithm

_NO_ROUTE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTDOWN, errno.ENETDOWN}
_MAX_NAMES = 12
"""Algorithms that are named."""
_MAX_WORDS = 200
"""Characters of a host's words that are quoted."""
_READ_AGAIN = "the host is read again then."
_BUSY_HINT = (
    "Is it the right port? A busy host does this too, and one that has seen too many failed logins: wait a minute."
)


def connect_error(node: str, target: Resolved, error: BaseException, timeout: float) -> HostError:
    """Return what `error`, met while connecting to `target`, means to people. A HostError stays as it is."""
    where = f"{target}" if target.port != 22 else f"{target} (port 22)"
    match error:
        case HostError():
            return error
        case InterruptedError():
            return CannotConnect(node, "stopped while connecting.")
        case socket.gaierror():
            return Unreachable(
                node, f"the name {target.host} does not resolve.", "Is it spelled right? Or type the address instead."
            )
        case NameTimeout():
            return ConnectTimedOut(
                node,
                f"the name {target.host} did not resolve within {timeout:g} s.",
                "Do the name servers of this machine reply? Or type the address instead.",
            )
        case TimeoutError():
            return ConnectTimedOut(
                node,
                f"no answer from {where} within {timeout:g} s.",
                "Is the node running, and is this its address? A firewall that drops SSH looks the same.",
            )
        case paramiko.ChannelException():
            return _jump_error(node, target, error)
        case paramiko.SSHException() | EOFError() | ConnectionResetError() | BrokenPipeError():
            return _ssh_error(node, target, where, error)
        case OSError():
            return _socket_error(node, where, error)
        case _:
            return _other_error(node, where, error)


def _socket_error(node: str, where: str, error: OSError) -> HostError:
    """Return what an error of a socket means."""
    match error:
        case ConnectionRefusedError():
            return ConnectionRefused(
                node,
                f"{where} refuses the connection: nothing listens on that port.",
                "Is sshd running there? Another port: --port.",
            )
        case _ if error.errno in _NO_ROUTE:
            return Unreachable(
                node,
                f"no route to host {where} ({_reason(error)}).",
                "Is the address right, and are you in the network (or VPN) that it needs?",
            )
        case _ if error.errno in (errno.EMFILE, errno.ENFILE):
            return CannotConnect(
                node,
                "too many files are open on this machine.",
                "Run `ulimit -n 4096` first, or use a smaller --parallel.",
            )
        case _:
            return _other_error(node, where, error)


def _other_error(node: str, where: str, error: BaseException) -> HostError:
    """Return an error of no kind that has a hint of its own."""
    return CannotConnect(node, f"cannot connect to {where}: {_reason(error)}.")


def _ssh_error(node: str, target: Resolved, where: str, error: Exception) -> HostError:
    """Return what an error of an SSH conversation means, a connection that ended in the middle of it included."""
    match error:
        case NoCommonAlgorithm():
            return NotSsh(
                node,
                f"{where} and this program have no {error.kind} in common: the server offers only "
                f"{_names(error.theirs)}; this program offers {_names(error.ours)}.",
                f"Allow one of the latter in its sshd_config ({error.option}), or update its SSH server.",
            )
        case IncompatiblePeer():
            return NotSsh(
                node,
                f"{where} does not speak SSH as this program does: {clean_line(str(error))[:_MAX_WORDS]}.",
                "Update its SSH server: SSH 1 is not safe any more.",
            )
        case paramiko.AuthenticationException():
            return KeyRejected(
                node, f"the login as {target.user} at {where} failed: {clean_line(str(error))}.", "Check --user and -i."
            )
        case paramiko.SSHException() if isinstance(error.__context__, TimeoutError):  # while it waited for a greeting
            return ConnectTimedOut(
                node,
                f"{where} accepts connections and then does not reply.",
                "The node may be overloaded or frozen: look at its console.",
            )
        case _:
            return NotSsh(node, f"{where} hung up, or does not speak SSH{_in_brackets(str(error))}.", _BUSY_HINT)


def name_unfollowed(error: HostError, target: Resolved) -> HostError:
    """Add to the error's hint what the SSH configuration says of `target` and this program does not follow.

    What it says of algorithms is the cause only where the two ends found none in common, or a key was not accepted.
    """
    may_be_algorithms = isinstance(error, NotSsh | KeyRejected)
    names = [
        name
        for name in target.not_followed
        if name not in error.hint and (may_be_algorithms or name.partition(" ")[0] not in ALGORITHMS)
    ]
    if names:
        error.hint = f"{error.hint} Not followed of the SSH configuration: {'; '.join(names)}.".lstrip()
    return error


def lost(node: str, *, was_sent: bool) -> ConnectionLost:
    """Return the error for a connection that ended while a command ran, or before it was sent."""
    if not was_sent:
        words = "the connection ended before the command was sent."
        return ConnectionLost(node, words, f"Try again: {_READ_AGAIN}", nothing_ran=True)
    hint = f"Whether it ran to its end is unknown: try again, {_READ_AGAIN}"
    return ConnectionLost(node, "the connection ended while a command ran.", hint)


def channel_refused(node: str, target: Resolved, error: paramiko.ChannelException) -> ChannelRefused:
    """Return the error for a server that opens no channel for a command, also after some time."""
    return ChannelRefused(
        node,
        f"the server at {target} refuses a channel for a command{_in_brackets(str(error.text))}; it was not sent.",
        "Its sshd_config may allow no session (MaxSessions 0, or one that something else holds), or it is overloaded. "
        "Look there (`sshd -T | grep -i maxsessions`), then try again.",
    )


def command_refused(node: str, target: Resolved) -> CommandRefused:
    """Return the error for a server that opens a channel and runs no command in it."""
    return CommandRefused(
        node,
        f"the server at {target} refuses to run commands for {target.user}: nothing was run.",
        "Does this user have a shell there, and is it an SSH server for more than files or forwarding? "
        "Log in as another user (--user).",
    )


def silent(node: str, seconds: float, command: Command | None = None) -> CommandTimedOut:
    """Return the error for a host that did not reply for so long, while `command` ran, as far as known."""
    return CommandTimedOut(
        node,
        f"no output for {seconds:g} s{'' if command is None else f' while `{command}` ran'}.",
        "Is the node still up? What it did last is unknown: check again before you change anything.",
    )


def stalled(node: str, seconds: float) -> CommandTimedOut:
    """Return the error for a host behind a jump host that took nothing of what was sent for so long."""
    return CommandTimedOut(
        node,
        f"it took no data for {seconds:g} s, by way of its jump host.",
        "Is the node still up? What it did last is unknown: check again before you change anything.",
    )


def endless(node: str, seconds: float, size: int, *, has_begun: bool) -> CommandTimedOut:
    """Return the error for a host that wrote for so long, `size` bytes; `has_begun`: by the command itself."""
    if has_begun:
        what = f"a command was not over after {seconds:g} s, though it went on writing ({size} bytes)"
        hint = "What the host did last is unknown: look there for what writes so much, then try again."
    else:
        what = f"the login wrote for {seconds:g} s ({size} bytes) and ran no command"
        hint = "Look at what is run at each login there: ~/.bashrc, ~/.profile, ~/.ssh/rc."
    return CommandTimedOut(node, f"{what}; the connection was closed.", hint)


def _jump_error(node: str, target: Resolved, error: paramiko.ChannelException) -> HostError:
    """Return what the refusal of a jump host means."""
    jump = target.jumps[-1] if target.jumps else target
    said = clean_line(str(error.text))
    if error.code == 1:  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED
        return Unreachable(
            node,
            f"the jump host {jump} does not forward to {target}: {said}.",
            "Its sshd_config must allow it (AllowTcpForwarding).",
        )
    return Unreachable(
        node, f"the jump host {jump} cannot reach {target}: {said}.", "Is the node running, and is this its address?"
    )


def _names(algorithms: Sequence[str]) -> str:
    """List the first algorithms of a list, which may be a host's."""
    names = [clean_line(name[:_MAX_WORDS]) for name in algorithms[:_MAX_NAMES] if name]
    more = len(algorithms) - len(names)
    return (", ".join(names) + (f" and {more} more" if more > 0 else "")) or "none"


def _in_brackets(words: str) -> str:
    shown = clean_line(words)
    return f" ({shown})" if shown else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        text = os.strerror(error.errno)
        return text[:1].lower() + text[1:]
    return clean_line(str(error)) or type(error).__name__
