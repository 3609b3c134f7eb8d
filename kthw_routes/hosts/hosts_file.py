"""Writing `/etc/hosts`: whole, into a new file beside it, renamed over it; owner, mode, label and attributes kept."""

from kthw_routes.hosts import programs, whole_file
from kthw_routes.hosts.visit import Visit


def write(visit: Visit, content: bytes) -> str:
    """Replace `/etc/hosts` by `content`. Returns the empty string, or a sentence that says why it was left as it is.

    Raises what `Session.run` raises.
    """
    return whole_file.put(visit, programs.ETC_HOSTS, programs.NEW_ETC_HOSTS, content, None)
