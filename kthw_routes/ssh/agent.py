"""The SSH agent: asked for its keys and for signatures, by one thread at a time, within limits of time and size."""

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import paramiko
from paramiko.agent import SSH2_AGENT_IDENTITIES_ANSWER, AgentKey, AgentSSH, cSSH2_AGENTC_REQUEST_IDENTITIES

from kthw_routes.sanitize import clean_line

MAX_REPLY: Final = 256 * 1024
"""Bytes of an answer, as OpenSSH."""
MAX_IDENTITIES: Final = 2048
"""Keys of one agent, as OpenSSH."""
SIGN_TIMEOUT: Final = 30.0
"""Seconds for a signature, and as long for one's turn: an agent may ask the person to touch or confirm something."""
_UNUSUAL: Final = 2.0
"""Seconds without a signature after which the person is shown what is waited for."""
_ABSENT: Final = frozenset({errno.ENOENT, errno.ECONNREFUSED, errno.ENOTSOCK, errno.ENOTDIR, errno.EPROTOTYPE})
"""What connecting to a socket says that an agent of an earlier login left behind."""

Report = Callable[[str], None]
"""Takes a sentence for the person."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A key that an agent holds: its public half as it is on the wire, and what the person called it."""

    blob: bytes
    comment: str


class Agent(AgentSSH):
    """The agent behind one socket. Each question has a connection of its own, so that none waits for another's answer.

    Once it has failed it is not asked again: `error` says why.
    """

    def __init__(self, path: Path, timeout: float, report: Report) -> None:
        """
        Args:
            path: of the socket; there need not be anything.
            timeout: seconds for the list of its keys.
            report: called, once each, for an agent that is there and does not reply, and a signature that takes long.
        """
        super().__init__()
        self.error: str | None = None
        """Why it is not asked any more, as a sentence; None while it may be."""
        self._path = path
        self._timeout = timeout
        self._report = report
        self._turn = threading.Lock()
        self._identities: tuple[Identity, ...] | None = None
        self._has_reported_wait = False

    def identities(self) -> tuple[Identity, ...]:
        """Return the keys that it holds, asked for once; none where it does not reply."""
        with self._turn:
            if self._identities is None:
                self._identities = ()
                try:
                    kind, answer = self._ask(cSSH2_AGENTC_REQUEST_IDENTITIES, self._timeout, signs=False)
                    if kind != SSH2_AGENT_IDENTITIES_ANSWER:
                        raise self._failed("it answers with something else than its keys")
                    self._identities = _read_identities(answer)
                except ValueError as error:
                    self._failed(str(error))
                except paramiko.SSHException:
                    pass  # `error` says it
            return self._identities

    def _send_message(self, msg: Any) -> tuple[int, paramiko.Message]:
        """Have it sign; called by paramiko's AgentKey. Raises SSHException."""
        if not self._turn.acquire(timeout=SIGN_TIMEOUT):
            raise paramiko.SSHException(f"the agent was busy for {SIGN_TIMEOUT:g} s")
        try:
            kind, answer = self._ask(msg.asbytes(), SIGN_TIMEOUT, signs=True)
        finally:
            self._turn.release()
        return kind, paramiko.Message(answer)

    def _ask(self, request: bytes, seconds: float, *, signs: bool) -> tuple[int, bytes]:
        """Ask one question; return kind and body of the answer. Raises SSHException, and sets `error`."""
        if self.error:
            raise paramiko.SSHException(self.error)
        deadline = time.monotonic() + seconds
        try:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(seconds)
                self._connect_to(sock)
                sock.sendall(struct.pack(">I", len(request)) + request)
                if signs:
                    self._wait_for_the_person(sock, seconds)
                (size,) = struct.unpack(">I", _receive(sock, 4, deadline))
                if not 0 < size <= MAX_REPLY:
                    raise self._failed(f"it claims an answer of {size} bytes")
                answer = _receive(sock, size, deadline)
        except TimeoutError:
            raise self._failed(f"no answer within {seconds:g} s") from None
        except EOFError:
            raise self._failed("it hung up without a whole answer") from None
        except OSError as error:
            raise self._failed(os.strerror(error.errno) if error.errno else str(error)) from None
        return answer[0], answer[1:]

    def _connect_to(self, sock: socket.socket) -> None:
        try:
            sock.connect(os.fsencode(self._path))
        except OSError as error:
            # Nobody is there, or (without a number) the name is too long for a socket: a setting left behind.
            if error.errno is None or error.errno in _ABSENT:
                reason = os.strerror(error.errno) if error.errno else str(error)
                self.error = f"There is no SSH agent at {clean_line(str(self._path))}: {reason}."
                raise paramiko.SSHException(self.error) from None
            raise

    def _wait_for_the_person(self, sock: socket.socket, seconds: float) -> None:
        sock.settimeout(_UNUSUAL)
        try:
            sock.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            if not self._has_reported_wait:
                self._has_reported_wait = True
                self._report(
                    f"Waiting up to {seconds:g} s for the SSH agent at {clean_line(str(self._path))} to sign: "
                    "does a key want to be touched, or a window to be answered?"
                )

    def _failed(self, reason: str) -> paramiko.SSHException:
        """Report it and ask it nothing more; return the exception to raise."""
        self.error = (
            f"The SSH agent at {clean_line(str(self._path))} does not reply as it should: {reason}. "
            "Its keys are not offered; start it again, or name a key with -i FILE."
        )
        self._report(self.error)
        return paramiko.SSHException(self.error)


class LoginKey(AgentKey):
    """A key of an agent, for one login."""

    def __init__(self, agent: Agent, identity: Identity) -> None:
        """Make a key of one that the agent listed. Raises ValueError for one that makes no sense."""
        try:
            super().__init__(agent, identity.blob, identity.comment)
            self.asbytes()
        # Whatever the agent sent for a key, paramiko may fail at it in many unrelated ways.
        except Exception as error:
            raise ValueError("no key") from error
        self._agent = agent
        self.unsigned: str | None = None
        """Why there was no signature, if there was none."""
        self.asked: Final = threading.Event()
        """Set when a signature is wanted."""
        self.answered: Final = threading.Event()
        """Set when the agent has signed, or will not."""

    def sign_ssh_data(self, data: Any, algorithm: str | None = None) -> Any:
        """Have the agent sign. Where it does not, the signature is a wrong one and `unsigned` says why.

        paramiko's thread asks for this: an error would end the connection, and with it the login with other keys.
        """
        self.asked.set()
        try:
            return super().sign_ssh_data(data, algorithm)
        except paramiko.SSHException as error:
            busy = str(error) if "busy" in str(error) else "the agent refused to sign"
            self.unsigned = "the agent did not sign" if self._agent.error else busy
        finally:
            self.answered.set()
        wrong = paramiko.Message()
        wrong.add_string(algorithm or self.get_name())
        wrong.add_string(bytes(64))
        return wrong.asbytes()


def _receive(sock: socket.socket, size: int, deadline: float) -> bytes:
    """Receive exactly `size` bytes. Raises TimeoutError at the deadline, EOFError where the other end closes before."""
    received = bytearray()
    while len(received) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        more = sock.recv(min(size - len(received), 65536))
        if not more:
            raise EOFError
        received += more
    return bytes(received)


def _read_identities(answer: bytes) -> tuple[Identity, ...]:
    """Read the keys of an answer. Raises ValueError where it is cut off, or names more keys than there may be."""
    at = 4

    def take() -> bytes:
        nonlocal at
        size = int.from_bytes(answer[at : at + 4], "big")
        at += 4 + size
        if at > len(answer):
            raise ValueError("its list of keys is cut off")
        return answer[at - size : at]

    count = int.from_bytes(answer[:4], "big")
    if len(answer) < 4 or count > MAX_IDENTITIES:
        raise ValueError(f"it claims to hold {count} keys")
    return tuple(Identity(take(), clean_line(take().decode("utf-8", "replace"))) for _ in range(count))
