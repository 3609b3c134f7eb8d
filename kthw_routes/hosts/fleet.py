"""Many hosts at once: one daemon thread each while it has work, at most so many; a host's failure stops only that host.

The threads are our own daemons because quitting must never wait for a dead host.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from kthw_routes.errors import KthwRoutesError, OwnFault
from kthw_routes.ssh.session import Session

T = TypeVar("T")

_POLL: Final = 0.05
"""Seconds between two checks of the stop signal while hosts are at work."""


class Stop:
    """The person's wish to stop: first softly (start nothing new), then hard (end what runs)."""

    def __init__(self) -> None:
        self.soft: Final = threading.Event()
        self.hard: Final = threading.Event()

    def request(self, *, now: bool = False) -> None:
        """Ask for it; `now` ends what runs as well."""
        self.soft.set()
        if now:
            self.hard.set()

    @property
    def requested(self) -> bool:
        """Whether it was asked for, softly or hard."""
        return self.soft.is_set()


class TaskResult(Generic[T]):
    """What came of the work on one host: a value, an error, or neither where it never began (or never ended)."""

    __slots__ = ("error", "started", "value")

    def __init__(self) -> None:
        self.value: T | None = None
        self.error: KthwRoutesError | None = None
        self.started = False


class Fleet:
    """The sessions of one use of the program: a session per host, opened once and kept."""

    def __init__(self, sessions: Iterable[Session], *, parallel: int, stop: Stop | None = None) -> None:
        """Take the sessions; `parallel`: how many hosts are worked on at once, 1 or more."""
        self.sessions: Final[dict[str, Session]] = {s.node: s for s in sessions}
        self.stop = stop if stop is not None else Stop()
        self.parallel: Final = max(1, parallel)

    def each(
        self,
        work: Callable[[Session], T],
        nodes: Iterable[str] | None = None,
        *,
        even_when_stopping: bool = False,
    ) -> Mapping[str, TaskResult[T]]:
        """Do `work` on hosts side by side (all, unless some are named) and wait for all of them.

        A `KthwRoutesError` becomes that host's outcome, anything else that is raised an `OwnFault` there, SystemExit
        and MemoryError included: it ends that host's work and no other's. After a soft stop no host begins; after a
        hard one the waiting ends at once, and what still ran has an outcome with `started` and nothing else.
        """
        names = [n for n in (self.sessions if nodes is None else nodes) if n in self.sessions]
        outcomes: dict[str, TaskResult[T]] = {name: TaskResult() for name in names}
        jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
        finished: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name in names:
            jobs.put(name)

        def work_on_hosts() -> None:
            while True:
                try:
                    name = jobs.get_nowait()
                except queue.Empty:
                    return
                outcome = outcomes[name]
                try:
                    if even_when_stopping or not self.stop.requested:
                        outcome.started = True
                        outcome.value = work(self.sessions[name])
                except KthwRoutesError as error:
                    outcome.error = error
                except BaseException as error:  # whatever it is, the other hosts and the record go on
                    outcome.error = OwnFault(error)
                finally:
                    finished.put(name)

        threads, fault = _start(work_on_hosts, min(self.parallel, len(names)))
        for name in self._gather(names, finished, threads):
            outcomes[name].error = OwnFault(fault or RuntimeError("the thread of this host ended"))
        return outcomes

    def _gather(
        self, names: Sequence[str], finished: "queue.SimpleQueue[str]", threads: Sequence[threading.Thread]
    ) -> set[str]:
        """Wait for all hosts, or a hard stop. Returns the hosts that no thread works on any more."""
        missing = set(names)
        while missing:
            is_alive = any(thread.is_alive() for thread in threads)  # checked first: a thread's last word counts
            try:
                missing.discard(finished.get(timeout=_POLL if is_alive else 0))
            except queue.Empty:
                if self.stop.hard.is_set():
                    self.close()
                    return set()
                if not is_alive:
                    return missing
        return missing

    def close(self) -> None:
        """End every connection, and with it whatever runs on the hosts' ends. Never waits."""
        for session in self.sessions.values():
            session.close()


def _start(target: Callable[[], None], count: int) -> tuple[list[threading.Thread], BaseException | None]:
    """Start threads, as many as the system allows up to `count`; and why there are fewer, if so."""
    threads: list[threading.Thread] = []
    for number in range(count):
        thread = threading.Thread(target=target, name=f"host-{number}", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:  # no more threads: those that run do the work of all
            return threads, error
        threads.append(thread)
    return threads, None
