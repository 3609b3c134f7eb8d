"""Who made a rule, by the names that each program gives its chains; how it shows it, and how one lets packets pass."""

from dataclasses import dataclass
from ipaddress import IPv4Network

from kthw_routes.netfilter.rules import Hook
from kthw_routes.netfilter.walk import Hit


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """A program that makes rules, and what to type of it about one of them."""

    name: str
    shows: str
    lets_pass: str
    """The command that lets packets between pods pass."""


def maker_of(hit: Hit, pods: IPv4Network | None) -> Maker:
    """Tell who made a rule, or set a policy. `pods`: the range of all pods, as far as it is known."""
    table, chain, base = hit.table, hit.chain, hit.base
    names = set(table.chains)
    between = str(pods) if pods is not None else "POD_RANGE"
    if table.name == "firewalld" or chain.name.startswith(("FWD_", "FWDI_", "FORWARD_ZONES", "INPUT_ZONES")):
        command = f"sudo firewall-cmd --permanent --zone=trusted --add-source={between}; sudo firewall-cmd --reload"
        return Maker(name="firewalld", shows="sudo firewall-cmd --list-all-zones", lets_pass=command)
    if chain.name.startswith("ufw") or (hit.rule is None and any(name.startswith("ufw") for name in names)):
        route = "route " if base.hook is Hook.FORWARD else ""
        command = f"sudo ufw {route}allow from {between} to {between}"
        return Maker(name="ufw", shows="sudo ufw status verbose", lets_pass=command)
    if chain.name.startswith("DOCKER") or (hit.rule is None and "DOCKER-USER" in names):
        command = f"sudo iptables -I DOCKER-USER -s {between} -d {between} -j ACCEPT"
        return Maker(name="Docker", shows=f"sudo iptables -S {chain.name}", lets_pass=command)
    if table.program == "iptables":
        command = f"sudo iptables -t {table.name} -I {base.name} -s {between} -d {between} -j ACCEPT"
        command = command.replace(" -t filter", "")
        listing = f"sudo iptables -t {table.name} -S {chain.name}".replace(" -t filter", "")
        return Maker(name="iptables", shows=listing, lets_pass=command)
    place = f"{table.family} {table.name}"
    command = f"sudo nft insert rule {place} {base.name} ip saddr {between} ip daddr {between} accept"
    return Maker(name="nftables", shows=f"sudo nft list chain {place} {chain.name}", lets_pass=command)
