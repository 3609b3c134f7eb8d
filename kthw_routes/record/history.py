"""The runs so far, from their folders: what each changed, how it ended, whether it was undone.

A record that cannot be read is reported, and counts as one that changed something: it is never passed over in silence.
Their order is that of the numbers in their records, not of a clock.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kthw_routes import rollback
from kthw_routes.errors import UsageError
from kthw_routes.events import now
from kthw_routes.record.past_run import ENDED_WELL, Kind, PastRun, read_run
from kthw_routes.record.run import RUN_NAME
from kthw_routes.rollback import Rollback, RollbackState
from kthw_routes.sanitize import clean_line


class Runs(Sequence[PastRun]):
    """All runs, newest first, and which of them were undone."""

    def __init__(self, runs: Iterable[PastRun]) -> None:
        oldest_first = _in_order(_without_circles(list(runs)))
        self._runs = oldest_first[::-1]
        self._ages = {run.id: number for number, run in enumerate(oldest_first)}
        self._takers: dict[str, list[PastRun]] = {}
        """Run -> those that took it back, newest first."""
        for run in self._runs:
            if run.undoes:
                self._takers.setdefault(run.undoes, []).append(run)
        self._undone: dict[str, Mapping[str, str]] = {}
        for run in _takers_first(self._runs, self._takers):
            self._undone[run.id] = self._taken_back(run)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._runs)

    def __getitem__(self, index: Any) -> Any:
        """By number, the newest first."""
        return self._runs[index]

    def undone(self, run: PastRun) -> Mapping[str, str]:
        """Return Host -> the run that undid this one there, unless that was itself undone."""
        return self._undone.get(run.id, {})

    def _taken_back(self, run: PastRun) -> Mapping[str, str]:
        done: dict[str, str] = {}
        for other in self._takers.get(run.id, ()):
            redone, journal = self._undone[other.id], other.journal
            well = (
                h for h, s in journal.states.items() if s in ENDED_WELL and h not in redone and h not in journal.left
            )
            done |= {host: other.id for host in well if host not in done}
        return done

    def is_older(self, run: str, than: str) -> bool:
        """Return whether a run began before another. A run that is not among those that there are is older."""
        return self._ages.get(run, -1) < self._ages.get(than, -1)

    def is_undone(self, run: PastRun) -> bool:
        """Return whether all that it changed was undone."""
        return bool(run.hosts) and set(run.hosts) <= self.undone(run).keys()

    def outcome(self, run: PastRun) -> str:
        """Return how it ended and what became of it, in a few words."""
        if run.problem:
            return f"unreadable: {run.problem}"
        if not run.hosts:
            return "nothing was changed" if run.journal.is_closed else "broke off before anything was changed"
        undone = self.undone(run)
        if self.is_undone(run) and not any(r.hosts for r in self._runs if r.id in undone.values()):
            return "nothing left to undo"
        if self.is_undone(run):
            return f"undone by {', '.join(dict.fromkeys(undone[h] for h in run.hosts))}"
        words = "done"
        if not run.journal.is_closed:
            words = "interrupted"
        elif run.unfinished:
            words = f"not done on {', '.join(run.unfinished)}"
        partly = [h for h in run.hosts if h in undone]
        by_hosts = rollback.words({h: one for h, one in self.rollbacks(run).items() if h not in undone}, now())
        return "; ".join((words, *by_hosts, *([f"undone on {', '.join(partly)}"] if partly else ())))

    def rollbacks(self, run: PastRun) -> Mapping[str, Rollback]:
        """Return Host -> its automatic rollback of this run."""
        kept = {host for other in self._runs for host, off in other.journal.cancelled if off == run.id}
        rollbacks = run.journal.rollbacks.items()
        return {
            h: replace(one, rollback=RollbackState.CONFIRMED)
            if h in kept and one.rollback is RollbackState.PENDING
            else one
            for h, one in rollbacks
        }

    def newest(self, before: PastRun | None = None) -> PastRun | None:
        """Return what `undo` comes to where no run is named: the newest that changed something and is not undone.

        One that cannot be read may be such a run, so it is the one then.

        `before`: only older ones than this.
        """
        older = (r for r in self._runs if before is None or self.is_older(r.id, before.id))
        return next((r for r in older if self._may_be_next(r)), None)

    def _may_be_next(self, run: PastRun) -> bool:
        if run.problem:
            return run.is_run
        return run.kind is Kind.APPLY and bool(run.hosts) and not self.is_undone(run)

    def unread_after(self, run: PastRun) -> tuple[PastRun, ...]:
        """Return the later runs that cannot be read, newest first: what they changed is not known."""
        return tuple(r for r in self._runs if r.problem and r.is_run and self.is_older(run.id, r.id))

    def named(self, word: str) -> PastRun:
        """Return the run of this name, or whose name begins or ends so. Raises UsageError unless there is just one."""
        found = [r for r in self._runs if r.id == word] or [
            r for r in self._runs if word and (r.id.startswith(word) or r.id.endswith(word))
        ]
        if not found:
            raise UsageError(f"There is no run {clean_line(word)}.", "`kthw-routes runs` lists them.")
        if len(found) > 1:
            raise UsageError(f"Several runs are named so: {', '.join(r.id for r in found)}.", "Name one of them.")
        return found[0]

    def later_rows(self, run: PastRun) -> Mapping[tuple[str, str], str]:
        """Return (host, row) -> the newest later run that was about it and was not undone."""
        rows: dict[tuple[str, str], str] = {}
        for other in self._runs:
            # An undo of this run or a later one is no news: together with what it undid it comes to nothing.
            if self.is_older(run.id, other.id) and (not other.undoes or self.is_older(other.undoes, run.id)):
                undone = self.undone(other)
                rows |= {row: other.id for row in other.rows if row not in rows and row[0] not in undone}
        return rows


def read_runs(state: Path) -> Runs:
    """Return every run below the state folder. Raises UsageError where it cannot be read."""
    return runs_in(state / "runs")


def runs_in(folder: Path) -> Runs:
    """Return every run whose folder lies in this one. Raises UsageError where it cannot be read."""
    return Runs(_folders(folder))


def _folders(folder: Path) -> Iterator[PastRun]:
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"The folder {clean_line(str(folder))} cannot be read: {error.strerror}.") from error
    for entry in entries:
        if entry.is_dir() or RUN_NAME.fullmatch(entry.name):
            yield read_run(Path(entry.path))


# --- their order ------------------------------------------------------------------------------------------------


def _in_order(runs: Sequence[PastRun]) -> list[PastRun]:
    """Oldest first: by their numbers.

    Those of earlier versions have none: they are in the order of their names, each before the first run that found
    it there when it began.
    """
    placed = ((r.place, r.started is not None, r.id, r) for r in runs if r.place)
    numbered = sorted(placed, key=lambda one: (one[0].sequence, *one[1:3]))
    others = sorted((r for r in runs if r.place is None), key=lambda r: r.id, reverse=True)
    order: list[PastRun] = []
    for place, _, _, run in numbered:
        while others and others[-1].id <= place.after:
            order.append(others.pop())
        order.append(run)
    return [*order, *reversed(others)]


def _without_circles(runs: Sequence[PastRun]) -> list[PastRun]:
    """Return the runs; where some are said to undo one another in a circle, with that as their problem."""
    undoes = {run.id: run.undoes for run in runs if run.undoes}
    settled: set[str] = set()
    circular: set[str] = set()
    for run in runs:
        way: dict[str, int] = {}
        at = run.id
        while at in undoes and at not in settled and at not in way:
            way[at] = len(way)
            at = undoes[at]
        if at in way:
            circular |= {name for name, number in way.items() if number >= way[at]}
        settled |= way.keys()
    return [_circular(run) if run.id in circular else run for run in runs]


def _circular(run: PastRun) -> PastRun:
    what = "itself" if run.undoes == run.id else f"run {run.undoes}, which undoes it in turn"
    problem = f"its plan says that it undoes {what}"
    return PastRun(run.id, run.folder, run.started, problem=problem, place=run.place)


def _takers_first(runs: Sequence[PastRun], takers: Mapping[str, Sequence[PastRun]]) -> list[PastRun]:
    """Return the runs, each behind all of those that took it back. There are no circles among them."""
    named = {run.id for run in runs}
    order = [run for run in runs if run.undoes not in named]
    for run in order:  # which grows meanwhile
        order += takers.get(run.id, ())
    return order[::-1]
