"""The embedded lab: a Linode API and an SSH server per node, on loopback, in this process; gone when it ends.

The rest of the program knows no more of it than of any cluster: an address of the API, a token, and an SSH
configuration file that maps the nodes' addresses to the servers' ports.
"""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kthw_routes.demo.account import lab_account
from kthw_routes.demo.clock import Clock
from kthw_routes.demo.linode_api import LinodeApi
from kthw_routes.demo.ssh_server import LOOPBACK, SshServer, private_text
from kthw_routes.demo.topology import ADDRESSES, Topology, build_cluster
from kthw_routes.settings import Settings


class EmbeddedLab:
    """A cluster as it stands before lab 11. Starts with `start` or `with`, and leaves nothing behind."""

    def __init__(
        self,
        region: str,
        *,
        clock: Clock | None = None,
        keys: Mapping[str, paramiko.PKey] | None = None,
        ports: Mapping[str, int] | None = None,
    ) -> None:
        """
        Args:
            region: `ca-central`, or `eu-west` where the modelled provider drops packets with pod addresses.
            clock: the time on the nodes; real by default.
            keys: the nodes' host keys, by name; fresh ones by default.
            ports: the nodes' ports, by name; by default those that the system hands out.
        """
        self.region: Final = region
        self._clock = clock
        self._keys = dict(keys or {})
        self._ports = dict(ports or {})
        self._folder: Path | None = None
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
        authorized = [paramiko.Ed25519Key.from_private_key(StringIO(private)).asbytes()]
        self.servers = {
            name: SshServer(host, authorized, key=self._keys.get(name), port=self._ports.get(name, 0))
            for name, host in self.topology.hosts.items()
        }
        for server in self.servers.values():
            stack.callback(server.close)
        self.identity.touch(mode=0o600)
        self.identity.write_text(private)
        self.ssh_config.write_text("".join(self._host_block(name) for name in self.servers))

    def close(self) -> None:
        """End everything and remove all files."""
        self._exit.close()
        self._folder = None

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
        return tuple(ADDRESSES)

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

    def _host_block(self, name: str) -> str:
        """How OpenSSH and we find a node: by its name, and by the address that the API tells."""
        public, _private = ADDRESSES[name]
        return (
            f"Host {name} {public}\n"
            f"    HostName {LOOPBACK}\n"
            f"    Port {self.servers[name].port}\n"
            f"    User root\n"
            f"    HostKeyAlias {name}\n"
            f"    IdentityFile {self.identity}\n"
            f"    IdentitiesOnly yes\n"
            f"    UserKnownHostsFile {self.folder / 'known_hosts'}\n"
            f"    StrictHostKeyChecking accept-new\n\n"
        )
