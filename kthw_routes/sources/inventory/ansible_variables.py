"""The variables of an Ansible inventory that count here: which name of several wins, and what is not read.

Ansible reads `ansible_host` and its older spelling `ansible_ssh_host` as one option, and takes the older one where a
host has both (the order in its ssh plugin). Of other people's names for the internal address the first of
`INTERNAL` counts; such a value is passed over, and named, where it is not an address: the name may mean something else.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from kthw_routes.errors import InvalidInput
from kthw_routes.findings.model import Finding, Level
from kthw_routes.node_names import is_host_name
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.inventory import values
from kthw_routes.sources.inventory.problems import Problems, Stated

Variables = Mapping[str, Stated[str]]

HOST: Final = ("ansible_ssh_host", "ansible_host")
USER: Final = ("ansible_ssh_user", "ansible_user")
PORT: Final = ("ansible_ssh_port", "ansible_port")
KEY: Final = ("ansible_ssh_private_key_file", "ansible_private_key_file")
OWN_INTERNAL: Final = "internal_ip"
INTERNAL: Final = (
    OWN_INTERNAL,
    *("private_ip", "private_ip_address", "private_ipv4", "private_address", "internal_address", "internal_ipv4"),
    *("node_ip", "ip", "access_ip"),
)
"""Ours, those of other people, then Kubespray's."""
POD_CIDR: Final = "pod_cidr"
NEXT_HOP: Final = "next_hop"
NAME: Final = "hostname"
READ: Final = frozenset({*HOST, *USER, *PORT, *KEY, *INTERNAL, POD_CIDR, NEXT_HOP, NAME})
"""The variables that count here."""

_WAYS: Final = frozenset(
    {
        *("ansible_connection", "ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args"),
        *("ansible_ssh_executable", "ansible_ssh_proxy_command"),
    }
)
"""Variables that say how a host is reached, and that count for nothing here."""
_PASSWORD: Final = re.compile(r"ansible_(?:\w+_)?(?:pass|password|passphrase)")
_OTHER_CIDR: Final = re.compile(r"(?:\w+_)?pods?_?(?:network_|net_)?(?:cidr|subnet|network|range)\w*", re.IGNORECASE)
_UNREAD: Final = "inventory-variables-ignored"


def first(variables: Variables, names: Iterable[str]) -> Stated[str] | None:
    """Return the value of the first of these names that is stated."""
    return next((variables[name] for name in names if name in variables), None)


@dataclass(slots=True)
class Remarks:
    """What is worth saying of the variables of all nodes."""

    internal_from: dict[str, list[str]] = field(default_factory=dict)
    """Name of the variable -> the hosts whose internal address it gave."""
    passed_over: dict[str, None] = field(default_factory=dict)
    """Values that could not be used, as `ip of worker-0`."""

    def findings(self) -> Iterator[Finding]:
        """Report from where the internal addresses are, and which values were passed over."""
        for name, hosts in self.internal_from.items():
            if name != OWN_INTERNAL:
                sentence = f"The internal address of {listed(hosts)} was read from {name}."
                hint = f"It is the next hop for the other nodes; {OWN_INTERNAL} states another one."
                yield Finding("inventory-internal-from", Level.NOTICE, sentence, hint)
        if self.passed_over:
            sentence = f"Not read, as the value is a template or does not fit: {listed(list(self.passed_over))}."
            yield Finding(_UNREAD, Level.NOTICE, sentence, "State the value itself in the inventory file.")


def internal_of(
    host: str, variables: Variables, remarks: Remarks, problems: Problems
) -> Stated[IPv4Address | None] | None:
    """Return the internal address that a host's variables state; None where they state none."""
    for name in INTERNAL:
        given = variables.get(name)
        if given is None:
            continue
        if name == OWN_INTERNAL:
            return Stated(problems.value(given, plain_internal_ip), given.place, name)
        try:
            found = plain_internal_ip(given.value)
        except InvalidInput:
            remarks.passed_over[f"{name} of {host}"] = None
            continue
        remarks.internal_from.setdefault(name, []).append(host)
        return Stated(found, given.place, name)
    return None


def plain_internal_ip(text: str) -> IPv4Address:
    """Read an internal address, which is not a template. Raises InvalidInput."""
    check_plain(text)
    return values.internal_ip(text)


def check_plain(text: str) -> None:
    """Refuse a template."""
    if "{{" in text or "{%" in text:
        raise InvalidInput("is a template, which only Ansible can fill in; expected the value itself")


def name_of(host: str, variables: Variables, remarks: Remarks) -> Stated[str] | None:
    """Return the name that the variable `hostname` gives a host; None where it gives none."""
    given = variables.get(NAME)
    if given is None:
        return None
    if is_host_name(given.value):
        return given
    remarks.passed_over[f"{NAME} of {host}"] = None
    return None


def of_unread(tables: Iterable[Variables]) -> Iterator[Finding]:
    """Report the variables that say how hosts are reached, or what their pods have, and are not read.

    Args:
        tables: the variables of the nodes, and of the groups that they are in.
    """
    names = {key for table in tables for key in table}
    if unread := sorted(names & _WAYS):
        hint = "Your SSH configuration counts: put ProxyJump and the like there."
        yield Finding(_UNREAD, Level.NOTICE, f"Not read: {', '.join(unread)}.", hint)
    if passwords := sorted(name for name in names if _PASSWORD.fullmatch(name)):
        sentence = f"Passwords in a file are not read: {listed(passwords)}."
        hint = (
            "Log in with a key: `ssh-copy-id USER@HOST` puts yours there. Where sudo wants a password, "
            "--ask-sudo-password asks for it."
        )
        yield Finding("inventory-passwords-ignored", Level.NOTICE, sentence, hint)
    if cidrs := sorted(name for name in names if name not in READ and _OTHER_CIDR.fullmatch(name)):
        sentence = f"Not read: {listed(cidrs)}."
        hint = f"A worker's pod CIDR is stated by {POD_CIDR}, that of all workers by --cluster-cidr."
        yield Finding(_UNREAD, Level.NOTICE, sentence, hint)


def of_files(unread: list[str]) -> Iterator[Finding]:
    """Report files of variables that are not read, and why."""
    if unread:
        hint = "Put what is needed from there into the inventory file itself."
        yield Finding("inventory-variables-ignored", Level.NOTICE, f"Not read: {listed(unread)}.", hint)


def identity_of(text: str, folder: Path) -> Path:
    """Read the path of a private key, which is not a template; see `values.identity`."""
    check_plain(text)
    return values.identity(text, folder)


def listed(names: list[str]) -> str:
    """List names, the first ten of many."""
    shown = [clean_line(n)[:64] for n in names[:10]]
    return ", ".join(shown) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
