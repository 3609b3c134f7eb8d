"""What the tutorial puts on a worker for its pods, and a pod as the CNI bridge plugin makes it."""

import json
import uuid
from ipaddress import IPv4Interface, IPv4Network
from typing import Final

from kthw_routes.demo.linux.machine import Machine
from kthw_routes.demo.linux.network_helper import mac_of
from kthw_routes.demo.linux.nodes import AS_ROOT
from kthw_routes.demo.net.fib import ADD, FibRoute, NextHop
from kthw_routes.demo.net.links import LinkAddress
from kthw_routes.demo.net.netlink import BOOT

CONF: Final = "/etc/cni/net.d/10-bridge.conf"

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


def add_worker_files(host: Machine, cidr: IPv4Network) -> None:
    """Write the configuration of the CNI and of the kubelet, as the tutorial does."""
    host.files.put(CONF, BRIDGE_CONF.format(cidr=cidr))
    host.files.put("/etc/cni/net.d/99-loopback.conf", LOOPBACK_CONF)
    host.files.put("/var/lib/kubelet/kubelet-config.yaml", KUBELET_CONFIG.format(cidr=cidr, name=host.name))


def pod_cidr(worker: str) -> IPv4Network:
    """Return the pod network that the tutorial gives a worker, by the number in its name."""
    return IPv4Network(f"10.200.{worker.rpartition('-')[2]}.0/24")


def configured_cidr(host: Machine) -> IPv4Network:
    """Return the pod network that a worker's CNI configuration names."""
    conf = json.loads(host.files.read(CONF, AS_ROOT))
    return IPv4Network(conf["ipam"]["ranges"][0][0]["subnet"])


def add_pod(host: Machine, cidr: IPv4Network) -> str:
    """Run one pod on a worker, as the CNI bridge plugin does it, and return its namespace's name."""
    network = host.network
    first = IPv4Interface((int(cidr.network_address) + 1, cidr.prefixlen))
    number = len(host.namespaces) + 2
    address = IPv4Interface((int(cidr.network_address) + number, cidr.prefixlen))
    name = f"cni-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{host.name}.{number}')}"
    pod = host.add_namespace(name)
    with network.lock:
        bridge = next((s for s in network.segments if (host.kernel, "cnio0") in s.ports), None)
        if bridge is None:
            bridge = network.segment(f"{host.name} cnio0")
            host.kernel.add_link("cnio0", kind="bridge", mac=mac_of(first.ip))
            host.kernel.add_address("cnio0", LinkAddress(first, broadcast=cidr.broadcast_address))
            bridge.ports.append((host.kernel, "cnio0"))
        host.kernel.sysctl["net.ipv4.ip_forward"] = "1"
        if cidr not in host.kernel.masquerade:
            host.kernel.masquerade.append(cidr)
        end = f"veth{uuid.uuid5(uuid.NAMESPACE_DNS, name).hex[:8]}"
        host.kernel.add_link(end, kind="veth", mac=mac_of(address.ip), peer="if2", master="cnio0")
        pod.add_link("eth0", kind="veth", mac=mac_of(address.ip), peer=f"if{len(host.kernel.links)}")
        pod.add_address("eth0", LinkAddress(address, broadcast=cidr.broadcast_address))
        default = FibRoute(IPv4Network("0.0.0.0/0"), hops=(NextHop("eth0", first.ip),), protocol=BOOT)
        pod.insert_route(default, ADD)
        bridge.ports.append((pod, "eth0"))
    return name
