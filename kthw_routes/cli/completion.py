"""What the shell completes: the names of runs and of nodes, from files only. Whatever cannot be read is not offered."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

_MAX_DOCUMENT: Final = 1 << 24
"""Bytes of a document that is read before a key's answer is waited for."""


def complete_runs(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the runs whose names begin so, the newest first."""
    return [folder.name for folder in _runs() if folder.name.startswith(incomplete)]


def complete_nodes(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the nodes of the report or the inventory that was named before; else of the newest run."""
    contexts = (context, context.parent)
    inventory = next((path for one in contexts if one and (path := one.params.get("inventory"))), None)
    if (report := context.params.get("report")) is not None:
        names = _names_in_document(report)
    elif inventory is not None:
        names = _names_in(inventory)
    else:
        names = [name for folder in _runs()[:1] for name in _names_in_document(folder / "plan.json")]
    return [name for name in names if name.startswith(incomplete)]


def complete_explained(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the lessons and the codes of findings whose names begin so."""
    from kthw_routes.teaching.explain import finding_codes
    from kthw_routes.teaching.lesson import lesson_names

    return [name for name in (*lesson_names(), *finding_codes()) if name.startswith(incomplete)]


def complete_drills(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the drills whose names begin so."""
    from kthw_routes.drills.reading import own_drills

    return [name for name in own_drills() if name.startswith(incomplete)]


def _runs() -> list[Path]:
    from kthw_routes.local_files import state_folder
    from kthw_routes.record.run import RUN_NAME

    try:
        return sorted((f for f in (state_folder() / "runs").iterdir() if RUN_NAME.fullmatch(f.name)), reverse=True)
    except OSError:
        return []


def _names_in(inventory: Path) -> Iterable[str]:
    from kthw_routes.sources.inventory import InventoryError, read

    try:
        return [node.name for node in read(inventory).cluster]
    except InventoryError:
        return []


def _names_in_document(path: Path) -> Iterable[str]:
    from kthw_routes.local_files import read_file
    from kthw_routes.node_names import is_host_name

    try:
        nodes = json.loads(read_file(path, _MAX_DOCUMENT))["nodes"]
        return [name for node in nodes if isinstance(name := node["name"], str) and is_host_name(name)]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []
