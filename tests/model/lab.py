"""The embedded lab with what an operator does to a cluster while it runs, and with faults to order."""

from functools import partial

from kthw_routes.demo.api.account import lab_account
from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.demo.pods import configured_cidr
from kthw_routes.demo.ssh.keys import new_key
from tests.model.api import FaultyApi, moved, renamed, with_node, without
from tests.model.hosts import power_off
from tests.model.ssh_server import FaultyServer


class BreakableLab(EmbeddedLab):
    """An embedded lab whose nodes come, go, move and misbehave."""

    api: FaultyApi
    servers: dict[str, FaultyServer]

    def start(self) -> None:
        """Bring everything up."""
        self._aliases: dict[str, str] = {}  # under which name the host key of each node is known, if not its own
        super().start()

    def make_api(self) -> FaultyApi:
        """See EmbeddedLab."""
        return FaultyApi(lab_account(self.region))

    def make_server(self, name: str) -> FaultyServer:
        """See EmbeddedLab."""
        return FaultyServer(self.topology.hosts[name], self.authorized, is_up=partial(self.is_up, name))

    def rebuild(self, name: str, *, private: str | None = None, public: str | None = None) -> None:
        """Put a fresh host in a node's place: another host key, no routes, the files as before lab 11.

        Args:
            private, public: its addresses, where they are others than before; the API tells them.
        """
        old, addresses = self.topology.hosts[name], self.topology.addresses[name]
        cidr = configured_cidr(old) if name.startswith("worker-") else None
        power_off(old)
        host = self.topology.add(name, public or addresses[0], private or addresses[1], cidr=cidr)
        self.api.account = moved(self.api.account, name, *self.topology.addresses[name])
        server = self.servers[name]
        server.host, server.key = host, new_key()
        server.hang_up()  # on whoever connected to the old one just now
        host.went_down.append(partial(self.hang_up, name))
        self.write_ssh_config()

    def add(self, name: str, *, public: str | None = None, private: str | None = None) -> None:
        """Add a fresh worker, such as `worker-3`; its addresses follow from its number unless they are given."""
        number = int(name.rpartition("-")[2])
        public = public or f"203.0.113.{20 + number}"
        private = private or f"192.168.{138 + 7 * number}.{(48 + 59 * number) % 256}"
        self.topology.add(name, public, private)
        self.serve_node(name)
        self.api.account = with_node(self.api.account, name, public, private, self.region)
        self.write_ssh_config()

    def remove(self, name: str) -> None:
        """Take a node away for good: from the network and from the account."""
        self.api.account = without(self.api.account, name)
        power_off(self.topology.hosts[name])
        self.servers.pop(name).close()
        del self.topology.hosts[name], self.topology.addresses[name]
        self._aliases.pop(name, None)
        self.write_ssh_config()

    def rename(self, old: str, new: str) -> None:
        """Give a node another name, in the account and on the host itself. Its host key stays known."""
        topology = self.topology
        self.servers[old].is_up = None  # nobody waits for it in between
        topology.hosts = {new if name == old else name: host for name, host in topology.hosts.items()}
        topology.addresses = {new if name == old else name: both for name, both in topology.addresses.items()}
        host = topology.hosts[new]
        host.name = new
        host.files.put("/etc/hostname", f"{new}\n")
        self.api.account = renamed(self.api.account, old, new)
        self.servers = {new if name == old else name: server for name, server in self.servers.items()}
        self.servers[new].is_up = partial(self.is_up, new)
        host.went_down[:] = [partial(self.hang_up, new)]
        self._aliases[new] = self._aliases.pop(old, old)
        self.write_ssh_config()

    def host_key_alias(self, name: str) -> str:
        """The first name of a node."""
        return self._aliases.get(name, name)
