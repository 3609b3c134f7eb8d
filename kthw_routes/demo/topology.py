"""The cluster of the embedded lab, as it is when the learner comes to lab 11.

Three controllers and three workers on one Ethernet with two networks, as on Linode: the public one, and the
private one that all customers of a data centre share. The kubelets are configured, nothing has been routed yet
and no pod has run: no bridge, forwarding off.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from kthw_routes.demo.clock import Clock, RealClock
from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.linux.network_helper import GATEWAY, PRIVATE, PUBLIC, NetworkHelper, mac_of
from kthw_routes.demo.linux.pods import add_worker_files, pod_cidr
from kthw_routes.demo.linux.system_files import ETC_HOSTS
from kthw_routes.demo.net.links import LinkAddress
from kthw_routes.demo.net.network import Filter, Network, Segment, drops_sources_outside

ADDRESSES: Final = {
    "controller-0": ("203.0.113.10", "192.168.200.10"),
    "controller-1": ("203.0.113.11", "192.168.164.83"),
    "controller-2": ("203.0.113.12", "192.168.131.240"),
    "worker-0": ("203.0.113.20", "192.168.138.48"),
    "worker-1": ("203.0.113.21", "192.168.145.107"),
    "worker-2": ("203.0.113.22", "192.168.152.166"),
}
"""Public and private address of each node."""

STALE_LINE: Final = "192.168.177.9 worker-1\n"
"""What an earlier `tee -a` left on controller-1: the address that worker-1 had before it was rebuilt."""

FILTERED_REGIONS: Final = frozenset({"eu-west"})
"""Where the modelled provider drops what does not come from an address of its own."""


@dataclass(slots=True)
class Topology:
    """The hosts of a cluster and the wires between them."""

    region: str
    network: Network
    ethernet: Segment
    epoch: float | None = None
    hosts: dict[str, ModelHost] = field(default_factory=dict)
    addresses: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Public and private address of each host."""

    @property
    def workers(self) -> list[ModelHost]:
        """The hosts named worker-N, in order."""
        return [host for name, host in sorted(self.hosts.items()) if name.startswith("worker-")]

    def add(self, name: str, public: str, private: str, *, cidr: IPv4Network | None = None) -> ModelHost:
        """Put a fresh host into the network and boot it.

        Args:
            cidr: a worker's pod network; by default the one that the number in its name gives.
        """
        host = ModelHost(name, clock=self.network.clock, network=self.network, epoch=self.epoch)
        host.nics["eth0"] = mac_of(IPv4Address(public))
        host.network_helper = NetworkHelper(IPv4Address(public), IPv4Address(private))
        if name.startswith("worker-"):
            add_worker_files(host, cidr or pod_cidr(name))
        host.boot()
        self.ethernet.ports.append((host.kernel, "eth0"))
        self.hosts[name], self.addresses[name] = host, (public, private)
        return host


def provider_filter(region: str) -> Filter | None:
    """Return the provider's filter in a region: of source addresses in eu-west, None elsewhere."""
    return drops_sources_outside(PUBLIC, PRIVATE) if region in FILTERED_REGIONS else None


def build_cluster(region: str, *, clock: Clock | None = None, epoch: float | None = None) -> Topology:
    """Build the cluster as it is at the beginning of lab 11.

    Args:
        region: decides whether the provider filters; see FILTERED_REGIONS.
        clock: the time of all hosts; real by default.
        epoch: what file times count from (seconds since 1970); real by default.
    """
    network = Network(clock or RealClock())
    ethernet = network.segment("data centre", provider_filter(region))
    _add_router(network, ethernet)
    topology = Topology(region, network, ethernet, epoch)
    for name, (public, private) in ADDRESSES.items():
        topology.add(name, public, private)
    stale = ETC_HOSTS.format(name="controller-1") + STALE_LINE
    topology.hosts["controller-1"].files.put("/etc/hosts", stale)
    return topology


def _add_router(network: Network, ethernet: Segment) -> None:
    """Add the provider's router: it answers for itself, and drops all else without a word."""
    kernel = network.kernel()
    kernel.add_link("eth0", mac="00:00:0c:9f:f0:01")
    kernel.add_address("eth0", LinkAddress(IPv4Interface((int(GATEWAY), PUBLIC.prefixlen))))
    kernel.sysctl["net.ipv4.ip_forward"] = "1"
    network.silent.append(kernel)
    ethernet.ports.append((kernel, "eth0"))
