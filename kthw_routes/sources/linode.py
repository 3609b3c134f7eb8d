"""The nodes of a Linode account. The only module that knows linode_api4."""

import threading
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final, Literal

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR
from kthw_routes.events import Emit
from kthw_routes.secret import Secret
from kthw_routes.sources.discovery import Discovery

DEFAULT_URL: Final = "https://api.linode.com/v4"

Via = Literal["private", "vlan"]
"""By which address the nodes reach each other: the private one, or that on a VLAN (one more request per worker)."""


class LinodeSource:
    """Finds the nodes in a Linode account, by their labels, tags and region."""

    title: Final = "Linode"

    def __init__(
        self,
        token: Secret,
        url: str = DEFAULT_URL,
        ca: Path | None = None,
        *,
        workers: str = "worker-*",
        controllers: str = "controller-*",
        tag: str | None = None,
        region: str | None = None,
        cluster_cidr: IPv4Network = DEFAULT_CLUSTER_CIDR,
        via: Via = "private",
    ) -> None:
        self._token = token
        self._url = url
        self._ca = ca
        self._workers = workers
        self._controllers = controllers
        self._tag = tag
        self._region = region
        self._cluster_cidr = cluster_cidr
        self._via = via

    def find(self, *, emit: Emit, cancel: threading.Event) -> Discovery:
        """Ask Linode for the nodes; see `Source.find`."""
        raise NotImplementedError
