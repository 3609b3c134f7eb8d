"""The run's folder: the plan, a journal that is on disk before each change, a transcript. Secrets never reach it.

`STATE/kthw-routes/runs/<UTC time>-<4 hex>/` (0700) with `plan.json`, `journal.jsonl` and `transcript.md` (0600).
"""

import fcntl
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kthw_routes.errors import ExitCode, KthwRoutesError
from kthw_routes.events import Event, EventKind, now

_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600


class RecordError(KthwRoutesError):
    """The run's folder cannot be written; nothing is changed on any host without it."""

    exit_code = ExitCode.USAGE


class AnotherRun(KthwRoutesError):
    """A run on the same cluster is under way from this machine."""


def state_folder() -> Path:
    """`$XDG_STATE_HOME/kthw-routes`, by default `~/.local/state/kthw-routes`, on macOS too. Not created here."""
    from platformdirs.unix import Unix

    return Unix("kthw-routes").user_state_path


def make_private(folder: Path) -> Path:
    """`folder`, made with mode 0700 where it is missing. Raises RecordError."""
    try:
        folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        folder.chmod(_PRIVATE_FOLDER)
    except OSError as error:
        raise RecordError(f"The folder {folder} cannot be made: {error.strerror}.", "Set XDG_STATE_HOME.") from error
    return folder


def _digits(runs: Path, stamp: str) -> str:
    """Four hex digits for a run's name: of two runs that begin within a second, the later one sorts behind."""
    taken = (int(path.name[-4:], 16) for path in runs.glob(f"{stamp}-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]"))
    first = max(taken, default=-1) + 1
    return f"{first + secrets.randbelow(max(1, min(0x1000, 0x10000 - first))):04x}"


def _open_private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _PRIVATE_FILE)


class Run:
    """One run's folder. Every method may be called from any thread; each raises RecordError where the disk fails."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self._lock = threading.Lock()
        try:
            self._journal = _open_private(folder / "journal.jsonl")
            self._transcript = _open_private(folder / "transcript.md")
        except OSError as error:
            raise RecordError(f"The run's folder {folder} cannot be written: {error.strerror}.") from error

    @classmethod
    def begin(cls, state: Path, at: datetime | None = None) -> Self:
        """Make the folder of a new run below `state`, named by the time (UTC) and four hex digits."""
        stamp = (at or now()).strftime("%Y%m%dT%H%M%SZ")
        runs = make_private(make_private(state) / "runs")
        return cls(make_private(runs / f"{stamp}-{_digits(runs, stamp)}"))

    @property
    def transcript(self) -> Path:
        """Where the transcript lies."""
        return self.folder / "transcript.md"

    def write_plan(self, document: Mapping[str, object]) -> None:
        """`plan.json`, whole."""
        try:
            handle = _open_private(self.folder / "plan.json")
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(document, indent=2).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._failed(error) from error

    def journal(self, record: Mapping[str, object]) -> None:
        """One line of the journal; it is on disk when this returns."""
        line = json.dumps({"time": now().isoformat(), **record}).encode() + b"\n"
        try:
            with self._lock:
                _write_all(self._journal, line)
                os.fsync(self._journal)
        except OSError as error:
            raise self._failed(error) from error

    def tell(self, event: Event) -> None:
        """An event, as a line of the transcript's log. Indented, so that no host's text becomes Markdown."""
        mark = {EventKind.COMMAND: "$ ", EventKind.ERROR: "! ", EventKind.STATE: "· "}.get(event.kind, "")
        clock = event.time.strftime("%H:%M:%S")
        self._write(f"    {clock}  {event.host or 'run'}  {mark}{event.text}\n")

    def write(self, lines: Iterable[str]) -> None:
        """Markdown lines of ours."""
        self._write("".join(f"{line}\n" for line in lines))

    def _write(self, text: str) -> None:
        try:
            with self._lock:
                _write_all(self._transcript, text.encode("utf-8", "replace"))
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> RecordError:
        return RecordError(f"The run's folder {self.folder} cannot be written: {error.strerror}.")

    def close(self) -> None:
        """Bring all to disk and close the files. A host that ends later still finds them closed, not another's."""
        with self._lock:
            handles, self._journal, self._transcript = (self._journal, self._transcript), -1, -1
            for handle in handles:
                if handle >= 0:
                    os.fsync(handle)
                    os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


class ClusterLock:
    """One run per cluster at a time: a lock file per node below the state folder, let go when the process ends.

    Per node, so that two runs that see the cluster differently (one found a worker more) still exclude each other.
    """

    _MOST: Final = 64
    """So many nodes are locked, by name; in a larger cluster these stand for all."""

    def __init__(self, state: Path, nodes: Iterable[str]) -> None:
        """`nodes`: a word for each node, such as its name and address; their order is no matter. Raises RecordError."""
        folder = make_private(make_private(state) / "locks")
        digests = (hashlib.sha256(node.encode()).hexdigest()[:16] for node in sorted(nodes)[: self._MOST])
        self._paths = [folder / f"{digest}.lock" for digest in digests]
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
