"""What netplan says against its files, in one line."""

import re
from typing import Final

from kthw_routes.sanitize import clean_line
from kthw_routes.ssh.command import Result

_EXCEPTION: Final = re.compile(r"^[\w.]*(?:Exception|Error): ", re.MULTILINE)
_WARNING: Final = " WARNING **: "


def summarize_errors(result: Result, root: str = "") -> str:
    """The place and the fault, without the traceback before it, the line of the file after it, and any warning.

    Args:
        result: of a `netplan` that failed.
        root: the folder below which its files lay, if not the host's own.
    """
    exceptions = list(_EXCEPTION.finditer(result.err))
    text = result.err[exceptions[-1].end() :] if exceptions else result.err
    lines = (clean_line(line) for line in text.splitlines() if _WARNING not in line)
    first = next((line for line in lines if line), f"it ended with status {result.status}")
    return (first.replace(root, "") if root else first).removesuffix(":")
