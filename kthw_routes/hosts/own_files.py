"""Writing files of ours: checked first, whole, beside the target, renamed over it; then the host is told of them."""

from collections.abc import Mapping, Sequence

from kthw_routes.host_files import FileChange
from kthw_routes.hosts.visit import Visit


def before(visit: Visit, changes: Sequence[FileChange]) -> None:
    """What has to rest while routes and files change: the timer that would put the old routes back."""


def write(visit: Visit, changes: Sequence[FileChange]) -> Mapping[str, str]:
    """Make the changes of files so, and tell the host of them.

    Returns path -> a sentence that says why that file was left as it is. Raises what `Session.run` raises.
    """
    return {}
