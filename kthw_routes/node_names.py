"""What follows from a node's name: whether it is a valid hostname, its number, its place in a list, its pod CIDR."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Final

POD_PREFIX_LENGTH: Final = 24
"""Kubernetes The Hard Way gives each worker one /24 of the cluster CIDR."""

_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_NUMBER: Final = re.compile(r"\d+", re.ASCII)
_COUNTED: Final = re.compile(r"(.*?(?<!\d))(0|[1-9]\d{0,8})", re.ASCII | re.DOTALL)
_MAX_WORDS: Final = 6
_MAX_DIGITS: Final = 9  # more is not a count of workers, and int() of very long text is slow


def is_host_name(name: str) -> bool:
    """Whether `name` is a valid hostname (RFC 1123, section 2.1), so that /etc/hosts can hold it."""
    if len(name) > 253 or not all(_LABEL.fullmatch(part) for part in name.split(".")):
        return False
    return not is_address(name)


def is_address(name: str) -> bool:
    """Whether `name` is an IPv4 address, in place of a name that is not known yet."""
    try:
        IPv4Address(name)
    except ValueError:
        return False
    return True


def number_in(name: str) -> int | None:
    """Find the node's number: the digits at the end of its name, else the only ones in it. None: none, or unclear."""
    numbers = list(_NUMBER.finditer(name))
    if not numbers:
        return None
    if numbers[-1].end() != len(name) and len(numbers) > 1:
        return None
    digits = numbers[-1].group()
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def natural_order(name: str) -> tuple[tuple[str, int, str], ...]:
    """Make a sort key that puts worker-2 before worker-10."""
    parts = re.split(r"(\d+)", name.casefold(), flags=re.ASCII)
    texts = [*parts[::2]]
    digits = [*parts[1::2], ""]
    key = tuple((t, int(d) if 0 < len(d) <= _MAX_DIGITS else -1, d) for t, d in zip(texts, digits, strict=True))
    return (*key, (name, 0, ""))


def shortened(names: Iterable[str]) -> str:
    """List names in few words, in their order: `controller-0, worker-0…2`; of very many, how many others there are."""
    groups: list[list[str]] = []
    for name in sorted(names, key=natural_order):
        if groups and _follows(groups[-1][-1], name):
            groups[-1].append(name)
        else:
            groups.append([name])
    words: list[tuple[str, int]] = []
    for group in groups:
        last = _COUNTED.fullmatch(group[-1])
        if last is not None and len(group) > 2:
            words.append((f"{group[0]}…{last[2]}", len(group)))
        else:
            words += [(name, 1) for name in group]
    others = sum(number for _, number in words[_MAX_WORDS:])
    shown = ", ".join(word for word, _ in words[:_MAX_WORDS])
    return f"{shown} and {others} more" if others else shown


def _follows(before: str, name: str) -> bool:
    """Whether a name is another with the next number: worker-10 after worker-9."""
    one, two = _COUNTED.fullmatch(before), _COUNTED.fullmatch(name)
    return one is not None and two is not None and one[1] == two[1] and int(one[2]) + 1 == int(two[2])


def expected_pod_cidr(name: str, cluster_cidr: IPv4Network) -> IPv4Network | None:
    """Return the pod CIDR that worker N is expected to have: the Nth /24 of the cluster CIDR.

    None where the name has no number, or the cluster CIDR has no such /24.
    """
    number = None if is_address(name) else number_in(name)
    spare = POD_PREFIX_LENGTH - cluster_cidr.prefixlen
    if number is None or spare < 0 or number >= 2**spare:
        return None
    first = int(cluster_cidr.network_address) + number * 2 ** (32 - POD_PREFIX_LENGTH)
    return IPv4Network((first, POD_PREFIX_LENGTH))
