"""Which nodes there are and what their files hold before lab 11."""

import json
import subprocess
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final
from uuid import uuid4

from tests.nodes import flavours
from tests.nodes.container import Container
from tests.nodes.flavours import Flavour

CLUSTER_CIDR: Final = IPv4Network("10.200.0.0/16")
SUDO_PASSWORD: Final = "correct horse"
"""What `learner` types at sudo; `ubuntu` needs none, `guest` may not."""
USERS: Final = ("root", "ubuntu", "learner", "guest")
"""Who may log in with the lab's key."""

_LOOPBACK: Final = {"cniVersion": "0.4.0", "name": "lo", "type": "loopback"}


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node's name, its addresses on eth0, and what rules them."""

    name: str
    number: int
    public: IPv4Address
    private: IPv4Address
    pod_cidr: IPv4Network | None
    """None on a controller."""
    flavour: Flavour = Flavour.LINODE

    @classmethod
    def of(cls, name: str, flavour: Flavour = Flavour.LINODE) -> "NodeSpec":
        """The addresses follow from the name.

        On Linode worker-N is 203.0.113.(10+N), controller-N 203.0.113.(100+N), and the private address ends alike. On a
        LAN worker-N is 192.168.8.(20+N), controller-N 192.168.8.(10+N), and there is no other address.
        """
        role, _, digits = name.rpartition("-")
        number, is_worker = int(digits), role == "worker"
        segment = flavours.segment(flavour)
        last = number + (segment.workers if is_worker else segment.controllers)
        pod_cidr = IPv4Network(f"10.200.{number}.0/24") if is_worker else None
        public = segment.network[last]
        private = public if flavour.is_lan else IPv4Address(f"192.168.145.{last}")
        return cls(name, number, public, private, pod_cidr, flavour)

    def at(self, address: IPv4Address) -> "NodeSpec":
        """The same node with another internal address; on a LAN that is the one for SSH, too."""
        return replace(self, private=address, public=address if self.flavour.is_lan else self.public)


def prepare(container: Container, spec: NodeSpec, public_key: str) -> None:
    """Write what differs from node to node. The container is off."""

    def write(path: str, text: str, mode: int = 0o644) -> None:
        _write(container, path, text, mode)

    write("etc/hostname", f"{spec.name}\n")
    write("etc/machine-id", f"{uuid4().hex}\n", 0o444)
    own = "127.0.1.1" if spec.flavour.is_lan else spec.public
    write("etc/hosts", f"127.0.0.1\tlocalhost\n{own}\t{spec.name}\n::1\tlocalhost ip6-localhost\n")
    configure_network(container, spec)
    for command in flavours.unit_commands(spec.flavour):
        subprocess.run(["chroot", container.root, "systemctl", "--quiet", *command], check=True)
    if spec.pod_cidr is not None:
        write("etc/cni/net.d/10-bridge.conf", json.dumps(_bridge(spec.pod_cidr), indent=2))
        write("etc/cni/net.d/99-loopback.conf", json.dumps(_LOOPBACK, indent=2))
        write("var/lib/kubelet/kubelet-config.yaml", _kubelet(spec.pod_cidr))
    for user in USERS:
        home = "root" if user == "root" else f"home/{user}"
        write(f"{home}/.ssh/authorized_keys", public_key, 0o644)
    make_host_key(container.root)


def configure_network(container: Container, spec: NodeSpec) -> None:
    """Write the file that gives eth0 its addresses. The container is off."""
    file = flavours.config(spec.flavour, spec.name, spec.public, spec.private)
    _write(container, file.path, file.text, file.mode)


def _write(container: Container, path: str, text: str, mode: int = 0o644) -> None:
    place = container.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(mode)


def make_host_key(root: Path) -> None:
    """Give the node a new host key."""
    key = root / "etc/ssh/ssh_host_ed25519_key"
    key.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "node", "-f", key], check=True)


def _bridge(pod_cidr: IPv4Network) -> dict[str, object]:
    """The CNI configuration of lab 9."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": str(pod_cidr)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": "bridge",
        "type": "bridge",
        "bridge": "cnio0",
        "isGateway": True,
        "ipMasq": True,
        "ipam": ipam,
    }


def _kubelet(pod_cidr: IPv4Network) -> str:
    return f"""\
kind: KubeletConfiguration
apiVersion: kubelet.config.k8s.io/v1beta1
clusterDomain: "cluster.local"
clusterDNS:
  - "10.32.0.10"
podCIDR: "{pod_cidr}"
resolvConf: "/run/systemd/resolve/resolv.conf"
runtimeRequestTimeout: "15m"
"""
