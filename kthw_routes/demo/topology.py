"""The cluster of the embedded lab, as it stands when the learner comes to lab 11.

Three controllers and three workers on one Ethernet with two networks, as on Linode: the public one, and the
private one that all customers of a data centre share. The kubelets are configured, nothing has been routed yet
and no pod has run: no bridge, forwarding off.
"""

import uuid
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from kthw_routes.demo.clock import Clock, RealClock
from kthw_routes.demo.fib import ADD, FibRoute, NextHop
from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.kernel import Kernel
from kthw_routes.demo.links import LinkAddress
from kthw_routes.demo.netlink import BOOT
from kthw_routes.demo.network import Filter, Network, Segment, drops_sources_outside
from kthw_routes.demo.system_files import ETC_HOSTS

PUBLIC: Final = IPv4Network("203.0.113.0/24")
"""TEST-NET-3 (RFC 5737): addresses that belong to nobody."""
PRIVATE: Final = IPv4Network("192.168.128.0/17")
GATEWAY: Final = IPv4Address("203.0.113.1")
CLUSTER: Final = IPv4Network("10.200.0.0/16")

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
"""What an earlier `tee -a` left on controller-1: the address that worker-1 had before it was built anew."""

FILTERED_REGIONS: Final = frozenset({"eu-west"})
"""Where the modelled provider drops what does not come from an address of its own."""

BRIDGE_CONF: Final = """\
{{
    "cniVersion": "0.4.0",
    "name": "bridge",
    "type": "bridge",
    "bridge": "cnio0",
    "isGateway": true,
    "ipMasq": true,
    "ipam": {{
        "type": "host-local",
        "ranges": [
          [{{"subnet": "{cidr}"}}]
        ],
        "routes": [{{"dst": "0.0.0.0/0"}}]
    }}
}}
"""

LOOPBACK_CONF: Final = """\
{
    "cniVersion": "0.4.0",
    "name": "lo",
    "type": "loopback"
}
"""

KUBELET_CONFIG: Final = """\
kind: KubeletConfiguration
apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: true
  x509:
    clientCAFile: "/var/lib/kubernetes/ca.pem"
authorization:
  mode: Webhook
clusterDomain: "cluster.local"
clusterDNS:
  - "10.32.0.10"
podCIDR: "{cidr}"
resolvConf: "/run/systemd/resolve/resolv.conf"
runtimeRequestTimeout: "15m"
tlsCertFile: "/var/lib/kubelet/{name}.pem"
tlsPrivateKeyFile: "/var/lib/kubelet/{name}-key.pem"
"""


@dataclass(slots=True)
class Topology:
    """The hosts of a cluster and the wires between them."""

    region: str
    network: Network
    ethernet: Segment
    hosts: dict[str, ModelHost]

    @property
    def workers(self) -> list[ModelHost]:
        """The hosts named worker-N, in order."""
        return [host for name, host in sorted(self.hosts.items()) if name.startswith("worker-")]

    def with_pods(self) -> "Topology":
        """The same cluster after the first pod ran on every worker: bridge, namespace, forwarding on."""
        for host in self.workers:
            add_pod(host, pod_cidr(host.name))
        return self


def pod_cidr(worker: str) -> IPv4Network:
    """The pod network of a worker, by the number in its name."""
    return IPv4Network(f"10.200.{worker.rpartition('-')[2]}.0/24")


def provider_filter(region: str) -> Filter | None:
    """What the provider does to packets in a region: a source-address filter in eu-west, nothing elsewhere."""
    return drops_sources_outside(PUBLIC, PRIVATE) if region in FILTERED_REGIONS else None


def build_cluster(region: str, *, clock: Clock | None = None, epoch: float | None = None) -> Topology:
    """The cluster at the beginning of lab 11.

    Args:
        region: decides whether the provider filters; see FILTERED_REGIONS.
        clock: the time of all hosts; real by default.
        epoch: what file times count from (seconds since 1970); real by default.
    """
    network = Network(clock or RealClock())
    ethernet = network.segment("data centre", provider_filter(region))
    _add_router(network, ethernet)
    hosts = {}
    for name, (public, private) in ADDRESSES.items():
        host = ModelHost(name, clock=network.clock, network=network, epoch=epoch)
        _plug(host.kernel, ethernet, IPv4Address(public), IPv4Address(private))
        if name.startswith("worker-"):
            _add_worker_files(host)
        hosts[name] = host
    stale = ETC_HOSTS.format(name="controller-1") + STALE_LINE
    hosts["controller-1"].files.put("/etc/hosts", stale)
    return Topology(region, network, ethernet, hosts)


def _mac(address: IPv4Address) -> str:
    """A MAC address in the range that Linode's virtual machines have."""
    return "f2:3c:" + ":".join(f"{octet:02x}" for octet in address.packed)


def _plug(kernel: Kernel, ethernet: Segment, public: IPv4Address, private: IPv4Address) -> None:
    kernel.add_link("eth0", mac=_mac(public))
    for address, network in ((public, PUBLIC), (private, PRIVATE)):
        interface = IPv4Interface((int(address), network.prefixlen))
        kernel.add_address("eth0", LinkAddress(interface, broadcast=network.broadcast_address))
    default = FibRoute(IPv4Network("0.0.0.0/0"), hops=(NextHop("eth0", GATEWAY),), protocol=4)
    kernel.insert_route(default, ADD)
    ethernet.ports.append((kernel, "eth0"))


def _add_router(network: Network, ethernet: Segment) -> None:
    """The provider's router: answers for itself, and swallows what is not for the Internet without a word."""
    kernel = network.kernel()
    kernel.add_link("eth0", mac="00:00:0c:9f:f0:01")
    kernel.add_address("eth0", LinkAddress(IPv4Interface((int(GATEWAY), PUBLIC.prefixlen))))
    kernel.sysctl["net.ipv4.ip_forward"] = "1"
    network.silent.append(kernel)
    ethernet.ports.append((kernel, "eth0"))


def _add_worker_files(host: ModelHost) -> None:
    cidr = pod_cidr(host.name)
    host.files.put("/etc/cni/net.d/10-bridge.conf", BRIDGE_CONF.format(cidr=cidr))
    host.files.put("/etc/cni/net.d/99-loopback.conf", LOOPBACK_CONF)
    host.files.put("/var/lib/kubelet/kubelet-config.yaml", KUBELET_CONFIG.format(cidr=cidr, name=host.name))


def add_pod(host: ModelHost, cidr: IPv4Network) -> str:
    """Run one pod on a worker, as the CNI bridge plugin does it, and return its namespace's name."""
    network = host.network
    first = IPv4Interface((int(cidr.network_address) + 1, cidr.prefixlen))
    number = len(host.namespaces) + 2
    address = IPv4Interface((int(cidr.network_address) + number, cidr.prefixlen))
    name = f"cni-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{host.name}.{number}')}"
    pod = host.add_namespace(name)
    with network.lock:
        bridge = next((s for s in network.segments if s.name == f"{host.name} cnio0"), None)
        if bridge is None:
            bridge = network.segment(f"{host.name} cnio0")
            host.kernel.add_link("cnio0", kind="bridge", mac=_mac(first.ip))
            host.kernel.add_address("cnio0", LinkAddress(first, broadcast=cidr.broadcast_address))
            bridge.ports.append((host.kernel, "cnio0"))
        host.kernel.sysctl["net.ipv4.ip_forward"] = "1"
        if cidr not in host.kernel.masquerade:
            host.kernel.masquerade.append(cidr)
        end = f"veth{uuid.uuid5(uuid.NAMESPACE_DNS, name).hex[:8]}"
        host.kernel.add_link(end, kind="veth", mac=_mac(address.ip), peer="if2", master="cnio0")
        pod.add_link("eth0", kind="veth", mac=_mac(address.ip), peer=f"if{len(host.kernel.links)}")
        pod.add_address("eth0", LinkAddress(address, broadcast=cidr.broadcast_address))
        default = FibRoute(IPv4Network("0.0.0.0/0"), hops=(NextHop("eth0", first.ip),), protocol=BOOT)
        pod.insert_route(default, ADD)
        bridge.ports.append((pod, "eth0"))
    return name
