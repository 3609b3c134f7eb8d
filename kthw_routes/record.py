"""The run's folder: the plan, a journal that is on disk before each change, a transcript. Secrets never reach it.

`STATE/kthw-routes/runs/<UTC time>-<4 hex>/` (0700) with `plan.json`, `journal.jsonl` and `transcript.md` (0600).
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kthw_routes.errors import ExitCode, KthwRoutesError
from kthw_routes.events import Event, EventKind, now
from kthw_routes.local_file import read_start

_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
RUN_NAME: Final = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{4}")
"""The form of a run's name: the time in UTC, and four hex digits."""
MAX_JOURNAL_BYTES: Final = 1 << 30
"""The largest journal, which may hold an /etc/hosts of 64 MiB three times over; no record is written beyond it."""
MAX_PLAN_BYTES: Final = 1 << 26
MAX_SEQUENCE: Final = 10**15
_SEQUENCE: Final = re.compile(
    rb'"(?:begin|sequence)": (?P<number>[1-9][0-9]{0,15}),\s{1,20}"after": "(?P<after>[0-9TZa-f-]{0,30})"'
)
_START_BYTES: Final = 200
"""So much of a file holds the place of its run."""


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


@dataclass(frozen=True, slots=True)
class Place:
    """A run's place among the others, which no clock decides."""

    sequence: int
    """One more than that of any run before it."""
    after: str = ""
    """The newest by name of those runs without a place (of earlier versions) that were there when it began."""


def place_of(folder: Path) -> Place | None:
    """The place of the run in this folder, whatever else of its record can be read.

    None: none stands at the start of its journal or plan, as in records of earlier versions.
    """
    for name in ("journal.jsonl", "plan.json"):
        with suppress(OSError):
            start = read_start(folder / name, _START_BYTES)
            found = _SEQUENCE.search(start.partition(b"\n")[0] if name == "journal.jsonl" else start)
            if found and int(found["number"]) <= MAX_SEQUENCE:
                return Place(int(found["number"]), found["after"].decode("ascii"))
    return None


def _next_place(runs: Path) -> Place:
    """The place behind all runs that there are."""
    places = {path.name: place_of(path) for path in runs.iterdir() if not path.name.startswith(".")}
    last = max((p.sequence for p in places.values() if p), default=0)
    unnumbered = (name for name, place in places.items() if place is None and RUN_NAME.fullmatch(name))
    return Place(min(last + 1, MAX_SEQUENCE), max(unnumbered, default=""))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other run begin below this folder meanwhile."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Run:
    """One run's folder. Every method may be called from any thread; each raises RecordError where the disk fails."""

    def __init__(self, folder: Path, place: Place) -> None:
        self.folder: Final = folder
        self._place: Final = place
        self._lock = threading.Lock()
        try:
            self._journal = _open_private(folder / "journal.jsonl")
            self._transcript = _open_private(folder / "transcript.md")
        except OSError as error:
            raise RecordError(f"The run's folder {folder} cannot be written: {error.strerror}.") from error

    @classmethod
    def begin(cls, state: Path, at: datetime | None = None) -> Self:
        """Make the folder of a new run below `state`, named by the time (UTC) and four hex digits; it has its place.

        The folder gets its name when the place is on disk: one without it is none that was just begun.
        """
        stamp = (at or now()).strftime("%Y%m%dT%H%M%SZ")
        runs = make_private(make_private(state) / "runs")
        try:
            with _alone(runs):
                place = _next_place(runs)
                name = f"{stamp}-{_digits(runs, stamp)}"
                new = make_private(runs / f".{name}.new")
                run = cls(new, place)
                run.journal({"begin": place.sequence, "after": place.after})
                run.close()
                new.rename(runs / name)
        except OSError as error:
            raise RecordError(f"No run can begin below {runs}: {error.strerror}.", "Set XDG_STATE_HOME.") from error
        return cls(runs / name, place)

    @property
    def transcript(self) -> Path:
        """Where the transcript lies."""
        return self.folder / "transcript.md"

    def write_plan(self, document: Mapping[str, object]) -> None:
        """`plan.json`, whole."""
        try:
            handle = _open_private(self.folder / "plan.json")
            with os.fdopen(handle, "wb") as file:
                whole = {"sequence": self._place.sequence, "after": self._place.after, **document}
                file.write(json.dumps(whole, indent=2).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._failed(error) from error

    def journal(self, record: Mapping[str, object]) -> None:
        """One line of the journal; it is on disk when this returns."""
        line = json.dumps({"time": now().isoformat(), **record}).encode() + b"\n"
        try:
            with self._lock:
                if os.fstat(self._journal).st_size + len(line) > MAX_JOURNAL_BYTES:
                    raise RecordError(f"The journal in {self.folder} would grow beyond {MAX_JOURNAL_BYTES >> 20} MiB.")
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
