"""Cloud Firewalls in Linode's JSON, read into values of our own. Pure; everything in it is untrusted."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Final

from kthw_routes.proof.cloud import CloudFirewall, CloudRule, Way
from kthw_routes.sanitize import clean_value
from kthw_routes.sources.linode.errors import malformed
from kthw_routes.sources.linode.responses import page_of

_MAX_RULES: Final = 200
_MAX_LENGTH: Final = 100
_ACTIONS: Final = {"ACCEPT": True, "DROP": False}


def firewalls_of(answer: object) -> tuple[CloudFirewall, ...]:
    """Read `/linode/instances/{id}/firewalls`: those that are enabled. Raises LinodeError."""
    entries = page_of(answer, "firewalls").entries
    return tuple(_firewall(entry) for entry in entries if entry.get("status") == "enabled")


def _firewall(entry: Mapping[str, object]) -> CloudFirewall:
    rules = entry.get("rules")
    if not isinstance(rules, dict):
        raise malformed("a firewall has no rules")
    return CloudFirewall(
        label=_text(entry.get("label")),
        rules={way: _rules(rules.get(way.value)) for way in Way},
        accepts={way: _action(rules.get(f"{way.value}_policy")) for way in Way},
    )


def _rules(entries: object) -> tuple[CloudRule, ...]:
    if not isinstance(entries, list) or len(entries) > _MAX_RULES:
        raise malformed("a firewall has no list of rules")
    return tuple(_rule(entry) for entry in entries if isinstance(entry, dict))


def _rule(entry: Mapping[str, object]) -> CloudRule:
    addresses = entry.get("addresses")
    listed = addresses.get("ipv4") if isinstance(addresses, dict) else None
    texts = listed[:1000] if isinstance(listed, list) else []
    networks = [_network(text) for text in texts]
    return CloudRule(
        accepts=_action(entry.get("action")),
        protocol=_text(entry.get("protocol")),
        ports=_text(entry.get("ports")),
        networks=tuple(network for network in networks if network is not None),
        is_whole=None not in networks and len(texts) < 1000,
        label=_text(entry.get("label")),
    )


def _action(value: object) -> bool:
    if not isinstance(value, str) or value not in _ACTIONS:
        raise malformed("a firewall neither accepts nor drops")
    return _ACTIONS[value]


def _network(text: object) -> IPv4Network | None:
    try:
        return IPv4Network(text if isinstance(text, str) else "", strict=False)
    except ValueError:
        return None


def _text(value: object) -> str:
    return clean_value(value[:_MAX_LENGTH]) if isinstance(value, str) else ""
