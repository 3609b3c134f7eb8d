"""The files that every modelled host has: /etc as Ubuntu ships it, and the parts of /proc that are asked for."""

from collections.abc import Callable
from functools import partial
from typing import Final

from kthw_routes.demo.linux.machine import Machine
from kthw_routes.demo.linux.nodes import AS_ROOT, Visitor
from kthw_routes.demo.net.kernel import Kernel

OS_RELEASE: Final = """\
PRETTY_NAME="Ubuntu 22.04.5 LTS"
NAME="Ubuntu"
VERSION_ID="22.04"
VERSION="22.04.5 LTS (Jammy Jellyfish)"
VERSION_CODENAME=jammy
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://www.ubuntu.com/"
SUPPORT_URL="https://help.ubuntu.com/"
BUG_REPORT_URL="https://bugs.launchpad.net/ubuntu/"
UBUNTU_CODENAME=jammy
"""

ETC_HOSTS: Final = """\
127.0.0.1 localhost
127.0.1.1 {name}

# The following lines are desirable for IPv6 capable hosts
::1 ip6-localhost ip6-loopback
fe00::0 ip6-localnet
ff00::0 ip6-mcastprefix
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
"""

_ICMP: Final = (
    "InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos "
    "InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal "
    "OutRateLimitHost OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps "
    "OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps"
)
"""The columns of /proc/net/snmp, as kernel 6 prints them."""


def add_system_files(host: Machine) -> None:
    """Fill a new host's file tree."""
    files = host.files
    for path in ("/bin", "/boot", "/dev", "/home", "/lib", "/opt", "/srv", "/sys", "/usr/bin", "/var"):
        files.directory(path)
    files.directory("/root").mode = 0o700
    null = files.put("/dev/null", mode=0o666)
    null.type, null.sink = "device", _discard
    files.directory("/tmp").mode = 0o1777  # noqa: S108 - a directory of the model
    add_runtime_files(host)
    files.put("/etc/hostname", f"{host.name}\n")
    files.put("/etc/hosts", ETC_HOSTS.format(name=host.name))
    files.put("/usr/lib/os-release", OS_RELEASE)
    files.link("/etc/os-release", "../usr/lib/os-release")
    files.put("/etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0 trust-ad\n")
    files.put("/etc/shadow", "root:*:19000:0:99999:7:::\n", mode=0o640)
    write_passwd(host)
    made: dict[str, Callable[[Visitor], str]] = {
        "/proc/net/snmp": lambda who: snmp(_net(host, who)),
        "/proc/self/net/snmp": lambda who: snmp(_net(host, who)),
        "/proc/self/mountinfo": lambda _who: mountinfo(host),
        "/proc/version": lambda _who: "Linux version 5.15.0-122-generic (buildd@lcy02) #132-Ubuntu SMP\n",
        "/proc/sys/kernel/hostname": lambda _who: f"{host.name}\n",
    }
    for path, make in made.items():
        files.put(path, mode=0o444).source = partial(_encoded, make)
    for name in host.kernel.sysctl:
        _add_sysctl(host, name)


def add_runtime_files(host: Machine) -> None:
    """Make the folders in /run; /run/systemd/system means that systemd runs."""
    for path in (
        "/run/netns",
        "/run/systemd/system",
        "/run/systemd/network",
        "/run/systemd/netif",
        "/run/systemd/transient",
    ):
        host.files.directory(path)
    host.files.put("/run/systemd/netif/state", "OPER_STATE=routable\n")


def _discard(_data: bytes) -> None:
    """Drop what is written to /dev/null."""


def _encoded(make: Callable[[Visitor], str], who: Visitor) -> bytes:
    return make(who).encode()


def _add_sysctl(host: Machine, name: str) -> None:
    node = host.files.put("/proc/sys/" + name.replace(".", "/"))
    node.source = lambda who: f"{_net(host, who).sysctl[name]}\n".encode()

    def sink(data: bytes) -> None:
        host.kernel.sysctl[name] = data.decode("ascii", "replace").strip()

    node.sink = sink


def _net(host: Machine, who: Visitor) -> Kernel:
    """Return the network namespace of a visitor: these files show each process its own."""
    net = getattr(who, "net", None)  # of a process; systemd and networkd look from the host's own
    return net if isinstance(net, Kernel) else host.kernel


def write_passwd(host: Machine) -> None:
    """Write /etc/passwd again, for the accounts that there are."""
    lines = [f"{u.name}:x:{u.uid}:{u.gid}:{u.name}:{u.home}:/bin/bash\n" for u in host.users.values()]
    host.files.put("/etc/passwd", "".join(lines))


def snmp(kernel: Kernel) -> str:
    """Write the ICMP part of /proc/net/snmp."""
    with kernel.lock:
        counters = dict(kernel.counters)
    counters["InMsgs"] = sum(value for name, value in counters.items() if name.startswith("In"))
    counters["OutMsgs"] = sum(value for name, value in counters.items() if name.startswith("Out"))
    forwarding = 1 if kernel.forwards else 2
    return (
        "Ip: Forwarding DefaultTTL\n"
        f"Ip: {forwarding} 64\n"
        f"Icmp: {_ICMP}\n"
        f"Icmp: {' '.join(str(counters.get(name, 0)) for name in _ICMP.split())}\n"
    )


def mountinfo(host: Machine) -> str:
    """Write /proc/self/mountinfo: the disk, /proc, what is read-only, and every bind-mounted file."""
    state = "ro" if "/" in host.files.read_only else "rw"
    lines = [
        f"29 1 8:0 / / {state},relatime shared:1 - ext4 /dev/sda {state},errors=remount-ro",
        "23 29 0:22 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw",
        "24 29 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw",
        "26 29 0:25 / /run rw,nosuid,nodev,noexec,relatime shared:5 - tmpfs tmpfs rw,size=401824k,mode=755",
    ]
    number = 100
    for place in sorted(host.files.read_only - {"/"}):
        lines.append(f"{number} 29 8:0 {place} {place} ro,relatime shared:1 - ext4 /dev/sda rw")
        number += 1
    for path, node in host.files.walk("/etc", AS_ROOT):
        if node.mounted:
            lines.append(f"{number} 29 8:0 /var/lib/bound{path} {path} rw,relatime shared:1 - ext4 /dev/sda rw")
            number += 1
    return "\n".join(lines) + "\n"
