"""Where nodes come from. A source is asked once and answers with plain values."""

import threading
from typing import Protocol

from kthw_routes.events import Emit
from kthw_routes.sources.discovery import Discovery

__all__ = ["Discovery", "Source"]


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
