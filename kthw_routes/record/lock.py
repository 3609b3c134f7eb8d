"""One run per cluster at a time, from one machine."""

import fcntl
import hashlib
import os
import resource
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kthw_routes.errors import KthwRoutesError, RecordError
from kthw_routes.local_files import make_private
from kthw_routes.record.run import _PRIVATE_FILE

_MIN_LOCKS: Final = 64
"""So many nodes are locked at least: on macOS a process may have no more than 256 files by default."""
_OTHER_FILES: Final = 128
_CONNECTION_FILES: Final = 3
"""The files that a connection may hold: a socket, or the pipes of a ProxyCommand."""


def _count_locks(nodes: int) -> int:
    """Return how many nodes can be locked, in addition to a connection to each."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return nodes
    return max(_MIN_LOCKS, limit - _OTHER_FILES - _CONNECTION_FILES * nodes)


class AnotherRun(KthwRoutesError):
    """A run on the same cluster is under way from this machine."""


class ClusterLock:
    """One run per cluster at a time: a lock file per node below the state folder, let go when the process ends.

    Per node, so that two runs that see the cluster differently (one found a worker more) still exclude each other.
    """

    def __init__(self, state: Path, nodes: Iterable[str]) -> None:
        """`nodes`: a word for each node, such as its name and address; their order does not matter. Raises RecordError.

        Where that would take more files than the process may have, those are locked whose digests are lowest: two
        clusters that share most of their nodes have most of these in common too.
        """
        folder = make_private(make_private(state) / "locks")
        digests = sorted({hashlib.sha256(node.encode()).hexdigest()[:16] for node in nodes})
        self._paths = [folder / f"{digest}.lock" for digest in digests[: _count_locks(len(digests))]]
        self._held: list[int] = []

    def __enter__(self) -> Self:
        """Take them all. Raises AnotherRun, RecordError."""
        try:
            for path in self._paths:
                self._held.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE))
                fcntl.flock(self._held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._let_go()
            raise AnotherRun(
                "Another run on this cluster is under way from this machine.", "Wait for it to end, then try again."
            ) from error
        except OSError as error:
            self._let_go()
            raise RecordError(f"The lock {path} cannot be taken: {error.strerror}.") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let them go."""
        self._let_go()

    def _let_go(self) -> None:
        while self._held:
            os.close(self._held.pop())
