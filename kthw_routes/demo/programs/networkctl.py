"""`networkctl`: what systemd-networkd made of an interface. The words are those of systemd 252."""

from ipaddress import IPv4Address
from typing import Final

from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.net.links import Link
from kthw_routes.demo.net.netlink import KernelError
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import speaks_utf8

_LINK_FILE: Final = "/usr/lib/systemd/network/99-default.link"
_WIDTH: Final = 31
"""Of the first column, the colon included."""


@program("networkctl")
def networkctl(process: Process) -> int:
    """Run `networkctl [list | status [DEVICES] | reload | reconfigure DEVICES]`."""
    words = [word for word in process.arguments if not word.startswith("-")]
    verb, names = (words[0], words[1:]) if words else ("list", [])
    match verb:
        case "list":
            return _list(process)
        case "status":
            return _status(process, names)
        case "reload":
            if not process.user.is_root:
                process.err("Failed to reload network settings: Access denied\n")
                return 1
            process.host.networkd.reload()
            return 0
        case "reconfigure":
            return _reconfigure(process, names)
    process.err(f"Unknown command verb {verb}.\n")
    return 1


def _operational(link: Link) -> str:
    """Return the operational state of networkctl(1)."""
    if not link.up:
        return "off"
    return "routable" if any(not address.local.is_loopback for address in link.addresses) else "carrier"


def _list(process: Process) -> int:
    networkd = process.host.networkd
    legend = "--no-legend" not in process.arguments
    rows = [("IDX", "LINK", "TYPE", "OPERATIONAL", "SETUP")] if legend else []
    rows += [
        (str(link.index), link.name, link.kind, _operational(link), networkd.setup_state(link.name))
        for link in process.host.kernel.links
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        cells = [row[0].rjust(widths[0]), *(cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        process.out(" ".join(cells).rstrip() + "\n")
    if legend:
        process.out(f"\n{len(rows) - 1} links listed.\n")
    return 0


def _status(process: Process, names: list[str]) -> int:
    for name in names or ["eth0"]:
        try:
            link = process.host.kernel.link(name)
        except KernelError:
            process.err(f'Interface "{name}" not found.\n')
            return 1
        _print_status(process, link)
    return 0


def _print_status(process: Process, link: Link) -> None:
    networkd = process.host.networkd
    mark = "●" if speaks_utf8(process) else "*"
    rows = [
        ("Link File", [_LINK_FILE if link.kind == "ether" else "n/a"]),
        ("Network File", [networkd.network_file(link.name) or "n/a"]),
        ("State", [f"{_operational(link)} ({networkd.setup_state(link.name)})"]),
        ("Online state", ["online" if networkd.network_file(link.name) else "unknown"]),
        ("Type", [link.kind]),
    ]
    if link.kind == "ether":
        rows += [("Driver", ["virtio_net"]), ("Vendor", ["Red Hat, Inc."]), ("Model", ["Virtio network device"])]
    if not link.is_loopback:
        rows.append(("Hardware Address", [link.mac]))
    rows += [
        ("MTU", [f"{link.mtu} (min: 68, max: 65535)" if not link.is_loopback else str(link.mtu)]),
        ("QDisc", ["noqueue" if link.is_loopback else "fq_codel"]),
        ("IPv6 Address Generation Mode", ["eui64"]),
        ("Address", [*(str(a) for a in sorted(a.local for a in link.addresses)), *_six(link)]),
        ("Gateway", [str(IPv4Address(gateway)) for gateway in networkd.gateways(link.name)]),
    ]
    if networkd.network_file(link.name):
        rows += [("Activation Policy", ["up"]), ("Required For Online", ["yes"])]
    process.out(f"{mark} {link.index}: {link.name}".ljust(_WIDTH + 1) + "\n")
    for label, values in rows:
        for i, value in enumerate(values):
            head = f"{label}:" if not i else ""
            process.out(f"{head:>{_WIDTH}} {value}\n")


def _six(link: Link) -> list[str]:
    return ["::1"] if link.is_loopback else [str(link.link_local)]


def _reconfigure(process: Process, names: list[str]) -> int:
    for name in names:
        if not process.user.is_root:
            process.err(f"Failed to reconfigure network interface {name}: Access denied\n")
            return 1
        try:
            process.host.networkd.reconfigure(name)
        except KernelError:
            process.err(f'Failed to resolve interface "{name}": No such device\n')
            return 1
    return 0
