"""Nodes from a file: TOML of our own, KTHW's machines.txt, an Ansible inventory in INI, YAML or JSON.

The kind is recognised, and shown. All errors in a file are reported at once, each with line and column, before
anything is contacted. `write` makes the TOML.
"""

import threading
from typing import Final

from kthw_routes.errors import Cancelled
from kthw_routes.events import Emit, Event, EventKind, Phase, now
from kthw_routes.sanitize import clean_line
from kthw_routes.sources import Discovery
from kthw_routes.sources.inventory.ansible_roles import GroupChoice
from kthw_routes.sources.inventory.model import Inventory, InventoryKind
from kthw_routes.sources.inventory.problems import InventoryError, Problem
from kthw_routes.sources.inventory.reading import parse, read

__all__ = ["GroupChoice", "Inventory", "InventoryError", "InventoryKind", "InventorySource", "Problem", "parse", "read"]


class InventorySource:
    """The nodes of an inventory that was read already; asks nobody."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory: Final = inventory
        self.title: Final = f"inventory {clean_line(inventory.path.name)}"

    def find(self, *, emit: Emit, cancel: threading.Event) -> Discovery:
        """Return the nodes, the kind that was recognised, and what was ignored; see `Source.find`. Raises Cancelled."""
        if cancel.is_set():
            raise Cancelled("Stopped reading the inventory.")
        found = self.inventory
        emit(Event(Phase.FIND, EventKind.NOTE, found.findings[0].sentence, time=now()))
        return Discovery(found.cluster, found.findings, found.others)
