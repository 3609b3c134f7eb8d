"""Every program that is ever called on a host, one function each. Nothing else makes a `Command`.

Read-only ones first, then the few that change something. Each argument is a validated value.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.hosts.command import Command
from kthw_routes.iproute2 import RouteCommand, batch

CNI_FOLDER: Final = PurePosixPath("/etc/cni/net.d")
KUBELET_CONFIG: Final = PurePosixPath("/var/lib/kubelet/kubelet-config.yaml")
ETC_HOSTS: Final = PurePosixPath("/etc/hosts")
NEW_ETC_HOSTS: Final = PurePosixPath("/etc/.hosts.kthw-routes")
"""Beside the target, so that the rename stays within one file system; a leftover of a broken run is overwritten."""

PINGS: Final = 3
"""Requests per pair."""
_PING_INTERVAL: Final = "0.2"  # seconds; the shortest that every ping lets an ordinary user ask for
_PING_WAIT: Final = "1"  # seconds for the last answer
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,200}")


def _checked(name: str) -> str:
    """A file, device or namespace name that came from the host, unless it could mean anything else to a program."""
    if not _SAFE_NAME.fullmatch(name):
        raise ValueError(f"not a plain name: {name!r}")
    return name


# --- looking ----------------------------------------------------------------------------------------------------


def hostname() -> Command:
    """The name that the host has for itself."""
    return Command(("hostname",))


def ip_version() -> Command:
    """The version of iproute2. busybox's `ip` answers in other words."""
    return Command(("ip", "-V"))


def addresses() -> Command:
    """The addresses of all interfaces."""
    return Command(("ip", "-json", "address", "show"))


def bridge_addresses() -> Command:
    """The addresses of the bridges."""
    return Command(("ip", "-json", "address", "show", "type", "bridge"))


def routes() -> Command:
    """The main routing table."""
    return Command(("ip", "-json", "route", "show"))


def list_folder(folder: PurePosixPath) -> Command:
    """The names of the files in a folder, one a line."""
    return Command(("ls", "-1", str(folder)), needs_root=True)


def read_files(paths: Iterable[PurePosixPath], *, needs_root: bool = False) -> Command:
    """The contents of files, one after the other."""
    return Command(("cat", *(str(p) for p in paths)), needs_root=needs_root)


def cni_files(listing: str) -> tuple[PurePosixPath, ...]:
    """The CNI configuration files among a listing of their folder, in the order in which CNI reads them."""
    names = sorted(n for n in listing.split("\n") if n.endswith((".conf", ".conflist", ".json")))
    return tuple(CNI_FOLDER / n for n in names if _SAFE_NAME.fullmatch(n))


def ip_forward() -> Command:
    """Whether the kernel forwards IPv4 packets: `0` or `1`."""
    return Command(("cat", "/proc/sys/net/ipv4/ip_forward"))


def namespaces() -> Command:
    """The named network namespaces: below /run/netns, where container runtimes keep those of pods."""
    return Command(("ip", "netns", "list"))


def namespace_addresses(namespace: str) -> Command:
    """The addresses inside a network namespace."""
    return Command(("ip", "-json", "-n", _checked(namespace), "address", "show"), needs_root=True)


def file_kind(path: PurePosixPath) -> Command:
    """What a path is: `regular file`, `symbolic link`, …"""
    return Command(("stat", "-c", "%F", str(path)))


def mounts() -> Command:
    """What is mounted where, in the format of proc(5)."""
    return Command(("cat", "/proc/self/mountinfo"))


# --- proving ----------------------------------------------------------------------------------------------------


def forwarding_verdict(destination: IPv4Address, source: IPv4Address, device: str) -> Command:
    """What the kernel would do with a packet that came in by `device`: route, ip_forward, rp_filter in one answer."""
    return Command(("ip", "route", "get", str(destination), "from", str(source), "iif", _checked(device)))


def ping(source: IPv4Address, destination: IPv4Address, namespace: str | None = None) -> Command:
    """Three requests from an address of the host, or of a network namespace on it."""
    pings = (
        "ping",
        "-n",
        "-c",
        str(PINGS),
        "-i",
        _PING_INTERVAL,
        "-W",
        _PING_WAIT,
        "-I",
        str(source),
        str(destination),
    )
    return _inside(namespace, Command(pings, needs_root=True, timeout=10))


def counters(namespace: str | None = None) -> Command:
    """The ICMP counters of the host, or of a network namespace on it."""
    return _inside(namespace, Command(("cat", "/proc/net/snmp"), needs_root=namespace is not None))


def _inside(namespace: str | None, command: Command) -> Command:
    if namespace is None:
        return command
    return replace(command, argv=("ip", "netns", "exec", _checked(namespace), *command.argv), needs_root=True)


def neighbour(next_hop: IPv4Address) -> Command:
    """Whether the kernel has found a next hop on its link: `REACHABLE`, `STALE`, `FAILED`, …"""
    return Command(("ip", "neigh", "show", str(next_hop)))


def add_probe_address(address: IPv4Interface, seconds: int) -> Command:
    """Put a probe address on `lo`, or renew it. The kernel itself takes it away after `seconds`, even if we die."""
    life = str(seconds)
    lifetime = ("valid_lft", life, "preferred_lft", life)
    return Command(("ip", "address", "replace", str(address), "dev", "lo", *lifetime), needs_root=True)


def delete_probe_address(address: IPv4Interface) -> Command:
    """Take a probe address away before its time."""
    return Command(("ip", "address", "del", str(address), "dev", "lo"), needs_root=True)


# --- changing ---------------------------------------------------------------------------------------------------


def change_routes(commands: Sequence[RouteCommand]) -> Command:
    """Every change of routes in one go; `-force` goes on after a line that the kernel refuses."""
    seconds = 30 + len(commands) / 20
    return Command(("ip", "-force", "-batch", "-"), stdin=batch(commands), needs_root=True, timeout=seconds)


def set_ip_forward(on: bool) -> Command:
    """Let the kernel forward IPv4 packets, or not, until the next boot."""
    return Command(("sysctl", "-q", "-w", f"net.ipv4.ip_forward={int(on)}"), needs_root=True)


def copy_attributes(source: PurePosixPath, target: PurePosixPath) -> Command:
    """An empty file with the owner, mode, SELinux label and extended attributes of `source`."""
    return Command(("cp", "--attributes-only", "--preserve=all", str(source), str(target)), needs_root=True)


def write_file(path: PurePosixPath, content: bytes) -> Command:
    """Fill a file and bring it to disk."""
    return Command(("dd", f"of={path}", "conv=fsync", "status=none"), stdin=content, needs_root=True)


def rename_over(source: PurePosixPath, target: PurePosixPath) -> Command:
    """Replace `target` by `source` in one step."""
    return Command(("mv", "-fT", str(source), str(target)), needs_root=True)


def remove_file(path: PurePosixPath) -> Command:
    """Remove a file of ours; it need not be there."""
    return Command(("rm", "-f", str(path)), needs_root=True)
