"""Files per host, as `apply --persist` would write them: netplan's drop-in, systemd-networkd's.

Each is in a folder of its host's name, at its path below `/`: `worker-0/etc/netplan/90-kthw-routes.yaml`.
"""

from pathlib import PurePosixPath

from kthw_routes.errors import UsageError
from kthw_routes.export.desired import Desired, DesiredHost
from kthw_routes.export.document import Document
from kthw_routes.facts import HostFile
from kthw_routes.persistence.managers import MODULES
from kthw_routes.persistence.model import Manager


def netplan(desired: Desired) -> tuple[Document, ...]:
    """Make `90-kthw-routes.yaml` per host. Raises UsageError where netplan manages an interface under no known id."""
    return _of(Manager.NETPLAN, desired)


def networkd(desired: Desired) -> tuple[Document, ...]:
    """Make the drop-ins of each host. Raises UsageError where systemd-networkd does not manage the interface."""
    return _of(Manager.NETWORKD, desired)


def _of(manager: Manager, desired: Desired) -> tuple[Document, ...]:
    module = MODULES[manager]
    if faults := [f"{host.name}: {why}." for host in desired.routed if (why := _unsupported_reason(manager, host))]:
        hint = "\n".join([*faults, "Leave these hosts out (--only), or export another format for them."])
        raise UsageError(f"{manager} cannot hold the routes on every host.", hint)
    return tuple(
        _document(host, file) for host in desired.routed for file in module.render(host.persisted, host.network)
    )


def _unsupported_reason(manager: Manager, host: DesiredHost) -> str | None:
    if len(host.persisted) < len(host.routes):
        return "it is not known through which interface the routes lead"
    return MODULES[manager].unsupported_reason({r.device for r in host.persisted}, host.network)


def _document(host: DesiredHost, file: HostFile) -> Document:
    return Document(PurePosixPath(host.name) / file.path.relative_to("/"), file.content.decode(), file.mode)
