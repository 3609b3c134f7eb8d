"""What a person may choose beside the nodes themselves: one plain value under the wizard and the command line."""

from dataclasses import dataclass

from kthw_routes.plan import NOTHING_MARKED, Marked


@dataclass(frozen=True, slots=True)
class Options:
    """Choices that the steps render from."""

    only: frozenset[str] = frozenset()
    """Names of the hosts to visit; empty: all."""
    prune: bool = False
    """Whether routes of ours that lead to no worker listed are removed."""
    hosts_file: bool = True
    """Whether the controllers' /etc/hosts gets the workers' names."""
    probe: bool = True
    """Whether traffic is tested where that takes a probe address or a ping."""
    parallel: int = 32
    """How many hosts are worked on at once."""
    marked: Marked = NOTHING_MARKED
    """Foreign routes that the person marked for removal."""
