"""The cluster of the embedded lab stands where lab 11 begins."""

import json
import time

from kthw_routes.demo.pods import with_pods
from tests.model.hosts import cluster, run


def test_no_route_no_bridge_no_pod() -> None:
    """What is true before the first pod."""
    for host in cluster().workers:
        text = run(host, "ip route; ip netns list; ip -json link show type bridge; sysctl -n net.ipv4.ip_forward").out
        private = run(host, "hostname -I").out.split()[1]
        assert text == (
            "default via 203.0.113.1 dev eth0 proto static \n"
            f"192.168.128.0/17 dev eth0 proto kernel scope link src {private} \n"
            f"203.0.113.0/24 dev eth0 proto kernel scope link src {run(host, 'hostname -I').out.split()[0]} \n"
            "[]\n0\n"
        )


def test_each_worker_knows_its_pod_network() -> None:
    """The CNI configuration and the kubelet's, as the lab writes them."""
    for number, host in enumerate(cluster().workers):
        conf = json.loads(run(host, "cat /etc/cni/net.d/10-bridge.conf").out)
        assert conf["ipam"]["ranges"] == [[{"subnet": f"10.200.{number}.0/24"}]]
        assert f'podCIDR: "10.200.{number}.0/24"' in run(host, "cat /var/lib/kubelet/kubelet-config.yaml").out
        assert run(host, "ls -1 /etc/cni/net.d").out == "10-bridge.conf\n99-loopback.conf\n"


def test_one_controller_has_a_stale_line() -> None:
    """Left by an earlier `tee -a`; the others have Ubuntu's own file."""
    topology = cluster()
    assert run(topology.hosts["controller-1"], "cat /etc/hosts").out.endswith("\n192.168.177.9 worker-1\n")
    assert "worker" not in run(topology.hosts["controller-0"], "cat /etc/hosts").out


def test_after_the_first_pod() -> None:
    """Bridge, connected route, forwarding, and a namespace with an address."""
    topology = with_pods(cluster())
    host = topology.hosts["worker-2"]
    assert "10.200.2.0/24 dev cnio0 proto kernel scope link src 10.200.2.1 \n" in run(host, "ip route").out
    assert run(host, "cat /proc/sys/net/ipv4/ip_forward").out == "1\n"
    name = run(host, "ip netns list").out.strip()
    assert run(host, "ls -1 /run/netns").out == f"{name}\n"
    shown = json.loads(run(host, f"ip -json -n {name} address show dev eth0").out)
    assert (shown[0]["addr_info"][0]["local"], shown[0]["addr_info"][0]["prefixlen"]) == ("10.200.2.2", 24)
    bridges = json.loads(run(host, "ip -json address show type bridge").out)
    assert [bridge["ifname"] for bridge in bridges] == ["cnio0"]


def test_the_kernel_refuses_what_the_issue_says_it_refuses() -> None:
    """A batch: the kernel's errors with their lines, and a text error that ends it."""
    host = cluster().hosts["worker-0"]
    batch = (
        b"# the routes\n\nroute add 10.200.1.0/24 via 192.168.145.107 proto 200\n"
        b"route add 10.200.1.0/24 via 192.168.145.108\nroute del 10.200.9.0/24\n"
        b"route replace 10.200.2.0/24 via 1.2.3.4\nroute add 10.200.2.0/24 via 192.168.152.166 dev zip\n"
        b"route replace 10.200.2.0/24 via 192.168.152.166 proto 200\n"
        b"route add 10.200.3.0/33 via 192.168.152.166\nroute add 10.200.4.0/24 via 192.168.152.166\n"
    )
    ran = run(host, "ip -force -batch -", stdin=batch)
    assert ran.status == 1
    assert ran.err == (
        "RTNETLINK answers: File exists\nCommand failed -:4\n"
        "RTNETLINK answers: No such process\nCommand failed -:5\n"
        "Error: Nexthop has invalid gateway.\nCommand failed -:6\n"
        'Cannot find device "zip"\nCommand failed -:7\n'
        'Error: any valid prefix is expected rather than "10.200.3.0/33".\n'
    )
    assert run(host, "ip route show root 10.200.0.0/16").out == (
        "10.200.1.0/24 via 192.168.145.107 dev eth0 proto 200 \n10.200.2.0/24 via 192.168.152.166 dev eth0 proto 200 \n"
    )


def test_it_is_up_at_once() -> None:
    """Building the cluster takes a small part of the second that the lab may take."""
    begin = time.thread_time()
    with_pods(cluster())
    assert time.thread_time() - begin < 0.5
