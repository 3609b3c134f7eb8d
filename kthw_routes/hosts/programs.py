"""Every program that is ever called on a host, one function each. Nothing else makes a `Command`.

Read-only ones first, then the few that change something. Each argument is a validated value.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.iproute2.commands import RouteCommand, batch
from kthw_routes.overlay import table
from kthw_routes.overlay.model import DEVICE, TABLE
from kthw_routes.persistence import paths as own_paths
from kthw_routes.persistence import readers, stated, unit
from kthw_routes.plan.changes import MAX_FILE
from kthw_routes.sanitize import is_plain_name
from kthw_routes.ssh.command import Command

CNI_FOLDER: Final = PurePosixPath("/etc/cni/net.d")
KUBELET_CONFIG: Final = PurePosixPath("/var/lib/kubelet/kubelet-config.yaml")

PINGS: Final = 3
"""Requests per pair."""
PING_TIMEOUT: Final = 10.0
"""Seconds that one ping may take."""
MAX_PINGS: Final = 64
"""Pings at once on one host."""
PINGS_TIMEOUT: Final = 20.0
"""Seconds that they may take; on an idle host it is 1.4 where nobody answers."""
_PING: Final = ("ping", "-n", "-c", str(PINGS), "-i", "0.2", "-W", "1", "-I")
_PING_ONCE: Final = ("ping", "-n", "-c", "1", "-W", "1")
_WHOLE: Final = ("-M", "do")
"""Never in parts (DF)."""
_HEADERS: Final = 28
"""Bytes of a packet of ping's in addition to its data."""
"""An interval of 0.2 s is the shortest that every ping lets an ordinary user ask for; 1 s for the last answer."""
_SCRATCH: Final = re.compile(r"/tmp/kthw-routes\.[A-Za-z0-9]{8}")  # noqa: S108 - a pattern
_DAEMON_TIMEOUT: Final = 10.0
"""Seconds that a program may take which asks a daemon; one that hangs counts as no answer."""
_OWN_CONFIGURATION: Final = 1024 * 1024
"""Bytes of a host's own network configuration that are read; a thousand routes are a tenth of that."""
_RULES: Final = 2 * 1024 * 1024
"""Bytes of a firewall's rules that are read; those of a thousand services are half of that."""
_SHORT_ANSWER: Final = 4096
"""Bytes of an answer of a few words."""
_IP_JSON: Final = ("ip", "-json")
_IPV4: Final = "-4"
"""IPv4 alone is read: the lifetimes of IPv6 addresses run, and an answer with them is never the same twice."""
_NOTHING: Final = b"[]\n"
"""What `ip -json` prints where there is nothing to list."""


def _checked(name: str) -> str:
    """Return a name that came from the host, if it cannot mean anything else to a program."""
    if not is_plain_name(name):
        raise ValueError(f"not a plain name: {name!r}")
    return name


# --- reading ----------------------------------------------------------------------------------------------------


def user_id() -> Command:
    """Read which user commands run as that need root: 0."""
    return Command(("id", "-u"), needs_root=True, capture=_SHORT_ANSWER, assumed=b"0\n", is_quick=True)


def hostname() -> Command:
    """Read the name that the host has for itself."""
    return Command(("hostname",), is_prose=True, capture=_SHORT_ANSWER, is_quick=True)


def ip_version() -> Command:
    """Read the version of iproute2. busybox's `ip` answers in other words."""
    return Command(("ip", "-V"), is_prose=True, capture=_SHORT_ANSWER, assumed=b"ip utility, iproute2\n", is_quick=True)


def addresses() -> Command:
    """Read the addresses of all interfaces."""
    return Command(("ip", "-json", "-4", "address", "show"), assumed=_NOTHING, is_quick=True)


def bridge_addresses() -> Command:
    """Read the addresses of the bridges."""
    return Command(("ip", "-json", "-4", "address", "show", "type", "bridge"), assumed=_NOTHING, is_quick=True)


def routes() -> Command:
    """Read the main routing table."""
    return Command(("ip", "-json", "route", "show"), assumed=_NOTHING, is_quick=True)


def routes_as_printed() -> Command:
    """Print the main routing table as a person sees it."""
    return Command(("ip", "route"), is_quick=True)


def routes_within(network: IPv4Network) -> Command:
    """Read the routes of the main table to this network and to parts of it."""
    return Command(("ip", "-json", "route", "show", "root", str(network)), assumed=_NOTHING, is_quick=True)


def routes_around(network: IPv4Network) -> Command:
    """Read the routes of the main table to networks that contain this one, itself and the default route included."""
    return Command(("ip", "-json", "route", "show", "match", str(network)), assumed=_NOTHING, is_quick=True)


def fits_ip_batch(command: Command) -> bool:
    """Whether a command is a reading of `ip` that others may share a process with."""
    words = command.argv
    return words[:2] == _IP_JSON and not command.stdin and (words[2] == _IPV4 or not words[2].startswith("-"))


def ip_readings(commands: Sequence[Command]) -> Command:
    """Do several readings of `ip`, all of which fit, in one process; each prints a line."""
    lines = "".join(f"{' '.join(w for w in command.argv[2:] if w != _IPV4)}\n" for command in commands)
    return Command((*_IP_JSON, _IPV4, "-batch", "-"), stdin=lines.encode(), is_quick=True)


def list_folder(folder: PurePosixPath) -> Command:
    """List the names of the files in a folder, one a line."""
    return Command(("ls", "-1", str(folder)), needs_root=True, is_quick=True)


def read_files(paths: Iterable[PurePosixPath], *, needs_root: bool = False) -> Command:
    """Read the contents of files, one after the other."""
    return Command(("cat", *(str(p) for p in paths)), needs_root=needs_root)


def cni_files(listing: str) -> tuple[PurePosixPath, ...]:
    """Return the CNI configuration files in a listing of their folder, in the order in which CNI reads them."""
    names = sorted(n for n in listing.split("\n") if n.endswith((".conf", ".conflist", ".json")))
    return tuple(CNI_FOLDER / n for n in names if is_plain_name(n))


def ip_forward() -> Command:
    """Read whether the kernel forwards IPv4 packets: `0` or `1`."""
    return Command(("cat", "/proc/sys/net/ipv4/ip_forward"), is_quick=True)


def namespaces() -> Command:
    """List the named network namespaces: below /run/netns, where container runtimes keep those of pods."""
    return Command(("ls", "-1", "/run/netns"), is_quick=True)


def namespace_addresses(namespace: str) -> Command:
    """Read the addresses inside a network namespace."""
    return Command(("ip", "-json", "-n", _checked(namespace), "address", "show"), needs_root=True, assumed=_NOTHING)


def file_size(path: PurePosixPath, *, needs_root: bool = False) -> Command:
    """Read how many bytes a file has; a link is followed."""
    return Command(("stat", "-L", "-c", "%s", str(path)), needs_root=needs_root, capture=_SHORT_ANSWER)


def read_whole(path: PurePosixPath, size: int, *, needs_root: bool = False) -> Command:
    """Read the content of a file that has `size` bytes, as far as known: whole, up to MAX_FILE."""
    return Command(("cat", str(path)), needs_root=needs_root, capture=MAX_FILE, expected=size)


def sizes(files: Mapping[PurePosixPath, bytes]) -> Command:
    """Read how many bytes files have that should have these contents: of each a line with the number and the path."""
    assumed = "".join(f"{len(content)} {path}\n" for path, content in files.items()).encode()
    return Command(("stat", "-c", "%s %n", *(str(p) for p in files)), needs_root=True, assumed=assumed)


def digests(files: Mapping[PurePosixPath, bytes]) -> Command:
    """Read the SHA-256 digests of files that should have these contents: of each a line with digest and path."""
    assumed = "".join(f"{sha256(content).hexdigest()}  {path}\n" for path, content in files.items()).encode()
    return Command(("sha256sum", *(str(p) for p in files)), needs_root=True, timeout=60, assumed=assumed)


def file_kind(path: PurePosixPath, *, is_new: bool = False) -> Command:
    """Read what a path is: `regular file`, `symbolic link`, …; `is_new`: nothing should be there."""
    assumed = b"" if is_new else b"regular file\n"
    return Command(("stat", "-c", "%F", str(path)), assumed=assumed, assumed_status=int(is_new), is_quick=True)


def mounts_at(path: PurePosixPath) -> Command:
    """Find the mounts that have to do with a path, in the format of proc(5). Status 1 where there is none."""
    return Command(("grep", "-F", f" {path} ", "/proc/self/mountinfo"), assumed=b"", assumed_status=1, is_quick=True)


# --- reading: how the network is configured, files of ours ------------------------------------------------------


def files_of_ours() -> Command:
    """Find the files with our name in the folders where files of ours may be, scripts of rollbacks included.

    Status 1 where a folder is missing.
    """
    words = ("-maxdepth", "2", "-path", "*kthw-routes*", "-type", "f")  # the folder may have our name, or the file
    folders = (*own_paths.FOLDERS, own_paths.TEMPLATES, own_paths.ROLLBACKS)
    return Command(("find", *(str(f) for f in folders), *words), needs_root=True, is_quick=True)


def modes_and_kinds(paths: Iterable[PurePosixPath]) -> Command:
    """Read of each path that exists: permission bits, path, kind. Status 1 where one does not."""
    words = [str(path) for path in paths]
    assumed = "".join(f"644 {word} regular file\n" for word in words).encode()
    return Command(("stat", "-c", "%a %n %F", *words), needs_root=True, assumed=assumed, is_quick=True)


def network_files() -> Command:
    """Find the files by which systemd-networkd manages interfaces, but for those of its own packages."""
    folders = ("/etc/systemd/network", "/run/systemd/network")
    return Command(("find", *folders, "-maxdepth", "1", "-name", "*.network"), needs_root=True, is_quick=True)


def own_configuration() -> Command:
    """Read the files in which the host's own configuration may state routes: a line as `path:number:text`.

    Lines that may hold a password stay there. A link to elsewhere is not followed.
    """
    words = [word for secret in stated.SECRETS for word in ("-e", secret)]
    return Command(
        ("grep", "-arsHniv", *words, *(str(p) for p in stated.PLACES)), needs_root=True, capture=_OWN_CONFIGURATION
    )


def networkd_links() -> Command:
    """List every interface, a line each: number, name, type, and what systemd-networkd makes of it."""
    words = ("networkctl", "--no-pager", "--no-legend", "list")
    return Command(words, timeout=_DAEMON_TIMEOUT, only_with="/run/systemd/netif/state")


def networkd_status(device: str, likely_file: str | None) -> Command:
    """Read what systemd-networkd knows of an interface; `likely_file`: the file by which it may manage it."""
    assumed = f"Network File: {likely_file}\nState: routable (configured)\n".encode() if likely_file else b""
    words = ("networkctl", "--no-pager", "status", _checked(device))
    return Command(words, timeout=_DAEMON_TIMEOUT, assumed=assumed)


def networkmanager_status(device: str) -> Command:
    """Read by which connection NetworkManager manages an interface, and in which state: a line each."""
    words = ("-g", "GENERAL.CONNECTION,GENERAL.STATE", "device", "show")
    return Command(("nmcli", *words, _checked(device)), timeout=_DAEMON_TIMEOUT)


def netplan_configuration() -> Command:
    """Read netplan's files merged, as YAML; from netplan 0.101."""
    return Command(("netplan", "get"), needs_root=True, timeout=_DAEMON_TIMEOUT)


def unit_states() -> Command:
    """Read what systemd makes of the units that read files at boot: of each the lines `Id=` and `UnitFileState=`."""
    words = ("systemctl", "show", "--property=Id,UnitFileState", *readers.UNITS)
    return Command(words, timeout=_DAEMON_TIMEOUT, capture=_SHORT_ANSWER, only_with="/run/systemd/system")


def boot_links() -> Command:
    """Find the links by which OpenRC and SysV init start `networking` at boot. Status 1 where a folder is missing."""
    return Command(("find", "/etc/runlevels", "/etc/rcS.d", "-name", "*networking"), capture=_SHORT_ANSWER)


def timer_is_enabled() -> Command:
    """Read whether systemd starts our timer at boot: `enabled`, `disabled`, …"""
    return Command(("systemctl", "is-enabled", unit.TIMER.name), timeout=_DAEMON_TIMEOUT)


def timer_is_active() -> Command:
    """Read whether our timer runs now: `active`, `inactive`, `failed`, …"""
    return Command(("systemctl", "is-active", unit.TIMER.name), timeout=_DAEMON_TIMEOUT)


def cloud_init_settings(paths: Iterable[PurePosixPath]) -> Command:
    """Find the lines of cloud-init's configuration on whether it writes /etc/hosts, each after its file's path.

    And of os-release(5), which it goes by, the lines on what distribution this is.
    """
    words = ("-arsH", "-e", "manage_etc_hosts", "-e", "^ID")
    return Command(("grep", *words, *(str(p) for p in paths), "/etc/os-release"), needs_root=True)


# --- reading: the overlay ---------------------------------------------------------------------------------------


def vxlan_devices() -> Command:
    """Read the VXLAN devices, with their details."""
    return Command(("ip", "-json", "-d", "link", "show", "type", "vxlan"), assumed=_NOTHING, is_quick=True)


def overlay_neighbours() -> Command:
    """Read which MAC addresses the next hops in the overlay have: the permanent entries."""
    return Command(("ip", "neigh", "show", "dev", DEVICE, "nud", "permanent"), is_quick=True)


def overlay_forwarding() -> Command:
    """Read at which nodes the MAC addresses of the overlay are."""
    return Command(("bridge", "fdb", "show", "dev", DEVICE), is_quick=True)


def overlay_table() -> Command:
    """Read our nftables table; status 1 where there is none."""
    return Command(("nft", "list", "table", "inet", TABLE), needs_root=True, assumed=b"", assumed_status=1)


# --- proving ----------------------------------------------------------------------------------------------------


def forwarding_verdicts(packets: Iterable[tuple[IPv4Address, IPv4Address, str]]) -> Command:
    """Ask what the kernel would do with packets: route, ip_forward, rp_filter in one.

    `packets`: destination, source, and the device that each came in by.
    """
    lines = (f"route get {to} from {source} iif {_checked(device)}\n" for to, source, device in packets)
    return Command(("ip", "-force", "-batch", "-"), stdin="".join(lines).encode())


def route_lookups(packets: Iterable[tuple[IPv4Address, IPv4Address, str | None]]) -> Command:
    """Ask what the kernel would do with packets, as `forwarding_verdicts`; one without a device is the host's own."""
    lines = (
        f"route get {to} from {source}{f' iif {_checked(device)}' if device else ''}\n"
        for to, source, device in packets
    )
    return Command(("ip", "-force", "-batch", "-"), stdin="".join(lines).encode())


def policy_rules() -> Command:
    """Read the rules by which the kernel chooses a routing table, then the routes of all tables."""
    lines = b"rule show\nroute show table all\n"
    return Command(("ip", _IPV4, "-force", "-batch", "-"), stdin=lines, is_quick=True)


def rp_filters(devices: Iterable[str]) -> Command:
    """Read the reverse path filter of all interfaces together, and of these: a line as `path:value` each."""
    paths = (f"/proc/sys/net/ipv4/conf/{_checked(name)}/rp_filter" for name in ("all", *devices))
    return Command(("grep", "-sH", "", *paths), capture=_SHORT_ANSWER, is_quick=True)


def bridge_filter() -> Command:
    """Read whether iptables sees what a bridge passes on: `1`; the file is missing where br_netfilter is not loaded."""
    return Command(("cat", "/proc/sys/net/bridge/bridge-nf-call-iptables"), capture=_SHORT_ANSWER, is_quick=True)


def iptables_rules() -> Command:
    """Read the rules of iptables that there are; no table is made by it, as `iptables -t filter -S` would."""
    return Command(("iptables-save", "-c"), needs_root=True, timeout=_DAEMON_TIMEOUT, capture=_RULES)


def nft_rules() -> Command:
    """Read the rules of nftables."""
    return Command(("nft", "list", "ruleset"), needs_root=True, timeout=_DAEMON_TIMEOUT, capture=_RULES)


def legacy_iptables_tables() -> Command:
    """Read which tables of the old iptables the kernel has; the file is missing where it has none."""
    return Command(("cat", "/proc/net/ip_tables_names"), needs_root=True, capture=_SHORT_ANSWER, is_quick=True)


def ping(source: IPv4Address, destination: IPv4Address, namespace: str | None = None) -> Command:
    """Send three requests from an address of the host, or of a network namespace on it."""
    return _inside(namespace, Command((*_PING, str(source), str(destination)), needs_root=True, timeout=PING_TIMEOUT))


def ping_once(source: IPv4Address, destination: IPv4Address) -> Command:
    """Send one request from an address of the host."""
    words = (*_PING_ONCE, "-I", str(source), str(destination))
    return Command(words, needs_root=True, timeout=PING_TIMEOUT)


def ping_full_size(source: IPv4Address, destination: IPv4Address, size: int, namespace: str | None = None) -> Command:
    """Send one request of `size` bytes, headers included, that is not to be divided on its way."""
    words = (*_PING_ONCE, *_WHOLE, "-s", str(size - _HEADERS), "-I", str(source), str(destination))
    return _inside(namespace, Command(words, needs_root=True, timeout=PING_TIMEOUT))


def ping_together(
    source: IPv4Address, destinations: Sequence[IPv4Address], namespace: str | None = None, size: int | None = None
) -> Command:
    """Send three requests to up to MAX_PINGS addresses at once, and where they are answered one of `size` bytes.

    Of each address a line with ping's status and what it printed; then one with the word `full` before both, of the
    request of full size. A line is written in one piece, whatever the shell is: unquoted, it loses its line ends.
    """
    if len(destinations) > MAX_PINGS:
        raise ValueError(f"{len(destinations)} pings at once")
    addresses = " ".join(map(str, destinations))
    each = f"o=$({' '.join(_PING)} {source} $a 2>&1)"
    if size is None:
        each = f"{each}; echo $a $? $o"
    else:
        full = f"{' '.join((*_PING_ONCE, *_WHOLE))} -s {size - _HEADERS} -I {source} $a"
        each = f"{each}; s=$?; echo $a $s $o; test $s = 0 && {{ o=$({full} 2>&1); echo $a full $? $o; }}"
    script = f"set -f; for a in {addresses}; do {{ {each}; }} & done; wait"
    return _inside(namespace, Command(("sh", "-c", script), needs_root=True, timeout=PINGS_TIMEOUT))


def neighbour_statistics() -> Command:
    """Read the kernel's statistics of its neighbour table; they are missing in a container."""
    return Command(("cat", "/proc/net/stat/arp_cache"))


def counters(namespace: str | None = None) -> Command:
    """Read the ICMP counters of the host, or of a network namespace on it."""
    return _inside(namespace, Command(("cat", "/proc/net/snmp"), needs_root=namespace is not None))


def _inside(namespace: str | None, command: Command) -> Command:
    if namespace is None:
        return command
    return replace(command, argv=("ip", "netns", "exec", _checked(namespace), *command.argv), needs_root=True)


def neighbour(next_hop: IPv4Address) -> Command:
    """Read whether the kernel has found a next hop on its link: `REACHABLE`, `STALE`, `FAILED`, …"""
    return Command(("ip", "neigh", "show", str(next_hop)))


def add_probe_address(address: IPv4Interface, seconds: int) -> Command:
    """Put a probe address on `lo`, or renew it. The kernel itself removes it after `seconds`, even if we die."""
    life = str(seconds)
    lifetime = ("valid_lft", life, "preferred_lft", life)
    return Command(("ip", "address", "replace", str(address), "dev", "lo", *lifetime), needs_root=True)


def delete_probe_address(address: IPv4Interface) -> Command:
    """Remove a probe address before its time."""
    return Command(("ip", "address", "del", str(address), "dev", "lo"), needs_root=True)


# --- changing ---------------------------------------------------------------------------------------------------


def _change(argv: tuple[str, ...], *, stdin: bytes = b"", timeout: float = 20.0, changes: bool = True) -> Command:
    """Make a command that writes; its stdout is not an answer.

    `changes`: whether something that stays on the host may be changed.
    """
    return Command(argv, stdin, needs_root=True, timeout=timeout, is_answered=False, changes=changes)


def change_routes(commands: Sequence[RouteCommand]) -> Command:
    """Make every change of routes in one go; `-force` goes on after a line that the kernel refuses."""
    seconds = 30 + len(commands) / 20
    return _change(("ip", "-force", "-batch", "-"), stdin=batch(commands), timeout=seconds)


def write_overlay_table(accepts: frozenset[IPv4Address]) -> Command:
    """Make our nftables table, in one step whatever is in its place."""
    return _change(("nft", "-f", "-"), stdin=table.render(accepts).encode("ascii"))


def remove_overlay_table() -> Command:
    """Remove our nftables table."""
    return _change(("nft", "delete", "table", "inet", TABLE))


def change_overlay_device(lines: Iterable[str]) -> Command:
    """Make the changes of the overlay's device, its addresses and neighbours, up to the first that is refused.

    So nothing becomes of a device of others that has the name of ours.
    """
    return _change(("ip", "-batch", "-"), stdin="".join(f"{line}\n" for line in lines).encode("ascii"))


def change_overlay_forwarding(lines: Iterable[str]) -> Command:
    """Make the changes of the overlay's forwarding database."""
    return _change(("bridge", "-force", "-batch", "-"), stdin="".join(f"{line}\n" for line in lines).encode("ascii"))


def remove_overlay_device() -> Command:
    """Remove the overlay's device, and with it all that leads through it."""
    return _change(("ip", "link", "del", DEVICE))


def set_ip_forward(on: bool) -> Command:
    """Let the kernel forward IPv4 packets, or not, until the next boot."""
    return _change(("sysctl", "-q", "-w", f"net.ipv4.ip_forward={int(on)}"))


def copy_attributes(source: PurePosixPath, target: PurePosixPath) -> Command:
    """Make an empty file with the owner, mode, SELinux label and extended attributes of `source`."""
    return _change(("cp", "--attributes-only", "--preserve=all", str(source), str(target)))


def write_file(path: PurePosixPath, content: bytes) -> Command:
    """Fill a file and bring it to disk."""
    return _change(("dd", f"of={path}", "conv=fsync", "status=none"), stdin=content)


def rename_over(source: PurePosixPath, target: PurePosixPath) -> Command:
    """Replace `target` by `source` in one step."""
    return _change(("mv", "-fT", str(source), str(target)))


def remove_file(path: PurePosixPath) -> Command:
    """Remove a file of ours; it need not be there."""
    return _change(("rm", "-f", str(path)))


def make_empty(path: PurePosixPath, mode: int) -> Command:
    """Make an empty file of root's with these permission bits, whatever the umask is."""
    return _change(("install", "-m", f"{mode & 0o777:o}", "/dev/null", str(path)))


def make_folder(path: PurePosixPath) -> Command:
    """Make a folder that everybody may read (networkd is not root), whatever the umask is; it may exist already."""
    return _change(("mkdir", "-p", "-m", "755", str(path)))


def remove_folder(path: PurePosixPath) -> Command:
    """Remove a folder if it is empty."""
    return _change(("rmdir", str(path)))


def sync_folder(path: PurePosixPath) -> Command:
    """Bring to disk which files a folder has."""
    return _change(("sync", str(path)), changes=False)


def stop_timer() -> Command:
    """Stop our timer, and what it started, until it is started again or the host boots."""
    return _change(("systemctl", "stop", unit.TIMER.name, unit.SERVICE.name))


def disable_timer() -> Command:
    """Do not start our timer at boot any more."""
    return _change(("systemctl", "disable", unit.TIMER.name))


def enable_timer() -> Command:
    """Start our timer, now and at each boot."""
    return _change(("systemctl", "enable", "--now", unit.TIMER.name))


def run_later(name: str, seconds: int, script: PurePosixPath) -> Command:
    """Let systemd run a script of ours after a time, though nobody is connected by then."""
    when = (f"--on-active={seconds}", "--timer-property=AccuracySec=1s")
    return _change(("systemd-run", "--quiet", f"--unit={_checked(name)}", *when, "sh", str(script)))


def stop_unit(name: str) -> Command:
    """Stop a unit of ours."""
    return _change(("systemctl", "stop", _checked(name)))


def reload_units() -> Command:
    """Let systemd read its unit files again; nothing is started or stopped."""
    return _change(("systemctl", "daemon-reload"))


def generate_netplan(root: str = "") -> Command:
    """Let netplan write what networkd and NetworkManager read, below `root` if one is given; nothing is applied."""
    words = ("--root-dir", _checked_scratch(root)) if root else ()
    return _change(("netplan", "generate", *words), timeout=30, changes=not root)


# --- changing: a scratch folder ---------------------------------------------------------------------------------


def make_scratch() -> Command:
    """Make a new folder that only root may enter; its path is printed."""
    return Command(("mktemp", "-d", "/tmp/kthw-routes.XXXXXXXX"), needs_root=True)  # noqa: S108 - mktemp makes it new


def scratch_in(answer: str) -> str | None:
    """Return the path that `make_scratch` printed; None where it is anything else."""
    path = answer.strip()
    return path if _SCRATCH.fullmatch(path) else None


def copy_below(paths: Iterable[PurePosixPath], scratch: str) -> Command:
    """Copy folders below a scratch folder, each under its whole path; status 1 where one does not exist."""
    words = ("cp", "-a", "--parents", *(str(p) for p in paths))
    return _change((*words, _checked_scratch(scratch)), changes=False)


def lines_below(scratch: str, folder: str) -> Command:
    """Read every line of every file in a folder of a scratch folder: the path, a colon, the line."""
    return Command(("grep", "-arsH", "", f"{_checked_scratch(scratch)}/{_checked(folder)}"), needs_root=True)


def remove_scratch(scratch: str) -> Command:
    """Remove a scratch folder with all that is in it."""
    return _change(("rm", "-rf", _checked_scratch(scratch)), changes=False)


def _checked_scratch(scratch: str) -> str:
    if not _SCRATCH.fullmatch(scratch):
        raise ValueError(f"not a scratch folder of ours: {scratch!r}")
    return scratch
