"""How `ip link` and `ip address` print interfaces and their addresses."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.demo.net.kernel import Kernel
from kthw_routes.demo.net.links import FOREVER, Link, LinkAddress
from kthw_routes.demo.net.netlink import SCOPE_NAMES, KernelError, name_of
from kthw_routes.demo.programs.iproute.arguments import Arguments, IpError
from kthw_routes.demo.programs.iproute.context import Context, Entry, Json

LEFT_OUT: Final = Entry("", {})
"""What iproute2's JSON has in place of an interface or address that was filtered out after its bracket was opened."""


@dataclass(slots=True)
class LinkSelector:
    """Which interfaces, and which of their addresses."""

    device: str | None = None
    kind: str | None = None
    up: bool = False
    to: tuple[IPv4Address, int] | None = None
    scope: int | None = None

    def take(self, word: str, arguments: Arguments) -> bool:
        """Read a word that selects interfaces; False if it is none."""
        if word == "up":
            self.up = True
        elif word == "type":
            self.kind = arguments.take()
        else:
            return False
        return True

    def require_device(self, context: Context) -> None:
        """Raise IpError if the named interface does not exist."""
        if self.device is not None:
            try:
                context.kernel.link(self.device)
            except KernelError:
                raise IpError(f'Device "{self.device}" does not exist.\n', 1, ends_batch=False) from None

    def links(self, kernel: Kernel) -> list[Link]:
        """List the interfaces that are meant."""
        return [
            link
            for link in kernel.links
            if (self.device is None or link.name == self.device) and (self.kind is None or link.kind == self.kind)
        ]

    def fits(self, address: LinkAddress) -> bool:
        """Whether the address is meant."""
        if self.to:
            base, length = self.to
            if length and int(address.local) >> (32 - length) != int(base) >> (32 - length):
                return False
        return self.scope is None or address.scope == self.scope

    def fits_six(self, record: dict[str, Json]) -> bool:
        """Whether an IPv6 address is meant."""
        return self.scope in (None, 254 if record["scope"] == "host" else 253)

    def leaves_out(self, link: Link, found: bool, family: int | None) -> bool:
        """Whether an interface is not shown, given whether it has a fitting address.

        One that has no address at all is shown unless an address family was asked for.
        """
        if family:
            return not found
        return self.scope is not None and not found and bool(link.addresses)


def link_entries(context: Context, selector: LinkSelector) -> list[Entry]:
    """Make what `ip link show` prints."""
    entries = []
    for link in selector.links(context.kernel):
        if selector.up and not link.up:
            entries.append(LEFT_OUT)
            continue
        head, record = _head(link, linkmode=True)
        body, more = _hardware(link)
        if context.style.brief:
            flags = ",".join(link.flags)
            entries.append(Entry(f"{_full_name(link):<16} {link.state:<14} {link.mac} <{flags}> \n", _brief(link)))
        else:
            kind, about = _details(link) if context.style.details else ("", {})
            entries.append(Entry(f"{head}\n    {body}{kind}\n", record | more | about))
    return entries


def _details(link: Link) -> tuple[str, dict[str, Json]]:
    """Return what `-d` adds about a VXLAN device; of other kinds the model has nothing to add."""
    if (vxlan := link.vxlan) is None:
        return " promiscuity 0 ", {}
    local = f" local {vxlan.local}" if vxlan.local else ""
    learning = "" if vxlan.learns else " nolearning"
    data: dict[str, Json] = {"id": vxlan.vni, **({"local": str(vxlan.local)} if vxlan.local else {})}
    data |= {"port_range": {"low": 0, "high": 0}, "port": vxlan.port, "learning": vxlan.learns, "ageing": 300}
    text = f"\n    vxlan id {vxlan.vni}{local} srcport 0 0 dstport {vxlan.port}{learning} ttl auto ageing 300 udpcsum "
    return f" promiscuity 0 {text}", {"linkinfo": {"info_kind": "vxlan", "info_data": data}}


def address_entries(context: Context, selector: LinkSelector) -> list[Entry]:
    """Make what `ip address show` prints."""
    style = context.style
    entries = []
    for link in selector.links(context.kernel):
        if selector.up and not link.up:
            entries.append(LEFT_OUT)
            continue
        family = 4 if selector.to else style.family
        addresses = [a for a in link.addresses if selector.fits(a)] if family != 6 else []
        six = [found for found in _six(context.kernel, link) if family != 4 and selector.fits_six(found[1])]
        if selector.leaves_out(link, bool(addresses or six), family):
            continue
        texts = [_address_text(context.kernel, link.name, a) for a in addresses] + [text for text, _ in six]
        shown = [_address_json(context.kernel, link.name, a) if selector.fits(a) else {} for a in link.addresses]
        info: list[Json] = [*(shown if family != 6 else []), *(record for _, record in six)]
        head, record = _head(link, linkmode=False)
        hardware = ""
        if not family:
            body, more = _hardware(link)
            hardware = f"    {body}\n"
            record |= more
        if style.brief:
            short = "".join(f"{a.interface.with_prefixlen} " for a in addresses)
            short += "".join(f"{item['local']}/{item['prefixlen']} " for _, item in six)
            text = f"{_full_name(link):<16} {link.state:<14} {short}\n"
            entries.append(Entry(text, _brief(link, info)))
        elif style.oneline and not style.json:
            entries += [Entry(f"{link.index}: {link.name}    {text[4:]}", {}) for text in texts]
        else:
            entries.append(Entry(f"{head}\n{hardware}{''.join(texts)}", record | {"addr_info": info}))
    return entries


def _full_name(link: Link) -> str:
    return f"{link.name}@{link.peer}" if link.peer else link.name


def _brief(link: Link, info: list[Json] | None = None) -> dict[str, Json]:
    record: dict[str, Json] = {"link": link.peer} if link.peer else {}
    record |= {"ifname": link.name, "operstate": link.state}
    if info is None:
        return record | {"address": link.mac, "flags": list(link.flags)}
    return record | {"addr_info": info}


def _head(link: Link, *, linkmode: bool) -> tuple[str, dict[str, Json]]:
    record: dict[str, Json] = {"ifindex": link.index}
    if link.peer:
        record["link"] = link.peer
    queue = "noqueue" if link.kind in ("loopback", "veth", "bridge", "vxlan") else "fq_codel"
    record |= {"ifname": link.name, "flags": list(link.flags), "mtu": link.mtu, "qdisc": queue}
    words = [f"{link.index}: {_full_name(link)}: <{','.join(link.flags)}>", f"mtu {link.mtu} qdisc {queue}"]
    if link.master:
        record["master"] = link.master
        words.append(f"master {link.master}")
    record["operstate"] = link.state
    words.append(f"state {link.state}")
    if linkmode:
        record["linkmode"] = "DEFAULT"
        words.append("mode DEFAULT")
    record |= {"group": "default", "txqlen": 1000}
    words.append("group default qlen 1000")
    return " ".join(words), record


def _hardware(link: Link) -> tuple[str, dict[str, Json]]:
    kind = "loopback" if link.is_loopback else "ether"
    broadcast = "00:00:00:00:00:00" if link.is_loopback else "ff:ff:ff:ff:ff:ff"
    return (
        f"link/{kind} {link.mac} brd {broadcast}",
        {"link_type": kind, "address": link.mac, "broadcast": broadcast},
    )


def _seconds(kernel: Kernel, until: float | None) -> int:
    return FOREVER if until is None else max(-int(-(until - kernel.clock.now()) // 1), 0)


def _preferred(kernel: Kernel, address: LinkAddress) -> int:
    """Return how long an address is preferred; one that is valid for ever is shown as preferred for ever."""
    return FOREVER if address.valid_until is None else _seconds(kernel, address.preferred_until)


def _life_text(seconds: int) -> str:
    return "forever" if seconds == FOREVER else f"{seconds}sec"


def _flags(kernel: Kernel, address: LinkAddress) -> list[str]:
    flags = ["secondary"] if address.secondary else []
    if address.preferred_until is not None and address.preferred_until <= kernel.clock.now():
        flags.append("deprecated")
    if address.valid_until is not None:
        flags.append("dynamic")
    return flags


def _address_text(kernel: Kernel, device: str, address: LinkAddress) -> str:
    words = [f"    inet {address.interface.with_prefixlen}"]
    if address.broadcast:
        words.append(f"brd {address.broadcast}")
    words.append(f"scope {name_of(address.scope, SCOPE_NAMES)}")
    words += [*_flags(kernel, address), device]
    valid = _life_text(_seconds(kernel, address.valid_until))
    preferred = _life_text(_preferred(kernel, address))
    return f"{' '.join(words)}\n       valid_lft {valid} preferred_lft {preferred}\n"


def _address_json(kernel: Kernel, device: str, address: LinkAddress) -> dict[str, Json]:
    record: dict[str, Json] = {
        "family": "inet",
        "local": str(address.local),
        "prefixlen": address.interface.network.prefixlen,
    }
    if address.broadcast:
        record["broadcast"] = str(address.broadcast)
    record["scope"] = name_of(address.scope, SCOPE_NAMES)
    record |= dict.fromkeys(_flags(kernel, address), True)
    record |= {
        "label": device,
        "valid_life_time": _seconds(kernel, address.valid_until),
        "preferred_life_time": _preferred(kernel, address),
    }
    return record


def _six(kernel: Kernel, link: Link) -> list[tuple[str, dict[str, Json]]]:
    """Show the IPv6 address that every interface has."""
    if not kernel.ipv6 or not link.up or (link.master and not link.is_loopback):
        return []
    local, length, scope = ("::1", 128, "host") if link.is_loopback else (str(link.link_local), 64, "link")
    text = f"    inet6 {local}/{length} scope {scope} \n       valid_lft forever preferred_lft forever\n"
    record: dict[str, Json] = {
        "family": "inet6",
        "local": local,
        "prefixlen": length,
        "scope": scope,
        "valid_life_time": FOREVER,
        "preferred_life_time": FOREVER,
    }
    return [(text, record)]
