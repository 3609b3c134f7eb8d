"""Of which kind a file is: judged by its lines, so that a bad line or another suffix does not mislead."""

import re
from typing import Final

from kthw_routes.sources.inventory.model import InventoryKind
from kthw_routes.sources.inventory.toml import NODE_KEYS, SETTINGS

_OWN_KEYS: Final = "|".join((*SETTINGS, *NODE_KEYS, "nodes"))
_MARKS: Final = (
    (InventoryKind.TOML, re.compile(rf"\s*(?:\[\[|\[\s*nodes\s*\]|(?:{_OWN_KEYS})\s*=)")),
    (InventoryKind.MACHINES, re.compile(r"\s*[0-9.]{4,}\s+[^\s=]+(?:\s+[^\s=]+)*\s*(?:#.*)?$")),
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
    ".json": InventoryKind.ANSIBLE_YAML,
}
_SURE: Final = (".toml", ".yml", ".yaml", ".json")
"""Suffixes that are given to no other kind of file; of those a line without a mark says nothing else."""
_MAX_LINES: Final = 2000
_MAX_LINE_LENGTH: Final = 300


def kind_of(text: str, suffix: str) -> InventoryKind | None:
    """Find the kind to which most lines seem to belong; of equals, and of none, the suffix decides. None: no kind."""
    lines = [line[:_MAX_LINE_LENGTH] for line in text.split("\n", _MAX_LINES)[:_MAX_LINES]]
    votes = {kind: sum(1 for line in lines if mark.match(line)) for kind, mark in _MARKS}
    hinted = _OF_SUFFIX.get(suffix.casefold())
    most = max(votes.values())
    if most == 0:
        return hinted if suffix.casefold() in _SURE else None
    if hinted and votes[hinted] == most:
        return hinted
    return next(kind for kind, count in votes.items() if count == most)
