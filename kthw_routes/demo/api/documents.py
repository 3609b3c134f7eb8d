"""The answers of the Linode API as JSON values, with every field of its description."""

from typing import Final

from kthw_routes.demo.api.account import LinodeFirewall, LinodeInstance, LinodeRegion

Json = dict[str, object]

_MADE: Final = "2026-11-20T09:00:00"
_VPC_SUBNET: Final = 101
_VPC: Final = 11


def instance(number: int, linode: LinodeInstance) -> Json:
    """Make an entry of `/linode/instances`. The private address comes last, as it is added later."""
    return {
        "id": number,
        "label": linode.label,
        "group": "",
        "status": linode.status,
        "created": _MADE,
        "updated": _MADE,
        "type": "g6-nanode-1",
        "ipv4": [*linode.public, *linode.private],
        "ipv6": f"2001:db8::f03c:91ff:fe00:{number:x}/128",
        "image": "linode/ubuntu24.04",
        "region": linode.region,
        "specs": {"disk": 25600, "memory": 1024, "vcpus": 1, "gpus": 0, "transfer": 1000},
        "alerts": {"cpu": 90, "network_in": 10, "network_out": 10, "transfer_quota": 80, "io": 10000},
        "backups": {"available": False, "enabled": False, "schedule": {"day": None, "window": None}},
        "hypervisor": "kvm",
        "watchdog_enabled": True,
        "tags": list(linode.tags),
        "host_uuid": f"00000000-0000-4000-8000-{number:012x}",
        "has_user_data": False,
        "placement_group": None,
        "disk_encryption": "enabled",
        "lke_cluster_id": None,
        "capabilities": ["SMTP Enabled"],
        "interface_generation": linode.interface_generation,
    }


def firewall(number: int, cloud: LinodeFirewall) -> Json:
    """Make an entry of `/linode/instances/{id}/firewalls`."""
    return {
        "id": number,
        "label": cloud.label,
        "status": cloud.status,
        "created": _MADE,
        "updated": _MADE,
        "tags": [],
        "entities": [],
        "rules": {
            "inbound": list(cloud.inbound),
            "inbound_policy": cloud.inbound_policy,
            "outbound": list(cloud.outbound),
            "outbound_policy": cloud.outbound_policy,
            "fingerprint": "997dd135",
            "version": 1,
        },
    }


def config(number: int, linode: LinodeInstance) -> Json:
    """Make an entry of `/linode/instances/{id}/configs`."""
    running = linode.status == "running"
    interfaces: list[Json] = [_config_interface(number * 10, "public", running)]
    if linode.vlan:
        interfaces.append(
            {
                **_config_interface(number * 10 + 1, "vlan", running),
                "label": "kubernetes",
                "ipam_address": linode.vlan,
            }
        )
    if linode.vpc:
        interfaces.append(
            {
                **_config_interface(number * 10 + 2, "vpc", running),
                "vpc_id": _VPC,
                "subnet_id": _VPC_SUBNET,
                "ipv4": {"vpc": linode.vpc, "nat_1_1": None},
                "ip_ranges": [],
            }
        )
    return {
        "id": number * 10,
        "label": "My Ubuntu 24.04 LTS Profile",
        "comments": "",
        "kernel": "linode/grub2",
        "memory_limit": 0,
        "run_level": "default",
        "virt_mode": "paravirt",
        "root_device": "/dev/sda",
        "devices": {"sda": {"disk_id": number * 10, "volume_id": None}},
        "helpers": {
            "updatedb_disabled": True,
            "distro": True,
            "modules_dep": True,
            "network": True,
            "devtmpfs_automount": True,
        },
        "interfaces": interfaces,
    }


def interfaces(number: int, linode: LinodeInstance) -> list[Json]:
    """List the interfaces of the newer generation: one per network."""
    public: Json = {
        "ipv4": {
            "addresses": [{"address": a, "primary": n == 0} for n, a in enumerate(linode.public)],
            "shared": [],
        },
        "ipv6": {"slaac": [], "shared": [], "ranges": []},
    }
    rows: list[Json] = [{**_interface(number, 0), "public": public, "default_route": {"ipv4": True, "ipv6": True}}]
    if linode.vlan:
        rows.append({**_interface(number, 1), "vlan": {"vlan_label": "kubernetes", "ipam_address": linode.vlan}})
    if linode.vpc:
        addresses = [{"address": linode.vpc, "primary": True, "nat_1_1_address": None}]
        vpc: Json = {"vpc_id": _VPC, "subnet_id": _VPC_SUBNET, "ipv4": {"addresses": addresses, "ranges": []}}
        rows.append({**_interface(number, 2), "vpc": vpc, "default_route": {"ipv4": False}})
    return rows


def region(of: LinodeRegion) -> Json:
    """Make an entry of `/regions`."""
    return {
        "id": of.id,
        "label": of.label,
        "country": of.country,
        "capabilities": list(of.capabilities),
        "status": of.status,
        "site_type": of.site_type,
        "resolvers": {"ipv4": "198.51.100.53, 198.51.100.54", "ipv6": "2001:db8::53, 2001:db8::54"},
        "placement_group_limits": {
            "maximum_pgs_per_customer": None,
            "maximum_linodes_per_pg": 5,
            "maximum_linodes_per_flexible_pg": 20,
        },
    }


def _config_interface(number: int, purpose: str, active: bool) -> Json:
    return {
        "id": number,
        "purpose": purpose,
        "primary": purpose == "public",
        "active": active,
        "label": None,
        "ipam_address": None,
        "vpc_id": None,
        "subnet_id": None,
        "ipv4": {"vpc": None, "nat_1_1": None},
        "ip_ranges": None,
    }


def _interface(number: int, position: int) -> Json:
    return {
        "id": number * 10 + position,
        "mac_address": f"22:00:00:00:{number % 256:02x}:{position:02x}",
        "created": _MADE,
        "updated": _MADE,
        "version": 1,
        "public": None,
        "vlan": None,
        "vpc": None,
    }
