"""What *Source* says before anything is contacted: where all is kept, which key is used, how to log in to the demo."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from kthw_routes.local_files import state_folder
from kthw_routes.options import KUBERNETES_KEY, Settings
from kthw_routes.wizard.themes import dim
from kthw_routes.words import Words


def kept(settings: Settings, *, is_lab: bool) -> Iterator[Words | str]:
    """Yield where the record of runs is kept, and the SSH key; of the demo, how to log in to its nodes meanwhile."""
    if is_lab:
        if settings.ssh_config is not None and not settings.personal:
            yield dim("Log in to its nodes from a second terminal while it runs:\n")
            yield f"  ssh -F {shlex.quote(str(settings.ssh_config))} worker-0"
        return
    yield dim("Transcripts, undo and known hosts are kept in ")
    yield short(settings.state or state_folder())
    yield dim(". SSH key: ")
    yield _key(settings)


def _key(settings: Settings) -> str:
    if settings.identity is not None:
        return short(settings.identity)
    here = (settings.folder or Path()) / KUBERNETES_KEY
    try:
        is_there = here.is_file()
    except OSError:
        is_there = False
    return f"./{KUBERNETES_KEY}" if is_there else "of the agent and your SSH configuration"


def short(path: Path) -> str:
    """Return a path, below the home folder with `~`."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)
