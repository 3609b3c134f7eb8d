"""The script of an automatic rollback: plain sh, everything that it needs within it. Pure."""

from pathlib import PurePosixPath

from kthw_routes.hosts import programs
from kthw_routes.persistence import paths as own_paths
from kthw_routes.plan.changes import HostPlan


def script(todo: HostPlan, path: PurePosixPath) -> bytes:
    """Return the script.

    Args:
        todo: what is done on the host.
        path: where it lies. It renames itself first, or does nothing where it was cancelled meanwhile; that it is gone
            is the sign that it ran.
    """
    mine = own_paths.claimed(path)
    lines = [
        "#!/bin/sh",
        "# kthw-routes: undoes what was changed here, because nobody confirmed it in time.",
        "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C",
        f"{programs.rename_over(path, mine)} 2>/dev/null || exit 0",
        f"rm -f {mine}",
        *todo.guarded_undo,
        "exit 0",
    ]
    return "".join(f"{line}\n" for line in lines).encode()
