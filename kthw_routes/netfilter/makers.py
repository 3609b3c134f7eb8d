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
    is_forwarded = base.hook is Hook.FORWARD
    if table.name == "firewalld" or chain.name.startswith(("FWD_", "FWDI_", "FORWARD_ZONES", "INPUT_ZONES")):
        command = f"sudo firewall-cmd --permanent --zone=trusted --add-source={between}; sudo firewall-cmd --reload"
        return Maker(name="firewalld", shows="sudo firewall-cmd --list-all-zones", lets_pass=command)
    if chain.name.startswith("ufw") or (hit.rule is None and any(name.startswith("ufw") for name in names)):
        command = f"sudo ufw allow from {between} to {between}"
        if is_forwarded:
            command = f"sudo ufw route allow from {between}; sudo ufw route allow to {between}"
        return Maker(name="ufw", shows="sudo ufw status verbose", lets_pass=command)
    if chain.name.startswith("DOCKER") or (hit.rule is None and "DOCKER-USER" in names):
        command = _accepting("sudo iptables -I DOCKER-USER", "-j ACCEPT", ("-s", "-d"), between, is_forwarded)
        return Maker(name="Docker", shows=f"sudo iptables -S {chain.name}", lets_pass=command)
    if table.program == "iptables":
        program = f"sudo iptables -t {table.name} -I {base.name}".replace(" -t filter", "")
        command = _accepting(program, "-j ACCEPT", ("-s", "-d"), between, is_forwarded)
        listing = f"sudo iptables -t {table.name} -S {chain.name}".replace(" -t filter", "")
        return Maker(name="iptables", shows=listing, lets_pass=command)
    place = f"{table.family} {table.name}"
    program = f"sudo nft insert rule {place} {base.name}"
    command = _accepting(program, "accept", ("ip saddr", "ip daddr"), between, is_forwarded)
    return Maker(name="nftables", shows=f"sudo nft list chain {place} {chain.name}", lets_pass=command)


def _accepting(program: str, verdict: str, sides: tuple[str, str], pods: str, is_forwarded: bool) -> str:
    """Return the commands that accept packets between pods.

    What is forwarded may have the address of another node at one end, as the CNI plugin masquerades (`ipMasq`): so it
    takes a rule for each end.
    """
    source, target = (f"{side} {pods}" for side in sides)
    if is_forwarded:
        return f"{program} {source} {verdict}; {program} {target} {verdict}"
    return f"{program} {source} {target} {verdict}"
