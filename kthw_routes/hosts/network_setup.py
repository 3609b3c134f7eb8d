"""Reading how a host's network is configured, and the files of ours that stand there. Nothing is changed."""

from collections.abc import Collection

from kthw_routes.hosts.visit import Visit
from kthw_routes.observed import NetworkSetup


def read(visit: Visit, devices: Collection[str]) -> NetworkSetup:
    """Who rules these interfaces, which files of ours there are, whether cloud-init writes /etc/hosts.

    Raises what `Session.run` raises.
    """
    return NetworkSetup()
