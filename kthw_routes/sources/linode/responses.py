"""Linode's JSON, read into values of our own. Pure; everything in it is untrusted.

The API's description allows `null` in places, and servers send it in others too. What is missing where we can do
without is left out; what we cannot do without is an error with a sentence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv4Network, NetmaskValueError
from typing import Final

from kthw_routes.cluster import LINODE_PRIVATE, Address, AddressKind, Region
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.linode.errors import malformed

PRIVATE_RANGES: Final = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
"""RFC 1918. (`ipaddress.is_private` also counts documentation ranges and more.)"""

_MAX_LENGTH: Final = 64  # a label's greatest length in the API's description
_ALTERED: Final = "\N{REPLACEMENT CHARACTER}"

PAGE_SIZE: Final = 500
"""The most entries that Linode puts on a page."""
MAX_PAGES: Final = 100
"""Pages of a list that are read: 50,000 Linodes."""
MAX_ADDRESSES: Final = 1000
"""Addresses of a Linode."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What the list of Linodes says of one."""

    id: int
    label: str
    region: str | None
    status: str
    tags: frozenset[str]
    addresses: tuple[Address, ...]
    has_linode_interfaces: bool
    """Whether its interfaces are of the newer generation, which another request asks for."""


@dataclass(frozen=True, slots=True)
class Interfaces:
    """What is known of the interfaces of an instance, in addition to the list."""

    addresses: tuple[Address, ...] = ()
    """Those on a VLAN and in a VPC."""
    vpc_ranges: frozenset[IPv4Network] = frozenset()
    """The networks that the VPC delivers to it (`ip_ranges`)."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    entries: tuple[Mapping[str, object], ...]
    pages: int


def page_of(answer: object, what: str, number: int = 1) -> Page:
    """Read page `number` of a list of `what`. Raises LinodeError if it is not a page, or another one."""
    fields = _fields(answer)
    entries = fields.get("data")
    pages, stated = fields.get("pages", 1), fields.get("page", number)
    if not isinstance(entries, list):
        raise malformed(f"there is no list of {what} in it")
    if not _is_number(pages) or not isinstance(pages, int):
        raise malformed(f"the number of pages of the list of {what} is none")
    if pages > MAX_PAGES:
        raise malformed(f"the list of {what} has more than {MAX_PAGES} pages")
    if stated != number:
        raise malformed(f"page {number} of the list of {what} was asked for, and another came")
    if len(entries) > PAGE_SIZE:
        raise malformed(f"a page of the list of {what} has more than {PAGE_SIZE} entries")
    return Page(tuple(_fields(e) for e in entries if isinstance(e, dict)), pages)


def id_of(entry: Mapping[str, object]) -> int | None:
    """Read the id of a Linode; None where there is none that makes sense."""
    number = entry.get("id")
    return number if isinstance(number, int) and _is_number(number) and number < 2**63 else None


def label_of(entry: Mapping[str, object]) -> str | None:
    """Read the label, for people. None: it has none.

    A label with control bytes in it, or a far too long one, ends in a replacement character: cleaning must
    not turn it silently into another node's name.
    """
    label = entry.get("label")
    return _visible(label) if isinstance(label, str) and label else None


def instance_of(entry: Mapping[str, object]) -> Instance:
    """Read an instance of the list of Linodes. Raises LinodeError where something is missing that we need."""
    label = label_of(entry)
    number = id_of(entry)
    if label is None:
        raise malformed("a Linode has no label")
    if number is None:
        raise malformed(f"{label} has no id")
    tags = entry.get("tags")
    return Instance(
        id=number,
        label=label,
        region=_text(entry.get("region")),
        status=_text(entry.get("status")) or "unknown",
        tags=frozenset(t for t in tags if isinstance(t, str)) if isinstance(tags, list) else frozenset(),
        addresses=_addresses(label, entry.get("ipv4")),
        has_linode_interfaces=entry.get("interface_generation") == "linode",
    )


def region_of(entry: Mapping[str, object]) -> Region | None:
    """Read a region of the list of regions; None if it has no id. Unknown capabilities are kept."""
    region_id = _text(entry.get("id"))
    if region_id is None:
        return None
    capabilities = entry.get("capabilities")
    known = frozenset(_visible(c) for c in capabilities if isinstance(c, str)) if isinstance(capabilities, list) else ()
    return Region(
        id=region_id,
        label=_text(entry.get("label")) or region_id,
        capabilities=frozenset(known),
        status=_text(entry.get("status")) or "unknown",
    )


def interfaces_of_configs(answer: object) -> Interfaces:
    """Read the VLANs and VPCs in `/linode/instances/{id}/configs`: of the active configuration, if one is."""
    configs = page_of(answer, "configurations").entries
    interfaces = [i for c in configs if isinstance(all_ := c.get("interfaces"), list) for i in map(_fields, all_)]
    active = [i for i in interfaces if i.get("active") is True]
    found: list[Address] = []
    ranges: list[IPv4Network] = []
    for interface in active or interfaces:
        if interface.get("purpose") == "vlan":
            found += _of_kind(AddressKind.VLAN, [interface.get("ipam_address")])
        elif interface.get("purpose") == "vpc":
            found += _of_kind(AddressKind.VPC, [_fields(interface.get("ipv4")).get("vpc")])
            ranges += _networks(interface.get("ip_ranges"))
    return Interfaces(tuple(dict.fromkeys(found)), frozenset(ranges))


def interfaces_of_list(answer: object) -> Interfaces:
    """Read the VLANs and VPCs in `/linode/instances/{id}/interfaces`."""
    interfaces = _fields(answer).get("interfaces")
    if not isinstance(interfaces, list):
        raise malformed("there is no list of interfaces in it")
    found: list[Address] = []
    ranges: list[IPv4Network] = []
    for interface in map(_fields, interfaces):
        found += _of_kind(AddressKind.VLAN, [_fields(interface.get("vlan")).get("ipam_address")])
        vpc = _fields(_fields(interface.get("vpc")).get("ipv4"))
        if isinstance(addresses := vpc.get("addresses"), list):
            found += _of_kind(AddressKind.VPC, [_fields(a).get("address") for a in addresses])
        if isinstance(routed := vpc.get("ranges"), list):
            ranges += _networks([_fields(r).get("range") for r in routed])
    return Interfaces(tuple(dict.fromkeys(found)), frozenset(ranges))


def kind_of(ip: IPv4Address) -> AddressKind:
    """Find to which network an address of the list belongs; VLAN and VPC cannot be distinguished by the address."""
    if ip in LINODE_PRIVATE:
        return AddressKind.PRIVATE
    return AddressKind.OTHER if any(ip in network for network in PRIVATE_RANGES) else AddressKind.PUBLIC


def _addresses(label: str, ipv4: object) -> tuple[Address, ...]:
    """Read the addresses of an instance; one that is not valid is an error, as the rest might mislead."""
    if ipv4 is None:
        return ()
    if not isinstance(ipv4, list):
        raise malformed(f"{label} has no list of addresses")
    if len(ipv4) > MAX_ADDRESSES:
        raise malformed(f"{label} has more than {MAX_ADDRESSES} addresses")
    found: list[Address] = []
    for text in ipv4:
        try:
            ip = IPv4Address(text if isinstance(text, str) else "")
        except AddressValueError:
            raise malformed(f"an address of {label} is none") from None
        found.append(Address(ip, kind_of(ip)))
    return tuple(dict.fromkeys(found))


def _of_kind(kind: AddressKind, texts: Iterable[object]) -> list[Address]:
    """Read the IPv4 addresses among `texts` (`10.0.0.1/24` or `10.0.0.1`); null and other text count as none."""
    found: list[Address] = []
    for text in texts:
        try:
            found.append(Address(IPv4Interface(text if isinstance(text, str) else "").ip, kind))
        except (AddressValueError, NetmaskValueError):
            continue
    return found


def _networks(texts: object) -> list[IPv4Network]:
    """Read the IPv4 networks in a list; null and other text count as none."""
    found: list[IPv4Network] = []
    for text in texts if isinstance(texts, list) else ():
        try:
            found.append(IPv4Network(text if isinstance(text, str) else "", strict=False))
        except ValueError:
            continue
    return found


def _fields(value: object) -> Mapping[str, object]:
    """Return the fields of a JSON object; none of anything else."""
    return value if isinstance(value, dict) else {}


def _is_number(value: object) -> bool:
    """Whether it is a whole number from 0 on. (In Python, true and false are numbers too.)"""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(value: object) -> str | None:
    return _visible(value) or None if isinstance(value, str) else None


def _visible(text: str) -> str:
    """Make `text` safe to show on one line; marked at its end where that is not what was sent."""
    safe = clean_line(text[: 4 * _MAX_LENGTH])[:_MAX_LENGTH]
    return safe if safe == text else safe + _ALTERED
