"""`/etc/hosts`, read and written whole: into a new file, renamed over it; owner, mode, label and attributes kept."""

from kthw_routes.hosts import programs, whole_file
from kthw_routes.hosts.errors import FileTooLarge
from kthw_routes.hosts.visit import Visit


def read(visit: Visit) -> tuple[bytes | None, str]:
    """The file's bytes and no words; or None and, where it is too large to be read, that, without a full stop.

    Raises what `Visit.run` raises.
    """
    try:
        return whole_file.read(visit, programs.ETC_HOSTS), ""
    except FileTooLarge as error:
        return None, error.complaint.removesuffix(".")


def write(visit: Visit, before: bytes, content: bytes) -> str:
    """Replace `/etc/hosts`, which was read as `before`, by `content`.

    Returns the empty string, or a sentence that says why it was left as it is.

    Raises what `Session.run` raises.
    """
    return whole_file.put(visit, programs.ETC_HOSTS, programs.NEW_ETC_HOSTS, content, None, before)
