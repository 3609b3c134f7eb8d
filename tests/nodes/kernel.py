"""What a node's kernel and process table hold, read in one go, and brought back to how it was."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.nodes.container import Container

SERVICES: Final = (
    "ssh.service",
    "systemd-networkd.service",
    "NetworkManager.service",
    "systemd-journald.service",
    "dbus.service",
)
"""What runs on a node that nobody is logged in to, if its flavour has it."""
_VISITORS: Final = ("NetworkManager-dispatcher.service", "systemd-hostnamed.service", "systemd-timedated.service")
"""What is started when it is asked, and ends by itself."""
_SYSCTLS: Final = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.conf.eth0.rp_filter",
    "net.ipv4.icmp_echo_ignore_all",
)
_RUN: Final = (
    "/run/systemd/network",
    "/run/systemd/system",
    "/run/systemd/transient",
    "/run/NetworkManager/system-connections",
    "/run/network",
)
"""What generators and managers write, gone with the power."""
_END: Final = "=== end of section ==="
_READ: Final = f"\necho '{_END}'\n".join(
    (
        "echo $$",
        "ip -json address show",
        "ip -4 route show",
        "ip -4 rule show",
        "ip netns list",
        "nft list ruleset",
        f"sysctl {' '.join(_SYSCTLS)}",
        "hostname",
        f"systemctl show --property=MainPID --value {' '.join((*SERVICES, *_VISITORS))}",
        "systemctl list-units --type=timer --plain --no-legend --full",
        f"find {' '.join(_RUN)} ! -type d -exec md5sum {{}} + 2>/dev/null | sort -k2",
        "ps -eo pid=,ppid=",
    )
)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A node's network and processes."""

    links: frozenset[tuple[str, bool, int]]
    """Name, whether up, MTU."""
    addresses: frozenset[tuple[str, str]]
    """Device and IPv4 address with its prefix length."""
    routes: tuple[str, ...]
    """The main table, in its order."""
    rules: tuple[str, ...]
    namespaces: frozenset[str]
    nft: str
    sysctls: tuple[str, ...]
    hostname: str
    stopped: tuple[str, ...]
    """Those of `SERVICES` that do not run."""
    timers: frozenset[str]
    """Timers that run, transient ones too."""
    written: str
    """The checksum of each file in `_RUN`. Nothing brings these back but a boot."""
    strays: frozenset[int]
    """Processes that no service stands for: logins, and what they left behind."""


def read(container: Container) -> Kernel:
    """All of it, in about 40 ms."""
    output = container.run(["sh", "-c", _READ], check=False).stdout
    shell, links, routes, rules, spaces, nft, sysctls, hostname, services, timers, written, processes = (
        section.strip("\n") for section in output.split(f"{_END}\n")
    )
    devices = json.loads(links)
    main = [int(line) for line in services.split()]
    known = {1, int(shell), *main}
    rows = [(int(pid), int(parent)) for pid, parent in map(str.split, processes.splitlines())]
    return Kernel(
        links=frozenset((device["ifname"], "UP" in device["flags"], device["mtu"]) for device in devices),
        addresses=frozenset(
            (device["ifname"], f"{info['local']}/{info['prefixlen']}")
            for device in devices
            for info in device["addr_info"]
            if info["family"] == "inet"
        ),
        routes=tuple(line.strip() for line in routes.splitlines()),
        rules=tuple(rules.splitlines()),
        namespaces=frozenset(line.split()[0] for line in spaces.splitlines()),
        nft=nft,
        sysctls=tuple(sysctls.splitlines()),
        hostname=hostname,
        stopped=tuple(name for name, pid in zip(SERVICES, main, strict=False) if pid == 0),
        timers=frozenset(line.split()[0] for line in timers.splitlines()),
        written=written,
        strays=frozenset(pid for pid, parent in rows if pid not in known and parent != int(shell)),
    )


def restore(container: Container, now: Kernel, before: Kernel) -> bool:
    """Bring a node that is on, and is as `now`, back to how it was; false where it did not succeed."""
    for _ in range(2):  # the death of a process may change what follows: look again
        if now == before:
            return True
        script = "\n".join(_corrections(now, before))
        container.run(["sh", "-c", script], check=False)
        now = read(container)
    return now == before


def _corrections(now: Kernel, before: Kernel) -> Iterator[str]:
    """The shell commands that lead from one state to the other."""
    if now.strays:
        yield f"kill -9 {' '.join(map(str, sorted(now.strays)))}"
    for name in sorted(now.namespaces - before.namespaces):
        yield f"ip netns delete {shlex.quote(name)}"
    if now.nft != before.nft:
        yield f"nft flush ruleset; printf %s {shlex.quote(before.nft)} | nft -f -"
    if now.hostname != before.hostname:
        yield f"hostname {shlex.quote(before.hostname)}"
    for line in set(before.sysctls) - set(now.sysctls):
        yield f"sysctl -q -w {shlex.quote(line.replace(' ', ''))}"
    if now.timers != before.timers:
        yield f"systemctl stop {' '.join(map(shlex.quote, sorted(now.timers - before.timers)))}"
    if now.stopped != before.stopped:
        yield f"systemctl reset-failed; systemctl start {' '.join(set(now.stopped) - set(before.stopped))}"
    known = {name for name, _, _ in before.links}
    for name in sorted({name for name, _, _ in now.links} - known):
        yield f"ip link delete {shlex.quote(name.partition('@')[0])}"
    for name, up, mtu in before.links - now.links:
        yield f"ip link set {name} mtu {mtu} {'up' if up else 'down'}"
    for name, address in now.addresses - before.addresses:
        if name in known:
            yield f"ip address delete {address} dev {name}"
    for name, address in before.addresses - now.addresses:
        yield f"ip address add {address} dev {name}"
    if now.rules != before.rules:
        yield from (f"ip rule delete {line.partition(':')[2]}" for line in now.rules if line not in before.rules)
    for line in now.routes:
        if line not in before.routes:
            yield f"ip route delete {_without_state(line)}"
    # Connected routes first: the others need them.
    for line in sorted(before.routes, key=lambda line: " via " in line):
        if line not in now.routes:
            yield f"ip route replace {_without_state(line)}"
    # The search for a node that was off goes on for a second after it is back.
    yield "ip neigh flush all"


def _without_state(route: str) -> str:
    """A line of `ip route show`, as `ip route delete` takes it."""
    return " ".join(word for word in route.split() if word not in {"linkdown", "dead"})


def unmount_extras(container: Container, before: tuple[str, ...]) -> None:
    """Take away what was mounted inside since, and make what became read-only writable again."""
    now = mounts(container)
    extras = list(now)
    for line in before:
        if line in extras:
            extras.remove(line)
    places = [line.split()[1] for line in reversed(extras)]
    known = {line.split()[1] for line in before}
    for place in places:
        if place in known and place not in {line.split()[1] for line in set(before) & set(now)}:
            container.run(["mount", "-o", "remount,rw", place], check=False)
        else:
            container.run(["umount", "--lazy", place], check=False)


def mounts(container: Container) -> tuple[str, ...]:
    """Root, place and options of everything that is mounted inside, in the order of mounting."""
    lines = Path(f"/proc/{container.leader}/mountinfo").read_text().splitlines()
    return tuple(" ".join(line.split()[3:6]) for line in lines)
