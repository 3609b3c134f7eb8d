"""Where nodes come from. A source is asked once and answers with plain values."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kthw_routes.cluster import Cluster
from kthw_routes.events import Emit
from kthw_routes.findings.model import Finding
from kthw_routes.proof.cloud import CloudFirewall


@dataclass(frozen=True, slots=True)
class Discovery:
    """The answer of a source."""

    cluster: Cluster
    findings: tuple[Finding, ...] = ()
    """What the source itself reports (a token that may do too much, a pattern that nothing matches). What follows
    from the cluster is not here: `findings.of_cluster` and `regions.findings` say it, again after each correction."""
    others: int = 0
    """How many instances were found and ignored."""


class Source(Protocol):
    """Something that knows the nodes of a cluster."""

    @property
    def title(self) -> str:
        """What the header and the transcript call it, such as `Linode`."""

    def find(self, *, emit: Emit, cancel: threading.Event) -> Discovery:
        """Ask for the nodes; blocks, so call it off the interface's thread.

        Progress goes to `emit` as notes of `Step.FIND`.

        Raises:
            Cancelled: `cancel` was set; within 0.2 s, whatever is in flight.
            KthwRoutesError: it does not know; the sentence says why, the hint what to do.
        """


@runtime_checkable
class FirewallSource(Protocol):
    """A source that can also read the firewalls which the provider has in front of its nodes."""

    def firewalls(
        self, nodes: Collection[str], *, emit: Emit, cancel: threading.Event
    ) -> Mapping[str, tuple[CloudFirewall, ...]]:
        """Read those that are enabled, by node; a node whose firewalls could not be read is missing. Never raises."""
