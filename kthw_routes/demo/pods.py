"""Pods on modelled workers, as the CNI bridge plugin makes them."""

import json
import uuid
from ipaddress import IPv4Interface, IPv4Network

from kthw_routes.demo.linux.machine import Machine
from kthw_routes.demo.linux.network_helper import mac_of
from kthw_routes.demo.linux.nodes import AS_ROOT
from kthw_routes.demo.linux.pods import CONF
from kthw_routes.demo.net.fib import ADD, FibRoute, NextHop
from kthw_routes.demo.net.links import LinkAddress
from kthw_routes.demo.net.netlink import BOOT
from kthw_routes.demo.topology import Topology


def with_pods(topology: Topology) -> Topology:
    """Run a pod on every worker: bridge, namespace, forwarding on. Returns the same cluster."""
    for host in topology.workers:
        add_pod(host, configured_cidr(host))
    return topology


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
