"""The systemd timer that brings a host's routes back: what formats for whole fleets hold routes over a reboot by.

It works on any host with systemd, whatever manages its interfaces, so that nothing has to be known of the host.
"""

from typing import Final

from kthw_routes.errors import UsageError
from kthw_routes.export.desired import DesiredHost
from kthw_routes.facts import HostFile
from kthw_routes.persistence import unit
from kthw_routes.persistence.model import Persist, PersistedRoute

_MEANT: Final = frozenset({None, Persist.AUTO, Persist.UNIT})


def is_wanted(persist: Persist | None, who: str) -> bool:
    """Whether the timer is to keep the routes; also where nothing was chosen, as a playbook says how hosts should be.

    Args:
        persist: what was asked for.
        who: the format, as the beginning of a sentence.

    Raises:
        UsageError: another way was asked for.
    """
    if persist in _MEANT:
        return True
    if persist is Persist.NONE:
        return False
    hint = "It knows --persist unit (a systemd timer; the same as auto, and its default) and --persist none."
    raise UsageError(f"{who} cannot hold routes by {persist}.", hint)


def files(host: DesiredHost) -> tuple[HostFile, ...]:
    """Make the batch, the service and the timer of a host, as `apply --persist unit` writes them."""
    persisted = [PersistedRoute(w.prefix, w.next_hop, "") for w in host.routes]  # the batch names no interface
    return unit.render(persisted, host.network)
