"""The last run: how it ended, its proof, the undo of it, and the end of its record. Knows nothing of screens."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from kthw_routes.cluster import Cluster
from kthw_routes.errors import ExitCode, KthwRoutesError, RecordError
from kthw_routes.proof.readings import Proof
from kthw_routes.record.history import read_runs
from kthw_routes.undo.plan import REFUSAL
from kthw_routes.wizard.text import summaries
from kthw_routes.workflow.results import Inspection, Report, Review, exit_code
from kthw_routes.workflow.workflow import Workflow


class LastRun:
    """What came of the last run; empty before the first and after `close`."""

    def __init__(self) -> None:
        self.report: Report | None = None
        self.proof: Proof | None = None
        self.undo_review: Review | None = None
        """The review that undoes the run before; None while no undo was begun."""
        self.refused: KthwRoutesError | None = None
        """Why the run could not begin; None where it did."""
        self.was_stopped = False
        """Whether the person stopped it."""
        self.record_problem: str | None = None
        """Why the record or the transcript is incomplete; None where both are complete."""
        self.is_unrecorded = False
        """Whether the record itself is incomplete, so that nothing can be undone."""
        self._is_finished = False
        self._ran: tuple[Workflow, Report] | None = None
        """How the run ended, set in its own thread: for an end in which the interface has no part."""
        self._finishing: Final = threading.Lock()

    @property
    def run_id(self) -> str | None:
        """The name of the run's folder; None where there is none."""
        return self.report.folder.name if self.report is not None and self.report.folder is not None else None

    @property
    def is_undo(self) -> bool:
        """Whether the run undoes another one."""
        return self.undo_review is not None

    def note_end(self, workflow: Workflow, report: Report) -> Report:
        """Keep how a run ended, from its own thread, before the interface hears of it."""
        self._ran = workflow, report
        return report

    def take_report(self, workflow: Workflow, report: Report, *, was_stopped: bool) -> None:
        """Take over how the run ended; an undo without unfinished hosts is finished by that."""
        self.refused, self.was_stopped = None, was_stopped
        self.report, self.proof, self._is_finished = report, None, False
        if self.is_undo and not report.unfinished:
            self.finish(workflow)

    def take_proof(self, workflow: Workflow, proof: Proof) -> None:
        """Take over the proof. The transcript is finished now, unless a retry may still have to write to it."""
        self.proof = proof
        if self.report is not None and not self.report.unfinished:
            self.finish(workflow)

    def finish(self, workflow: Workflow) -> None:
        """Write the end of the transcript, once per run."""
        if self.report is not None and not self._is_finished:
            self._is_finished = True
            self._write_end(workflow, self.report)

    def finish_noted(self) -> None:
        """Write the end of the transcript, from any thread, of the run whose end was noted last."""
        if self._ran is not None:
            self._write_end(*self._ran)

    def _write_end(self, workflow: Workflow, report: Report) -> None:
        with self._finishing:
            workflow.finish(report, self.proof)
        if (record := workflow.record) is not None:
            self.record_problem = " ".join(filter(None, (record.problem, record.transcript_problem))) or None
            self.is_unrecorded = bool(record.problem)

    def prepare_undo(self, workflow: Workflow, cluster: Cluster, state: Path) -> Review:
        """Read the hosts that the run changed, and compare. Blocks. Raises KthwRoutesError.

        Where nothing is left of the run, that is recorded at once: a later `undo` then chooses an older one.
        """
        runs = read_runs(state)
        past = runs.named(self.run_id or "")
        # All hosts are read: all are needed again where the answer is no. Only those that the run changed count here.
        read = workflow.inspect(cluster)
        troubles = {name: trouble for name, trouble in read.troubles.items() if name in past.hosts}
        review = workflow.review_undo(replace(read, cluster=past.to_visit, troubles=troubles), past, runs)
        if review.plan.is_empty and not (self.report is not None and self.report.unfinished):
            workflow.run(review)
        return review

    def keep_transcript(self, folder: Path) -> Path:
        """Copy the transcript into a folder. Returns the copy. Raises RecordError."""
        assert self.report is not None and self.report.folder is not None, "nothing was run"  # noqa: S101, PT018
        copy = folder / f"transcript-{self.report.folder.name}.md"
        try:
            copy.write_bytes((self.report.folder / "transcript.md").read_bytes())
        except OSError as error:
            raise RecordError(f"The transcript cannot be copied to {copy}: {error.strerror}.") from error
        return copy

    def clear(self) -> None:
        """Forget the run."""
        self.report = self.proof = self.undo_review = self.refused = None
        self.was_stopped = False

    def find_exit_code(self, inspection: Inspection | None) -> ExitCode:
        """Return what `apply` would; 0 where nothing was run or proved."""
        if self.report is None and self.refused is not None:
            return self.refused.exit_code
        if inspection is None or (self.report is None and self.proof is None):
            return ExitCode.DONE
        if self.was_stopped and self.report is not None and self.report.unfinished:
            return ExitCode.INTERRUPTED
        if self.is_unrecorded:
            return ExitCode.FAILED
        code = exit_code(inspection, self.report, self.proof, drift=False)
        refused = self.report is not None and any(f.code == REFUSAL for f in self.report.review.findings)
        return ExitCode.FAILED if refused and code is ExitCode.DONE else code

    def list_last_words(self, *, is_lab: bool) -> Iterator[str]:
        """Yield what to leave on the terminal: what is done and what is not."""
        if self.report is None or self.report.review.plan.is_empty:
            return
        yield from summaries.list_last_words(self.report, self.proof, is_lab=is_lab)
        if self.record_problem is not None:
            yield self.record_problem
