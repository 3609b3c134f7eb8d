"""The embedded lab: a Linode API and an SSH server per node, on loopback, in this process; gone when it ends.

The rest of the program knows no more of it than of any cluster: an address of the API, a token, and an SSH
configuration file that maps the nodes' addresses to the servers' ports.
"""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
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
from kthw_routes.demo.linux.network_helper import NetworkHelper
from kthw_routes.demo.pods import with_pods as run_pods
from kthw_routes.demo.ssh.keys import private_text
from kthw_routes.demo.ssh.server import LOOPBACK, SshServer
from kthw_routes.demo.topology import Topology, build_cluster
from kthw_routes.options import Settings

_DISCARDS: Final = 3
"""How often files are looked for: whoever is still at work may make one more."""


class EmbeddedLab:
    """A cluster before lab 11. Starts with `start` or `with`, and leaves nothing behind."""

    api: LinodeApi
    servers: Mapping[str, SshServer]

    def __init__(self, region: str, *, with_pods: bool = False, clock: Clock | None = None) -> None:
        """
        Args:
            region: `ca-central`, or `eu-west` where the modelled provider drops packets with pod addresses.
            with_pods: whether a pod runs on each worker from the start.
            clock: the time on the nodes; real by default.
        """
        self.region: Final = region
        self.has_pods: Final = with_pods
        self._clock = clock
        self._folder: Path | None = None
        self._exit = ExitStack()

    def start(self) -> None:
        """Bring everything up."""
        with ExitStack() as stack:
            self._folder = Path(tempfile.mkdtemp(prefix="kthw-routes-demo-"))
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self.topology: Topology = build_cluster(self.region, clock=self._clock)
            if self.has_pods:
                run_pods(self.topology)
            self.api = stack.enter_context(self.make_api())
            self._serve(stack)
            self._exit = stack.pop_all()

    def make_api(self) -> LinodeApi:
        """Make the API that is not started yet."""
        return LinodeApi(lab_account(self.region))

    def make_server(self, name: str) -> SshServer:
        """Make the SSH server of a node."""
        return SshServer(self.topology.hosts[name], self.authorized, is_up=partial(self.is_up, name))

    def _serve(self, stack: ExitStack) -> None:
        """Make an SSH server per node, and the files that lead there."""
        private = private_text(Ed25519PrivateKey.generate())
        self.authorized = [paramiko.Ed25519Key.from_private_key(StringIO(private)).asbytes()]
        self.servers = {}
        stack.callback(self._close_servers)
        for name in self.topology.hosts:
            self.serve_node(name)
        self.identity.touch(mode=0o600)
        self.identity.write_text(private)
        self.write_ssh_config()

    def serve_node(self, name: str) -> None:
        """Start the SSH server of a node."""
        self.servers = {**self.servers, name: self.make_server(name)}
        self.topology.hosts[name].went_down.append(partial(self.hang_up, name))

    def hang_up(self, name: str) -> None:
        """End the connections of a host that goes down."""
        self.servers[name].hang_up()

    def is_up(self, name: str) -> bool:
        """Whether a node has its public address: without it nobody can log in."""
        public = self.topology.addresses[name][0]
        return self.topology.hosts[name].kernel.is_local(IPv4Address(public))

    def note_new_address(self, name: str, private: str) -> None:
        """Let the account, and the node's own files from its next boot on, give it another internal address."""
        public = self.topology.addresses[name][0]
        self.topology.addresses[name] = (public, private)
        self.topology.hosts[name].network_helper = NetworkHelper(IPv4Address(public), IPv4Address(private))
        account = self.api.account
        instances = (replace(one, private=(private,)) if one.label == name else one for one in account.instances)
        self.api.account = replace(account, instances=tuple(instances))

    def _close_servers(self) -> None:
        for server in self.servers.values():
            server.close()

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

    def write_ssh_config(self) -> None:
        self.ssh_config.write_text("".join(self._host_block(name) for name in self.servers))

    def host_key_alias(self, name: str) -> str:
        """Return the name under which the host key of a node is known."""
        return name

    def _host_block(self, name: str) -> str:
        """Write how OpenSSH and we find a node: by its name, and by the address in the API."""
        public, _private = self.topology.addresses[name]
        return (
            f"Host {name} {public}\n"
            f"    HostName {LOOPBACK}\n"
            f"    Port {self.servers[name].port}\n"
            f"    User root\n"
            f"    HostKeyAlias {self.host_key_alias(name)}\n"
            f'    IdentityFile "{self.identity}"\n'
            f"    IdentitiesOnly yes\n"
            f'    UserKnownHostsFile "{self.folder / "known_hosts"}"\n'
            f"    StrictHostKeyChecking accept-new\n\n"
        )
