"""What the tutorial puts on a worker for its pods."""

from ipaddress import IPv4Network
from typing import Final

from kthw_routes.demo.linux.machine import Machine

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
