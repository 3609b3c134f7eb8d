"""The embedded lab: a Linode API and an SSH server per node, on loopback, in this process; gone when it ends.

The rest of the program knows no more of it than of any cluster: an address of the API, a token, and an SSH
configuration file that maps the nodes' addresses to the servers' ports.
"""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from io import StringIO
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kthw_routes.demo.api.account import lab_account
from kthw_routes.demo.api.server import LinodeApi
from kthw_routes.demo.clock import Clock
from kthw_routes.demo.ssh.keys import new_key, private_text
from kthw_routes.demo.ssh.server import LOOPBACK, SshServer
from kthw_routes.demo.topology import Topology, build_cluster, next_addresses
from kthw_routes.options import Settings

_DISCARDS: Final = 3
"""How often files are looked for: whoever is still at work may make one more."""


class EmbeddedLab:
    """A cluster as it stands before lab 11. Starts with `start` or `with`, and leaves nothing behind."""

    def __init__(
        self,
        region: str,
        *,
        clock: Clock | None = None,
        keys: Mapping[str, paramiko.PKey] | None = None,
    ) -> None:
        """
        Args:
            region: `ca-central`, or `eu-west` where the modelled provider drops packets with pod addresses.
            clock: the time on the nodes; real by default.
            keys: the nodes' host keys, by name; fresh ones by default.
        """
        self.region: Final = region
        self._clock = clock
        self._keys = dict(keys or {})
        self._folder: Path | None = None
        self._aliases: dict[str, str] = {}
        """Under which name the host key of each node is known: its first one."""
        self._exit = ExitStack()

    def start(self) -> None:
        """Bring everything up."""
        with ExitStack() as stack:
            self._folder = Path(tempfile.mkdtemp(prefix="kthw-routes-demo-"))
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self.topology: Topology = build_cluster(self.region, clock=self._clock)
            self.api = stack.enter_context(LinodeApi(lab_account(self.region)))
            self._serve(stack)
            self._exit = stack.pop_all()

    def _serve(self, stack: ExitStack) -> None:
        """An SSH server per node, and the files that lead there."""
        private = private_text(Ed25519PrivateKey.generate())
        self._authorized = [paramiko.Ed25519Key.from_private_key(StringIO(private)).asbytes()]
        self.servers: dict[str, SshServer] = {}
        stack.callback(self._close_servers)
        for name in self.topology.hosts:
            self._serve_node(name)
        self.identity.touch(mode=0o600)
        self.identity.write_text(private)
        self._write_ssh_config()

    def _serve_node(self, name: str) -> None:
        host = self.topology.hosts[name]
        server = SshServer(
            host,
            self._authorized,
            key=self._keys.get(name),
            is_up=lambda: self._is_up(server.port),
        )
        self.servers[name] = server
        self._aliases[name] = name
        host.went_down.append(partial(self._hang_up, server.port))

    def _hang_up(self, port: int) -> None:
        """End the connections of a host that goes down. (Its server may have been put in another's place.)"""
        for server in list(self.servers.values()):
            if server.port == port:
                server.hang_up()

    def _is_up(self, port: int) -> bool:
        """Whether the node behind a server has its public address: without it nobody can log in."""
        name = next((name for name, server in self.servers.items() if server.port == port), None)
        if name is None:
            return True
        return self.topology.hosts[name].kernel.is_local(IPv4Address(self.topology.addresses[name][0]))

    def _close_servers(self) -> None:
        for server in self.servers.values():
            server.close()

    # what an operator does to the cluster, while the lab runs

    def rebuild(self, name: str, *, private: str | None = None, public: str | None = None) -> None:
        """Put a fresh host in a node's place: another host key, no routes, the files as before lab 11.

        Args:
            private, public: its addresses, where they are others than before; the API tells them.
        """
        host = self.topology.rebuild(name, private=private, public=public)
        self.api.account = self.api.account.moved(name, *self.topology.addresses[name])
        server = self.servers[name]
        server.host, server.key = host, new_key()
        server.hang_up()  # on whoever connected to the old one just now
        host.went_down.append(partial(self._hang_up, server.port))
        self._write_ssh_config()

    def add(self, name: str, *, public: str | None = None, private: str | None = None) -> None:
        """Add a fresh node, such as `worker-3`; its addresses follow from its name unless they are given."""
        default_public, default_private = next_addresses(name)
        public, private = public or default_public, private or default_private
        self.topology.add(name, public, private)
        self._serve_node(name)
        self.api.account = self.api.account.with_node(name, public, private, self.region)
        self._write_ssh_config()

    def remove(self, name: str) -> None:
        """Take a node away for good: from the network and from the account."""
        self.api.account = self.api.account.without(name)
        self.topology.remove(name)
        self.servers.pop(name).close()
        del self._aliases[name]
        self._write_ssh_config()

    def rename(self, old: str, new: str) -> None:
        """Give a node another name, in the account and on the host itself. Its host key stays known."""
        self.topology.rename(old, new)
        self.api.account = self.api.account.renamed(old, new)
        self.servers = {new if name == old else name: server for name, server in self.servers.items()}
        self._aliases[new] = self._aliases.pop(old)
        self._write_ssh_config()

    def close(self) -> None:
        """End everything and remove all files."""
        self._exit.close()
        self._folder = None

    def discard(self) -> None:
        """Remove all files, from any thread, while the lab may still run or be closed: for a process that ends now."""
        folder = self._folder
        for _ in range(_DISCARDS):
            if folder is not None and folder.exists():
                shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Where all its files lie. Raises RuntimeError while it is not running."""
        if self._folder is None:
            raise RuntimeError("the embedded lab is not running")
        return self._folder

    @property
    def ssh_config(self) -> Path:
        """The SSH configuration file."""
        return self.folder / "ssh_config"

    @property
    def identity(self) -> Path:
        """The private key that all nodes accept, named as the tutorial names it."""
        return self.folder / "kubernetes.ed25519"

    @property
    def node_names(self) -> tuple[str, ...]:
        """The names of the nodes, controllers first."""
        return tuple(self.topology.hosts)

    @property
    def environment(self) -> dict[str, str]:
        """What other commands need to find the lab instead of a Linode account."""
        return {
            "LINODE_URL": self.api.url,
            "LINODE_TOKEN": self.api.account.token,
            "KTHW_ROUTES_SSH_CONFIG": str(self.ssh_config),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }

    @property
    def settings(self) -> Settings:
        """Settings that lead to the lab and to nothing of the person's own."""
        return Settings(
            identity=self.identity,
            ssh_config=self.ssh_config,
            state=self.folder / "state" / "kthw-routes",
            personal=False,
            environ=self.environment,
        )

    def _write_ssh_config(self) -> None:
        self.ssh_config.write_text("".join(self._host_block(name) for name in self.servers))

    def _host_block(self, name: str) -> str:
        """How OpenSSH and we find a node: by its name, and by the address that the API tells."""
        public, _private = self.topology.addresses[name]
        return (
            f"Host {name} {public}\n"
            f"    HostName {LOOPBACK}\n"
            f"    Port {self.servers[name].port}\n"
            f"    User root\n"
            f"    HostKeyAlias {self._aliases[name]}\n"
            f'    IdentityFile "{self.identity}"\n'
            f"    IdentitiesOnly yes\n"
            f'    UserKnownHostsFile "{self.folder / "known_hosts"}"\n'
            f"    StrictHostKeyChecking accept-new\n\n"
        )
