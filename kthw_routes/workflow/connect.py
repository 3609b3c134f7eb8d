"""From settings to what the steps need: the source of the nodes and the connections to them."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kthw_routes.errors import UsageError
from kthw_routes.local_files import state_folder
from kthw_routes.options import Settings
from kthw_routes.sanitize import clean_line
from kthw_routes.sources import Source
from kthw_routes.ssh.session import Asker

if TYPE_CHECKING:
    from kthw_routes.sources.linode.token import Token
    from kthw_routes.ssh.connections import SshConnections


def linode_source(settings: Settings, token: "Token | None" = None) -> Source:
    """Return the Linode account. Raises UsageError: there is no token, or LINODE_URL or LINODE_CA cannot be used."""
    from kthw_routes.sources.linode.source import LinodeSource
    from kthw_routes.sources.linode.token import allows_http, api_url, ca_file, find_token

    return LinodeSource(
        token or find_token(settings.environment),
        url=api_url(settings.environment),
        ca=ca_file(settings.environment),
        allow_http=allows_http(settings.environment),
        workers=settings.workers,
        controllers=settings.controllers,
        tag=settings.tag,
        region=settings.region,
        cluster_cidr=settings.cidr,
        via=settings.via,
    )


def inventory_source(settings: Settings, path: Path) -> tuple[Source, Settings]:
    """Return the nodes of a file, and the settings with what else it says. Raises InventoryError: all its faults."""
    from kthw_routes.sources.inventory import GroupChoice, InventorySource, read

    groups = GroupChoice(settings.worker_group, settings.controller_group)
    inventory = read(path, cluster_cidr=settings.cluster_cidr, groups=groups)
    if settings.identity is not None:
        inventory = replace(inventory, cluster=inventory.cluster.with_one_identity())
    return InventorySource(inventory), settings.with_file(inventory.settings)


def nodes_source(settings: Settings) -> tuple[Source, Settings]:
    """Return where the nodes come from, and the settings to go by then. Raises UsageError."""
    if settings.inventory is not None:
        return inventory_source(settings, settings.inventory)
    return linode_source(settings), settings


def connect(
    settings: Settings, asker: Asker, *, default_host_keys: str, offline: bool = False
) -> "tuple[SshConnections, Path]":
    """Return the connections, not yet open, and the state folder. Raises UsageError, RecordError.

    `offline`: none will be opened, so that the private key need not be there.
    """
    from kthw_routes.ssh.connections import SshChoices, SshConnections
    from kthw_routes.ssh.known_hosts import HostKeyMode

    if not offline and settings.identity is not None and not settings.identity.expanduser().is_file():
        raise UsageError(f"There is no private key {clean_line(str(settings.identity))}.", "Name another with -i FILE.")
    state = settings.state or state_folder()
    choices = SshChoices(
        settings.ssh,
        host_keys=HostKeyMode(settings.host_keys or default_host_keys),
        silence=settings.timeout,
        rebuilt=frozenset(settings.rebuilt),
        personal=settings.personal,
    )
    return SshConnections(choices, state, asker), state
