"""How hosts are reached, and what all sessions of one run share."""

import threading
from dataclasses import replace
from pathlib import Path

from kthw_routes.cluster import Endpoint
from kthw_routes.ssh.config import Resolved, SshConfig
from kthw_routes.ssh.jumps import Jump
from kthw_routes.ssh.keys import Keys
from kthw_routes.ssh.known_hosts import HostKeyMode, KnownHosts
from kthw_routes.ssh.session import Asker
from kthw_routes.ssh.sudo import SudoPassword


class Access:
    """How hosts are reached, and what all of them share in one run: keys, known hosts, jump hosts, passwords.

    Make one per run, an `SshSession` per node, and `close` it after the sessions. Safe to use from many threads.
    """

    def __init__(
        self,
        known_hosts: KnownHosts,
        *,
        keys: Keys | None = None,
        ssh_config: SshConfig | None = None,
        host_keys: HostKeyMode = HostKeyMode.ACCEPT_NEW,
        user: str | None = None,
        port: int | None = None,
        identity: Path | None = None,
        connect_timeout: float = 10.0,
        silence: float = 30.0,
        asker: Asker | None = None,
    ) -> None:
        """
        Args:
            known_hosts: the trusted host keys; new ones are added there.
            keys: the private keys; by default those that `identity` and the person's files and agent give.
            ssh_config: the OpenSSH configuration; by default an empty one.
            host_keys: what happens with a key that is not known.
            user, port: those the person chose; None leaves them to the configuration.
            connect_timeout: seconds for the TCP connection.
            silence: seconds without a reply after which a host counts as dead, while a command runs.
            asker: whom to ask for passphrase and password.
        """
        self.known_hosts = known_hosts
        self.keys = keys or Keys(identity, asker=asker, agent_timeout=connect_timeout)
        self.ssh_config = ssh_config or SshConfig()
        self.host_keys = host_keys
        self.user = user
        self.port = port
        self.connect_timeout = connect_timeout
        self.silence = silence
        self.rebuilt: set[str] = set()
        """Names of nodes that the person named as rebuilt: their old host keys are forgotten."""
        self.echoes = self.keys.echoes
        """What no host may say back: see there for the rule."""
        self.sudo = SudoPassword(asker, self.echoes)
        self.seen: dict[str, bytes] = {}
        """The key that each host presented in this run, by its name in known_hosts."""
        self.identities: dict[str, Path] = {}
        """The private keys of nodes that have one of their own, by the node's name."""
        self._jumps: dict[tuple[Resolved, ...], Jump] = {}
        self._lock = threading.Lock()

    def resolve(self, node: str, endpoint: Endpoint) -> Resolved:
        """Find out where a node's endpoint is. Raises UsageError for a broken ProxyJump."""
        target = self.ssh_config.resolve(endpoint, user=self.user, port=self.port)
        self.echoes.expect(node, target.user)
        return replace(target, identity=self.identities.get(node))

    def jump(self, chain: tuple[Resolved, ...]) -> Jump:
        """Return the connection through which a chain of jump hosts is passed, shared by all hosts behind it."""
        with self._lock:
            return self._jumps.setdefault(chain, Jump(chain))

    def close(self) -> None:
        """Close the jump hosts."""
        with self._lock:
            jumps = list(self._jumps.values())
        for jump in reversed(jumps):
            jump.close()
