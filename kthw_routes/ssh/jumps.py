"""Jump hosts: each is connected to once, and all hosts behind it share that connection."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import paramiko

from kthw_routes.ssh.config import Resolved
from kthw_routes.ssh.errors import HostError
from kthw_routes.ssh.transport import JumpSocket

MAX_OPENS: Final = 16
"""Hosts that are connected to at once through one jump host."""

LogIn = Callable[[Resolved, tuple[Resolved, ...]], paramiko.SSHClient]
"""Logs in to a host through a chain of jump hosts. Raises HostError."""


@dataclass(slots=True)
class Jump:
    """The last host of a chain of jump hosts."""

    chain: tuple[Resolved, ...]
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_OPENS))
    """One is held by each host that is being connected to through this one."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _client: paramiko.SSHClient | None = None
    _failures: list[HostError] = field(default_factory=list)
    """Of each attempt to log in to it that failed."""

    def connect(self, node: str, target: Resolved, log_in: LogIn, timeout: float) -> JumpSocket:
        """A way to `target` through this host, which is logged in to unless it is.

        Args:
            node: the name of the host that is connected to.
            target: where it is, from this one.
            log_in: how to log in to this one.
            timeout: seconds for the way from here to `target`.

        Raises:
            HostError: this host cannot be logged in to.
            paramiko.SSHException: it does not open the way.
        """
        failed = len(self._failures)
        with self._lock:
            transport = self._client.get_transport() if self._client else None
            if transport is None or not transport.is_active():
                if len(self._failures) > failed:
                    raise self._failures[-1].of(node)  # while this host waited: once more would take as long
                try:
                    self._client = log_in(self.chain[-1], self.chain[:-1])
                except HostError as error:
                    self._failures.append(error)
                    raise
                transport = self._client.get_transport()
        if transport is None:
            raise paramiko.SSHException("the jump host hung up")
        there, here = (target.host, target.port), ("127.0.0.1", 0)
        return JumpSocket(transport.open_channel("direct-tcpip", there, here, timeout=timeout))

    def close(self) -> None:
        """Hang up."""
        client = self._client
        if client is not None:
            client.close()
