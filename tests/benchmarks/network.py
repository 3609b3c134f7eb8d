"""Many hosts on this machine: a network namespace each, with an SSH server of its own, on one bridge.

Everything is new and is gone at the end, also after an interruption; should this process be killed, its servers end
with it, and the next lab removes the rest.
"""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.nodes import leftovers, netns

_BRIDGE: Final = "br0"
_NETWORK: Final = IPv4Network("192.168.128.0/17")
_CLIENT: Final = IPv4Interface("192.168.128.2/17")
_FIRST: Final = IPv4Address("192.168.129.10")
_SMALL: Final = IPv4Network("10.200.0.0/16")
_LARGE: Final = IPv4Network("10.128.0.0/9")
_NEIGHBOURS: Final = Path("/proc/sys/net/ipv4/neigh/default")

_LOCK: Final = "kthw-routes-benchmark.lock"
_PATIENCE: Final = 60.0
"""Seconds until all servers run."""

_HOST: Final = """\
mount -t tmpfs none /run
mount -t tmpfs none /var/log
mount -t tmpfs none /root
mkdir /run/sshd /run/netns
hostname {name}
"""
_POD: Final = """\
sysctl -q -w net.ipv4.ip_forward={forward}
ip netns add pod
ip -batch - <<END
link add cnio0 type bridge
address add {gateway} dev cnio0
link set cnio0 up
link add veth0 type veth peer name eth0 netns pod
link set veth0 master cnio0 up
END
ip -n pod -batch - <<END
address add {address} dev eth0
link set lo up
link set eth0 up
route add default via {gateway_ip}
END
"""
_SSHD: Final = """\
HostKey {folder}/{name}
AuthorizedKeysFile {folder}/client.pub
StrictModes no
UsePAM yes
PrintMotd no
PidFile none
"""


@dataclass(frozen=True, slots=True)
class BenchHost:
    """One host: its name, its address, and the pod CIDR that it is given."""

    name: str
    address: IPv4Address
    pod_cidr: IPv4Network


class BenchNetwork:
    """A context manager: hosts that answer by SSH, and have no route but that of their own network."""

    def __init__(self, count: int, *, pods: bool = False, closed: bool = False) -> None:
        """Make nothing before the `with`.

        Args:
            count: how many hosts.
            pods: whether each host has a bridge and a pod, as after the first deployment.
            closed: whether the last host does not forward.
        """
        self.name: Final = f"{leftovers.PREFIX}{os.getpid()}-bench"
        self.cluster_cidr: Final = _SMALL if count <= 256 else _LARGE
        cidrs = self.cluster_cidr.subnets(new_prefix=24)
        self.hosts: Final = tuple(
            BenchHost(f"worker-{number}", _FIRST + number, cidr)
            for number, cidr in zip(range(count), cidrs, strict=False)
        )
        self._pods = pods
        self._closed = closed
        self._servers: Final[list[subprocess.Popen[bytes]]] = []
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        """Start all hosts, once no other benchmark runs."""
        with ExitStack() as stack:
            lock = stack.enter_context((Path(tempfile.gettempdir()) / _LOCK).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)  # two would restore each other's limits
            leftovers.remove()
            self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
            stack.callback(shutil.rmtree, self.folder)
            self._raise_neighbour_limits(stack)
            self._write_client_files()
            self._make_namespaces(stack)
            stack.callback(self._stop_servers)
            for host in self.hosts:
                self._start_server(host)
            self._wait_for_servers()
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove everything."""
        self._exit.close()

    def space(self, host: BenchHost) -> str:
        """Return the name of a host's network namespace."""
        return f"{self.name}-{host.name}"

    def entering(self, argv: list[str]) -> list[str]:
        """Return the command line that runs a program on the client's side of the network."""
        return ["nsenter", f"--net={netns.NETNS / self.name}", "--", *argv]

    def wanted(self, host: BenchHost) -> list[tuple[IPv4Network, IPv4Address]]:
        """List prefix and next hop of the routes that a host lacks."""
        return [(other.pod_cidr, other.address) for other in self.hosts if other is not host]

    def reset(self) -> None:
        """Remove the routes from all hosts, and what they know of their neighbours."""
        for host in self.hosts:
            netns.ip(self.space(host), f"route flush root {self.cluster_cidr} dev eth0", "neigh flush dev eth0")

    def fill(self) -> None:
        """Add the routes to all hosts."""
        for host in self.hosts:
            netns.ip(self.space(host), *(f"route replace {prefix} via {hop}" for prefix, hop in self.wanted(host)))

    def missing(self) -> int:
        """Count the routes that are wanted on a host and not there."""
        return sum(
            f"{prefix} via {hop} " not in table
            for host in self.hosts
            for table in [_output(["ip", "-n", self.space(host), "route"])]
            for prefix, hop in self.wanted(host)
        )

    def server_seconds(self) -> float:
        """Return the CPU seconds of all SSH servers and of whatever they ran until now."""
        ticks = 0
        for server in self._servers:
            fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    # what the client has

    @cached_property
    def key(self) -> Path:
        """The client's private key."""
        return self.folder / "client"

    @cached_property
    def known_hosts(self) -> Path:
        """The hosts' keys."""
        return self.folder / "known_hosts"

    @cached_property
    def inventory(self) -> Path:
        """The hosts, as kthw-routes reads them."""
        return self.folder / "inventory.toml"

    @cached_property
    def ssh_config(self) -> Path:
        """How the hosts are reached."""
        return self.folder / "ssh_config"

    def _write_client_files(self) -> None:
        public = _write_key(self.key)
        keys = {host: _write_key(self.folder / host.name) for host in self.hosts}
        (self.folder / "client.pub").write_text(f"{public}\n")
        self.known_hosts.write_text("".join(f"{host.address} {key}\n" for host, key in keys.items()))
        self.ssh_config.write_text(f"Host *\n  UserKnownHostsFile {self.known_hosts}\n  IdentityFile {self.key}\n")
        nodes = "".join(
            f'\n[[nodes]]\nname = "{h.name}"\nrole = "worker"\nssh = "root@{h.address}"\npod_cidr = "{h.pod_cidr}"\n'
            for h in self.hosts
        )
        self.inventory.write_text(f'cluster_cidr = "{self.cluster_cidr}"\n{nodes}')

    # how it is made

    def _raise_neighbour_limits(self, stack: ExitStack) -> None:
        """Let every host know all others: what separate machines have a table each for, is in one table here."""
        for file, before in limits().items():
            stack.callback(file.write_text, str(before))
            file.write_text(str(max(before, 2 * (len(self.hosts) + 2) ** 2)))

    def _make_namespaces(self, stack: ExitStack) -> None:
        for name in (self.name, *map(self.space, self.hosts)):
            stack.callback(netns.delete, name)
            netns.create(name)
        links = (
            line
            for number, host in enumerate(self.hosts)
            for line in (
                f"link add h{number} type veth peer name eth0 netns {self.space(host)}",
                f"link set h{number} addrgenmode none",
                f"link set h{number} master {_BRIDGE} up",
            )
        )
        netns.ip(
            self.name,
            f"link add {_BRIDGE} address 02:00:00:00:00:01 type bridge",
            f"address add {_CLIENT} dev {_BRIDGE}",
            f"link set {_BRIDGE} up",
            *links,
        )
        for host in self.hosts:
            address = f"address add {host.address}/{_NETWORK.prefixlen} dev eth0"
            netns.ip(self.space(host), "link set eth0 addrgenmode none", address, "link set eth0 up")

    def _start_server(self, host: BenchHost) -> None:
        config = self.folder / f"{host.name}.conf"
        config.write_text(_SSHD.format(folder=self.folder, name=host.name))
        script = _HOST.format(name=host.name)
        if self._pods:
            gateway, address = (IPv4Interface((host.pod_cidr[number], 24)) for number in (1, 2))
            closed = self._closed and host is self.hosts[-1]
            script += _POD.format(forward=int(not closed), gateway=gateway, address=address, gateway_ip=gateway.ip)
        own = ["nsenter", f"--net={netns.NETNS / self.space(host)}", "unshare", "--mount", "--uts"]
        server = ["setpriv", "--pdeathsig", "KILL", *own, "sh", "-ec", f"{script}exec /usr/sbin/sshd -D -e -f {config}"]
        with (self.folder / f"{host.name}.log").open("wb") as log:
            self._servers.append(subprocess.Popen(server, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _wait_for_servers(self) -> None:
        """Wait until each server greets."""
        end = time.monotonic() + _PATIENCE
        with netns.inside(self.name):
            for host in self.hosts:
                while True:
                    try:
                        with socket.create_connection((str(host.address), 22), timeout=_PATIENCE) as connection:
                            connection.recv(64)
                            break
                    except ConnectionRefusedError:
                        if time.monotonic() > end:
                            raise
                        time.sleep(0.02)

    def _stop_servers(self) -> None:
        for server in self._servers:
            server.kill()
        for server in self._servers:
            with suppress(subprocess.TimeoutExpired):
                server.wait(5)


def limits() -> dict[Path, int]:
    """Return the limits of the neighbour table, which all namespaces of a machine share."""
    files = (_NEIGHBOURS / f"gc_thresh{number}" for number in (1, 2, 3))
    return {file: int(file.read_text()) for file in files}


def _write_key(path: Path) -> str:
    """Write a new private key; return the public one as known_hosts has it."""
    key = Ed25519PrivateKey.generate()
    path.touch(0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode()


def _output(argv: list[str]) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
