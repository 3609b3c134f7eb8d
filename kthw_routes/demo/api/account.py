"""The Linode account of the embedded lab, as plain data."""

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final

from kthw_routes.demo.topology import ADDRESSES

DEMO_REGIONS: Final = ("ca-central", "eu-west")
"""The lab's regions: one in which its author saw pods reach each other, and one where not."""

FIRST_ID: Final = 71001
"""The id of the account's first instance; the others follow."""

DEMO_TOKEN: Final = "embedded-lab-opens-nothing-else"  # noqa: S105 - it opens the embedded lab only


@dataclass(frozen=True, slots=True)
class LinodeInstance:
    """One Linode of an account. Text, as the API sends it; tests put nonsense into it."""

    label: str
    public: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    region: str = DEMO_REGIONS[0]
    tags: tuple[str, ...] = ()
    status: str = "running"
    interface_generation: str = "legacy_config"
    """Or `linode`."""
    vlan: str | None = None
    """Its address on a VLAN, such as `10.0.0.2/24`."""
    vpc: str | None = None
    """Its address in a VPC, such as `10.8.0.2`."""
    number: int | None = None
    """Its id; by default it follows from its place in the account."""
    firewalls: tuple["LinodeFirewall", ...] = ()


@dataclass(frozen=True, slots=True)
class LinodeFirewall:
    """A Cloud Firewall; its rules as the API spells them."""

    label: str
    inbound: tuple[dict[str, object], ...] = ()
    inbound_policy: str = "ACCEPT"
    outbound: tuple[dict[str, object], ...] = ()
    outbound_policy: str = "ACCEPT"
    status: str = "enabled"


@dataclass(frozen=True, slots=True)
class LinodeRegion:
    """One region, with the fields that the API's newest recorded answers had."""

    id: str
    label: str
    country: str
    site_type: str
    status: str
    capabilities: tuple[str, ...]


@cache
def recorded_regions() -> tuple[LinodeRegion, ...]:
    """Read all regions, as the API listed them in May 2026."""
    text = files("kthw_routes.demo").joinpath("regions.json").read_text(encoding="utf-8")
    return tuple(LinodeRegion(**{**r, "capabilities": tuple(r["capabilities"])}) for r in json.loads(text))


@dataclass(frozen=True, slots=True)
class Account:
    """What one token can see."""

    instances: tuple[LinodeInstance, ...]
    regions: tuple[LinodeRegion, ...] = field(default_factory=recorded_regions)
    token: str = field(default=DEMO_TOKEN, repr=False)
    scopes: str = "linodes:read_only"
    """What the token may do, as the X-OAuth-Scopes header spells it."""

    @property
    def numbered(self) -> dict[int, LinodeInstance]:
        """The instances by their id."""
        return {linode.number or n: linode for n, linode in enumerate(self.instances, start=FIRST_ID)}


def lab_account(region: str = DEMO_REGIONS[0]) -> Account:
    """Make the account of the lab: three workers and three controllers in `region`, and what else people have."""
    nodes = tuple(
        LinodeInstance(name, (public,), (private,), region, (name.rpartition("-")[0],))
        for name, (public, private) in ADDRESSES.items()
    )
    unrelated = (
        LinodeInstance("website", ("203.0.113.80",), (), "eu-central", ("web", "production")),
        LinodeInstance("database", ("203.0.113.81",), ("192.168.131.7",), "eu-central", ("production",)),
        LinodeInstance("old-laptop-backup", ("203.0.113.82",), (), region, (), "offline"),
    )
    # as Linode lists them: in the order in which they were made
    return Account((unrelated[0], unrelated[1], *nodes, unrelated[2]))
