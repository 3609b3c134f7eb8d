"""The programs of the modelled hosts: one module a family, one registry of all."""

import importlib
from collections.abc import Callable
from typing import Final

from kthw_routes.demo.linux.process import Process

Program = Callable[[Process], int]
"""Runs to its end and returns the exit status."""

FAMILIES: Final = (
    "control",
    "copying",
    "encoding",
    "files",
    "identity",
    "ip",
    "iptables",
    "making",
    "networkctl",
    "nft",
    "ping",
    "search",
    "services",
    "sed",
    "sysctl",
    "systemd_run",
    "tcpdump",
    "text",
    "traceroute",
    "viewing",
)

_REGISTRY: dict[str, Program] = {}
_loaded = False


def program(*names: str) -> Callable[[Program], Program]:
    """Register a program under these names."""

    def register(function: Program) -> Program:
        for name in names:
            _REGISTRY[name] = function
        return function

    return register


def registry() -> dict[str, Program]:
    """Return all programs by name."""
    global _loaded
    if not _loaded:
        for family in FAMILIES:
            importlib.import_module(f"{__name__}.{family}")
        _loaded = True
    return _REGISTRY
