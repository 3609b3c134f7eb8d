"""The practice lab in a browser, for a class without installations: a process of its own for each visitor."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from kthw_routes.errors import UsageError

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 8000
MAX_VISITORS: Final = 30
SEED: Final = "class"
"""Of the drills, so that all visitors have the same."""

MISSING: Final = "The practice lab in a browser needs the extra `web`."


def serve_lab(
    address: str, port: int, max_visitors: int, labs: Mapping[str, tuple[str, ...]], announce: Callable[[str], None]
) -> None:
    """Serve the practice lab until Ctrl-C, SIGTERM, or the end of the terminal.

    Args:
        address: the IPv4 address to listen on; on another than loopback, visitors have to type a word.
        port: 0 for any that is free.
        max_visitors: how many have a lab at once.
        labs: what visitors choose from: the path of its page, and the arguments of `kthw-routes` for it.
        announce: shows a line to whoever serves it.

    Raises UsageError: the extra is not installed, or the address or port cannot be used.
    """
    try:
        from kthw_routes.serve.server import LabServer
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("aiohttp", "jinja2", "textual_serve"):
            raise
        hint = "pip install 'kthw-routes[web]' (from this repository: pip install '.[web]')"
        raise UsageError(MISSING, hint) from error
    asyncio.run(LabServer(address, port, max_visitors, labs).serve_until_ended(announce))
