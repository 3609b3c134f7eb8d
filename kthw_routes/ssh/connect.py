"""One attempt to connect and log in to a host, through its jump hosts, by fabric's connection.

Stock fabric accepts any host key, reads `~/.ssh/config` and its own files, and asks on the terminal: not here.
"""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fabric
import paramiko

from kthw_routes.facts import HostKey
from kthw_routes.ssh.access import Access
from kthw_routes.ssh.config import Resolved
from kthw_routes.ssh.dial import KEEPALIVE, dial, hang_up
from kthw_routes.ssh.error_messages import connect_error, name_unfollowed
from kthw_routes.ssh.jumps import JumpTransport
from kthw_routes.ssh.login import HostKeyCheck, KeysInTurn
from kthw_routes.ssh.transport import HANDSHAKE_TIMEOUT, LOGIN_TIMEOUT, QuietTransport


class Attempt:
    """One attempt to connect to a node, which another thread may cancel."""

    def __init__(self, node: str, access: Access) -> None:
        self._node = node
        self._access = access
        self._cancelled = threading.Event()
        self._sock: Any = None
        self._patience = min(HANDSHAKE_TIMEOUT, max(access.connect_timeout, access.silence))

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Give up, and wake whoever waits for the host."""
        self._cancelled.set()
        sock = self._sock
        if sock is not None:
            hang_up(sock)

    def connect(self, target: Resolved) -> tuple[fabric.Connection, HostKey]:
        """Connect and log in to `target` through its jump hosts. Raises HostError; then nothing is left open."""
        access = self._access
        check = HostKeyCheck(
            self._node, target, access.known_hosts, access.host_keys, access.seen, rebuilt=access.rebuilt
        )
        return self._log_in(target, target.jumps, check, QuietTransport)

    def _log_in_to_jump(self, target: Resolved, chain: tuple[Resolved, ...]) -> paramiko.SSHClient:
        access = self._access
        # It is the node that the person named as rebuilt, not what is in front of it.
        check = HostKeyCheck(self._node, target, access.known_hosts, access.host_keys, access.seen, rebuilt=None)
        connection, _ = self._log_in(target, chain, check, JumpTransport)
        client: paramiko.SSHClient = connection.client
        return client

    def _log_in(
        self, target: Resolved, chain: tuple[Resolved, ...], check: HostKeyCheck, transport: type[QuietTransport]
    ) -> tuple[fabric.Connection, HostKey]:
        def make_transport(sock: Any, **options: Any) -> paramiko.Transport:
            made = transport(sock, **options)
            made.banner_timeout = made.handshake_timeout = self._patience
            made.auth_timeout = min(LOGIN_TIMEOUT, self._access.silence)
            check.prefer_known_type(made)
            return made

        client: paramiko.SSHClient | None = None
        try:
            with self._open_socket(target, chain) as sock:
                connection = fabric.Connection(
                    target.host,
                    user=target.user,
                    port=target.port,
                    config=_fabric_config(target.user),
                    connect_timeout=2 * self._patience + 1,  # after those of the parts, which say what was waited for
                    connect_kwargs={
                        "sock": sock,
                        "transport_factory": make_transport,
                        "auth_strategy": KeysInTurn(self._node, target, self._access.keys),
                    },
                )
                client = connection.client
                client.set_missing_host_key_policy(check)
                connection.open()
            connection.transport.set_keepalive(KEEPALIVE)
        # Anything may come out of the two libraries here (a bare Exception included); all of it means that there
        # is no connection. What is ours to stop on passes.
        except BaseException as error:
            if client is not None:
                _close(client)
            if not isinstance(error, Exception):
                raise
            met = InterruptedError() if self.is_cancelled else error
            failure = connect_error(self._node, target, met, self._access.connect_timeout)
            raise name_unfollowed(failure, target) from error
        if check.key is None:
            raise AssertionError("paramiko did not ask for the host key to be checked")
        return connection, check.key

    @contextmanager
    def _open_socket(self, target: Resolved, chain: tuple[Resolved, ...]) -> Iterator[Any]:
        """Open what the transport runs over; closed again if the block fails."""
        timeout = self._access.connect_timeout
        with contextlib.ExitStack() as stack:
            sock: Any
            if chain:
                jump = self._access.jump(chain)
                stack.enter_context(jump.slots)
                sock = jump.connect(self._node, target, self._log_in_to_jump, timeout, self._access.silence)
            else:
                sock = dial(target.host, target.port, timeout, self._cancelled)
            self._sock = sock
            try:
                if self.is_cancelled:
                    raise InterruptedError
                yield sock
            except BaseException:
                hang_up(sock)
                raise


def _fabric_config(user: str) -> fabric.Config:
    """Return a configuration of its own per connection, that reads no file.

    A shared one fails under threads, and the default reads and runs files in the person's home.
    """
    config = fabric.Config(lazy=True)
    config.load_overrides({"load_ssh_configs": False, "user": user})
    return config


def _close(client: paramiko.SSHClient) -> None:
    """Close a client, one that failed to log in included (fabric's own close leaves its thread and socket)."""
    transport = client.get_transport()
    client.close()
    if transport is not None:
        transport.join(0.5)
