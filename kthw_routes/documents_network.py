"""How a host's network is configured, for programs: all that was read of it, but for what others wrote in their files.

Files of ours stand there whole. Of netplan's merged configuration nothing does: it may hold the password of a Wi-Fi.
"""

import hashlib
from collections.abc import Mapping

from kthw_routes.facts import HostFile, LinkSetup, NetworkSetup
from kthw_routes.sanitize import clean

Json = Mapping[str, object]


def network_json(network: NetworkSetup) -> Json:
    """The reading of a host's network and of the files of ours."""
    template = network.hosts_template
    return {
        "links": [_link(link) for link in network.links],
        "links_beside": [_link(link) for link in network.beside],
        "systemd": network.has_systemd,
        "netplan": network.has_netplan,
        "netplan_problem": network.netplan_problem or None,
        "files": [{**_file(file), "text": text_of(file.content)} for file in network.files],
        "folders": sorted(str(path) for path in network.folders),
        "timer_enabled": network.timer_is_enabled,
        "timer_active": network.timer_is_active,
        "etc_hosts_template": _file(template) if template is not None else None,
        "leftovers": [str(path) for path in network.leftovers],
        "switches": list(network.switches),
    }


def text_of(content: bytes) -> str:
    """A file's text, made safe to show."""
    return clean(content.decode("utf-8", "replace"))


def _link(link: LinkSetup) -> Json:
    return {
        "device": link.device,
        "network_file": str(link.network_file) if link.network_file else None,
        "networkd_state": link.networkd_state or None,
        "networkmanager_connection": link.nm_connection or None,
        "ifupdown": link.by_ifupdown,
    }


def _file(file: HostFile) -> Json:
    return {
        "path": str(file.path),
        "mode": f"{file.mode:04o}",
        "sha256": hashlib.sha256(file.content).hexdigest(),
    }
