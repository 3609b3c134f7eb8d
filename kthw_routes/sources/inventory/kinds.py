"""Of which kind a file is: judged by its lines, so that a bad line or another suffix does not mislead."""

import re
from pathlib import PurePath
from typing import Final

from kthw_routes.sources.inventory.model import InventoryKind
from kthw_routes.sources.inventory.toml import NODE_KEYS, SETTINGS

_OWN_KEYS: Final = "|".join((*SETTINGS, *NODE_KEYS, "nodes"))
_MARKS: Final = (
    (InventoryKind.TOML, re.compile(rf"\s*(?:\[\[|\[\s*nodes\s*\]|(?:{_OWN_KEYS})\s*=)")),
    (
        InventoryKind.MACHINES,
        re.compile(
            r"\s*(?:[0-9.]{4,}\s+[^\s=]+(?:\s+[^\s=]+)*"  # IP …
            r"|[^\s=\[#]+\s+(?P<host>[\w-]+)\.[\w.-]+\s+(?P=host)(?:\s+[^\s=]+)?"  # … HOST.domain HOST
            r"|[^\s=\[#]+\s+[\w.-]+\s+[\w.-]+\s+[0-9.]+/[0-9]+)\s*(?:#.*)?$"  # … … … SUBNET
        ),
    ),
    (
        InventoryKind.ANSIBLE_INI,
        re.compile(r"\s*\[[^\[\]\s:]+(?::\w*)?\]\s*(?:[#;].*)?$|[^\[{#;\s].*\bansible_\w+\s*="),
    ),
    (
        InventoryKind.ANSIBLE_YAML,
        re.compile(r"---|\s*[\"']?[\w.\[:\]-]+[\"']?\s*:(?:\s*(?:[#&{].*)?$|\s+[^\s=]+$)|\{"),
    ),
)
_OF_SUFFIX: Final = {
    ".toml": InventoryKind.TOML,
    ".txt": InventoryKind.MACHINES,
    ".ini": InventoryKind.ANSIBLE_INI,
    ".cfg": InventoryKind.ANSIBLE_INI,
    ".yml": InventoryKind.ANSIBLE_YAML,
    ".yaml": InventoryKind.ANSIBLE_YAML,
    ".json": InventoryKind.ANSIBLE_YAML,  # JSON is distinguished from YAML at the end
}
_SURE: Final = (".toml", ".yml", ".yaml", ".json")
"""Suffixes that are given to no other kind of file; of those a line without a mark says nothing else."""
_MACHINES: Final = "machines.txt"
_MAX_LINES: Final = 2000
_MAX_LINE_LENGTH: Final = 300


def kind_of(text: str, name: str) -> InventoryKind | None:
    """Find the kind of the file `name` by its lines. None: no kind."""
    kind = _kind_by_votes(text, PurePath(name))
    return InventoryKind.ANSIBLE_JSON if kind is InventoryKind.ANSIBLE_YAML and text.lstrip()[:1] == "{" else kind


def _kind_by_votes(text: str, path: PurePath) -> InventoryKind | None:
    """Find the kind to which most lines seem to belong; of equals, and of none, the name decides."""
    lines = [line[:_MAX_LINE_LENGTH] for line in text.split("\n", _MAX_LINES)[:_MAX_LINES]]
    votes = {kind: sum(1 for line in lines if mark.match(line)) for kind, mark in _MARKS}
    suffix = path.suffix.casefold()
    hinted = _OF_SUFFIX.get(suffix)
    most = max(votes.values())
    if most == 0:
        is_sure = suffix in _SURE or path.name.casefold() == _MACHINES
        return hinted if is_sure else None
    if hinted and votes[hinted] == most:
        return hinted
    return next(kind for kind, count in votes.items() if count == most)
