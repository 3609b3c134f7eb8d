"""From a file to an inventory, or to every problem of the file at once. Nothing here touches a network."""

import errno
import re
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR, Cluster
from kthw_routes.findings.model import Finding, Level
from kthw_routes.local_files import read_file
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.inventory.ansible_roles import USUAL, GroupChoice
from kthw_routes.sources.inventory.kinds import kind_of
from kthw_routes.sources.inventory.machines import read_machines
from kthw_routes.sources.inventory.model import Inventory, InventoryKind
from kthw_routes.sources.inventory.nodes import ParsedInventory, nodes_of
from kthw_routes.sources.inventory.problems import InventoryError, Problems
from kthw_routes.sources.inventory.toml import read_toml

LARGEST: Final = 1_000_000
"""Bytes; more is not an inventory."""

EXAMPLE: Final = """\
[[nodes]]
name = "worker-0"
role = "worker"
ssh = "root@192.168.8.20"
"""
_EXPECTED: Final = (
    "Expected TOML as below, KTHW's machines.txt (IP FQDN HOST SUBNET), or an Ansible inventory with the groups "
    f"workers and controllers.\n{EXAMPLE}"
).rstrip()
_ANSIBLE: Final = (InventoryKind.ANSIBLE_INI, InventoryKind.ANSIBLE_YAML, InventoryKind.ANSIBLE_JSON)
_INDENT: Final = re.compile(r"^\t+", re.MULTILINE)
"""Tabs before a line, which JSON may have and YAML may not."""
_BYTE_ORDER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_WORDS: Final = {
    errno.ENOENT: "There is no file {}.",
    errno.ENOTDIR: "There is no file {}.",
    errno.EISDIR: "{} is a folder, not an inventory file.",
    errno.EACCES: "{} may not be read by this user.",
    errno.EFBIG: f"{{}} is larger than {LARGEST // 1_000_000} MB, too large for an inventory.",
    errno.ENXIO: "{} cannot be read: it is a socket or a device, not a file.",
}


def read(path: Path, *, cluster_cidr: IPv4Network | None = None, groups: GroupChoice = USUAL) -> Inventory:
    """Read the inventory in a file.

    Args:
        path: of the file; `~` is expanded.
        cluster_cidr: the one asked for, which wins over the file's own; None: none was asked for.
        groups: of an Ansible inventory, those of the workers and the controllers, where they have other names.

    Raises:
        InventoryError: with every problem of the file, or a sentence about the file as a whole.
    """
    try:
        path = path.expanduser()
        data = read_file(path, LARGEST)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL in the name; RuntimeError: no such home
        number = error.errno if isinstance(error, OSError) else None
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        sentence = _WORDS.get(number or 0, "{} cannot be read: " + clean_line(reason).replace("{", "") + ".")
        raise InventoryError(sentence.format(clean_line(str(path))), "Name an inventory file.") from None
    return parse(data, path, cluster_cidr=cluster_cidr, groups=groups)


def parse(
    data: bytes, path: Path, *, cluster_cidr: IPv4Network | None = None, groups: GroupChoice = USUAL
) -> Inventory:
    """Read the inventory that `data` is, as if from `path`. Raises InventoryError; see `read`."""
    name = clean_line(path.name) or "the inventory"
    text = _text_of(data, name)
    kind = kind_of(text, path.name)
    if kind is None:
        raise InventoryError(f"{name} is not an inventory of any known kind.", _EXPECTED, name=name)
    problems = Problems(text.split("\n"))
    reading = _read_as(kind, text, path.parent, groups, problems)
    cidr = cluster_cidr or reading.settings.cluster_cidr or DEFAULT_CLUSTER_CIDR
    cluster = Cluster(nodes_of(reading, cidr, problems), cidr)
    if problems.found:
        raise InventoryError.of(name, kind, problems.found)
    return Inventory(
        path=path,
        kind=kind,
        cluster=cluster,
        settings=reading.settings,
        findings=(_recognised(cluster, kind, name), *reading.notices),
        others=reading.others,
    )


def _text_of(data: bytes, name: str) -> str:
    """Decode the text, its lines ended by line feeds. Raises InventoryError."""
    if len(data) > LARGEST:
        raise InventoryError(
            f"{name} is larger than {LARGEST // 1_000_000} MB, too large for an inventory.", _EXPECTED, name=name
        )
    if data.startswith(_BYTE_ORDER_MARKS):
        raise InventoryError(f"{name} is UTF-16 text.", "Save it as UTF-8.", name=name)
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        sentence = f"{name} is not UTF-8 text: byte {column} of line {line} is 0x{data[error.start]:02x}."
        raise InventoryError(sentence, "Save it as UTF-8.", name=name) from None
    if not text.strip():
        raise InventoryError(f"{name} is empty.", _EXPECTED, name=name)
    return text


def _read_as(kind: InventoryKind, text: str, folder: Path, groups: GroupChoice, problems: Problems) -> ParsedInventory:
    if kind not in _ANSIBLE and groups != USUAL:
        raise InventoryError(f"--worker-group and --controller-group are for Ansible inventories; this is a {kind}.")
    match kind:
        case InventoryKind.TOML:
            return read_toml(text, folder, problems)
        case InventoryKind.MACHINES:
            return read_machines(text, problems)
        case InventoryKind.ANSIBLE_INI:
            from kthw_routes.sources.inventory.ansible_ini import read_ansible_ini

            return read_ansible_ini(text, folder, groups, problems)
        case InventoryKind.ANSIBLE_YAML | InventoryKind.ANSIBLE_JSON:
            from kthw_routes.sources.inventory.ansible_yaml import read_ansible_yaml  # here, for PyYAML

            plain = _INDENT.sub(lambda tabs: " " * len(tabs[0]), text) if kind is InventoryKind.ANSIBLE_JSON else text
            return read_ansible_yaml(plain, folder, groups, problems)


def _recognised(cluster: Cluster, kind: InventoryKind, name: str) -> Finding:
    counts = (_count(len(cluster.workers), "worker"), _count(len(cluster.controllers), "controller"))
    return Finding("inventory-kind", Level.NOTICE, f"{name} was recognised as {kind}: {' and '.join(counts)}.")


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
