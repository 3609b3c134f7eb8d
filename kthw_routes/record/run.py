"""The run's folder: the plan, a journal that is on disk before each change, a transcript. Secrets never reach it.

`STATE/kthw-routes/runs/<UTC time>-<4 hex>/` (0700) with `plan.json`, `journal.jsonl` and `transcript.md` (0600).
"""

import errno
import fcntl
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
from typing import Final, Self

from kthw_routes.errors import RecordError
from kthw_routes.events import Event, EventKind, now
from kthw_routes.local_files import make_private, read_start
from kthw_routes.record.json_values import MAX_VALUES, holds_too_many

_PRIVATE_FILE: Final = 0o600
_PLAN: Final = "plan.json"
_JOURNAL: Final = "journal.jsonl"
_TRANSCRIPT: Final = "transcript.md"
RUN_NAME: Final = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{4}")
"""The form of a run's name: the time in UTC, and four hex digits."""
MAX_JOURNAL_BYTES: Final = 1 << 30
"""The largest journal, which may hold an /etc/hosts of 64 MiB three times over; no record is written beyond it."""
MAX_PLAN_BYTES: Final = 1 << 26
"""The largest plan.json, which has some 350 bytes a node; no larger one is written."""
MAX_SEQUENCE: Final = 10**15
_SEQUENCE: Final = re.compile(
    rb'"(?:begin|sequence)": (?P<number>[1-9][0-9]{0,15}),\s{1,20}"after": "(?P<after>[0-9TZa-f-]{0,30})"'
)
_START_BYTES: Final = 200
"""So much of a file holds the place of its run."""


def _digits(runs: Path, stamp: str) -> str:
    """Four hex digits for a run's name: of two runs that begin within a second, the later one sorts behind."""
    taken = (int(path.name[-4:], 16) for path in runs.glob(f"{stamp}-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]"))
    first = max(taken, default=-1) + 1
    return f"{first + secrets.randbelow(max(1, min(0x1000, 0x10000 - first))):04x}"


def _open_private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _PRIVATE_FILE)


def _check_size(what: str, data: bytes, size: int, max_bytes: int) -> None:
    """Raise OSError where a file of this size, or one text of JSON in it, is more than an undo reads."""
    if size > max_bytes:
        raise OSError(errno.EFBIG, f"{what} would grow beyond {max_bytes >> 20} MiB")
    if holds_too_many(data):
        raise OSError(errno.EFBIG, f"{what} would hold more than {MAX_VALUES} values in one text")


@dataclass(frozen=True, slots=True)
class Place:
    """A run's place among the others, which no clock decides."""

    sequence: int
    """One more than that of any run before it."""
    after: str = ""
    """The newest by name of those runs without a place (of earlier versions) that were there when it began."""


def place_of(folder: Path) -> Place | None:
    """Return the place of the run in this folder, whatever else of its record can be read.

    None: none is at the start of its journal or plan, as in records of earlier versions.
    """
    for name in (_JOURNAL, _PLAN):
        with suppress(OSError):
            start = read_start(folder / name, _START_BYTES)
            found = _SEQUENCE.search(start.partition(b"\n")[0] if name == _JOURNAL else start)
            if found and int(found["number"]) <= MAX_SEQUENCE:
                return Place(int(found["number"]), found["after"].decode("ascii"))
    return None


def _next_place(runs: Path) -> Place:
    """Return the place behind all runs that there are."""
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
    """One run's folder. Every method may be called from any thread.

    Attributes:
        folder: where it is.
        problem: why the record of what was done is not whole, as a sentence; None while it is.
        is_gone: whether the folder, or a file that an undo needs, is not there any more.
    """

    def __init__(self, folder: Path, place: Place) -> None:
        """Raises RecordError."""
        self.folder: Final = folder
        self._place: Final = place
        self.problem: str | None = None
        self.is_gone = False
        self._lock = threading.Lock()
        self._has_plan = False
        self._lost = 0
        self._lost_because = ""
        try:
            self._journal = _Lines(folder / _JOURNAL)
            self._transcript = _Lines(folder / _TRANSCRIPT)
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
        return self.folder / _TRANSCRIPT

    @property
    def transcript_problem(self) -> str | None:
        """Why the transcript is not whole, as a sentence; None while it is. No work ends because of it."""
        parts = "1 part" if self._lost == 1 else f"{self._lost} parts"
        return f"The transcript lacks {parts} that could not be written: {self._lost_because}." if self._lost else None

    def write_plan(self, document: Mapping[str, object]) -> None:
        """Write `plan.json`, whole. Raises RecordError, also where it is more than an undo reads."""
        whole = {"sequence": self._place.sequence, "after": self._place.after, **document}
        data = json.dumps(whole, indent=2).encode() + b"\n"
        try:
            _check_size("the plan", data, len(data), MAX_PLAN_BYTES)
            handle = _open_private(self.folder / _PLAN)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._failed(error) from error
        self._has_plan = True

    def journal(self, record: Mapping[str, object]) -> None:
        """Write one line of the journal; it is on disk when this returns, in the run's folder.

        Raises RecordError, also where it is more than an undo reads; then it is not there, not even in part.
        """
        line = json.dumps({"time": now().isoformat(), **record}).encode() + b"\n"
        with self._lock:
            try:
                _check_size("the journal", line, self._journal.size + len(line), MAX_JOURNAL_BYTES)
                self._journal.append(line)
                self._journal.bring_to_disk()
                self._check_place()
            except OSError as error:
                failure = self._failed(error)
                self.problem = self.problem or failure.sentence
                raise failure from error

    def note(self, record: Mapping[str, object]) -> bool:
        """Write a line of the journal on what is done already. Return False where that fails; see `problem`."""
        try:
            self.journal(record)
        except RecordError:
            return False
        return True

    def log(self, event: Event) -> None:
        """Write an event as a line of the transcript's log. Indented, so that no host's text becomes Markdown.

        Never raises, as `write` does not: what cannot be written is counted.
        """
        mark = {EventKind.COMMAND: "$ ", EventKind.ERROR: "! ", EventKind.STATE: "· "}.get(event.kind, "")
        clock = event.time.strftime("%H:%M:%S")
        self._write(f"    {clock}  {event.host or 'run'}  {mark}{event.text}\n")

    def write(self, lines: Iterable[str]) -> None:
        """Write Markdown lines of ours."""
        self._write("".join(f"{line}\n" for line in lines))

    def _write(self, text: str) -> None:
        with self._lock:
            try:
                self._transcript.append(text.encode("utf-8", "replace"))
            except OSError as error:
                self._lost += 1
                self._lost_because = self._lost_because or str(error.strerror)

    def _check_place(self) -> None:
        """Raise OSError where what an undo needs is not in the run's folder any more; writing to it still succeeds."""
        self._journal.check_place()
        if self._has_plan:
            os.stat(self.folder / _PLAN)

    def _failed(self, error: OSError) -> RecordError:
        if isinstance(error, FileNotFoundError):
            self.is_gone = True
            return RecordError(f"The run's folder {self.folder} was removed or replaced while the run was under way.")
        return RecordError(f"The run's folder {self.folder} cannot be written: {error.strerror}.")

    def close(self) -> None:
        """Bring all to disk and close the files. A host that ends later still finds them closed, not another's.

        What fails is in `problem`, also that the folder was removed.
        """
        with self._lock:
            try:
                self._check_place()
                self._transcript.check_place()
            except OSError as error:
                self.problem = self.problem or self._failed(error).sentence
            for lines in (self._journal, self._transcript):
                lines.close()


class _Lines:
    """A private file to which whole lines are appended. Every method but `close` raises OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = _open_private(path)
        self.size = os.fstat(self._handle).st_size
        """In bytes, of whole lines."""

    def append(self, data: bytes) -> None:
        """Append all of `data`, or nothing."""
        self._cut()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError:
            with suppress(OSError):  # it is tried again before the next line
                self._cut()
            raise
        self.size += len(data)

    def bring_to_disk(self) -> None:
        """Wait until what was appended is on disk."""
        os.fsync(self._handle)

    def check_place(self) -> None:
        """Check that the file is still where it was made; else what is appended is lost, though no write fails."""
        if not os.path.samestat(os.stat(self._path), os.fstat(self._handle)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def close(self) -> None:
        """Bring all to disk, as far as that goes, and close the file. Never raises."""
        handle, self._handle = self._handle, -1
        for end in (os.fsync, os.close):
            with suppress(OSError):
                end(handle)

    def _cut(self) -> None:
        """Take away a part of a line that a failed write left: it would spoil the next one too."""
        if os.fstat(self._handle).st_size > self.size:
            os.ftruncate(self._handle, self.size)
