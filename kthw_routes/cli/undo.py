"""undo and runs: what was done so far, and its undo."""

import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kthw_routes.cli.command import RunningCommand
from kthw_routes.cli.output import Printer
from kthw_routes.cluster import Cluster
from kthw_routes.errors import ExitCode, UsageError
from kthw_routes.events import Emit, Phase
from kthw_routes.local_files import state_folder
from kthw_routes.node_names import shortened
from kthw_routes.options import Settings
from kthw_routes.plan.changes import Plan
from kthw_routes.record.documents import HostOfRun, RunDocument
from kthw_routes.record.history import Runs, read_runs, runs_in
from kthw_routes.record.json_facts import Json
from kthw_routes.record.json_plan import VERSION, outcome_json, plan_document
from kthw_routes.record.past_run import Kind, PastRun
from kthw_routes.rollback import Rollback
from kthw_routes.sanitize import clean_line
from kthw_routes.sources import Discovery
from kthw_routes.undo.plan import REFUSAL
from kthw_routes.words import undo_summary, undo_verdict
from kthw_routes.workflow.results import Report, Review

_RUN_ID: Final = re.compile(r"\b\d{8}T\d{6}Z-([0-9a-f]{4})\b")
NOTHING: Final = "Nothing to undo"


class NodesOfRun:
    """The nodes of a past run, as its record has them. Only the hosts that it was about are visited."""

    def __init__(self, run: PastRun) -> None:
        self._run = run

    @property
    def title(self) -> str:
        """Where the nodes came from then."""
        return self._run.source

    def find(self, *, emit: Emit, cancel: threading.Event) -> Discovery:  # noqa: ARG002 - nothing is asked
        """Return the nodes; nothing is contacted for it."""
        return Discovery(self._run.to_visit)


def settings_of(settings: Settings, run: PastRun) -> Settings:
    """Return the settings, with the run's own SSH options where the command line names no others. Raises UsageError."""
    reached = settings.with_ssh(run.ssh)
    config = reached.ssh_config
    if config is not None and not (config.is_file() or config.resolve() == Path(os.devnull)):
        raise UsageError(
            f"The SSH configuration {clean_line(str(config))}, by which run {run.id} reached the hosts, "
            "is no longer there.",
            "Name another with -F FILE, or `-F none`.",
        )
    return reached


def chosen(runs: Runs, word: str | None) -> PastRun | None:
    """Return the run that `word` names: a run's folder, its name, or the beginning or end of that; else the newest.

    None where no run is named and there is none to undo. Raises UsageError, also where the newest cannot be read.
    """
    run = runs.newest() if word is None else runs.named(_folder(word).name if _is_path(word) else word)
    if run is None or not run.problem:
        return run
    transcript = run.folder / "transcript.md"
    hints = [f"Its transcript may have the commands: {clean_line(str(transcript))}"] if transcript.is_file() else []
    if word is not None:
        raise UsageError(f"Run {run.id} cannot be undone: {run.problem}.", "\n".join(hints))
    older = _before(runs, run)
    name = f"`kthw-routes undo {older.id}` undoes the one before it" if older else "`kthw-routes undo RUN` names it"
    hints.insert(0, f"If another run is meant: {name}; `kthw-routes runs` lists them.")
    raise UsageError(
        f"The newest run that may have to be undone, {run.id}, cannot be read, so nothing is undone: {run.problem}.",
        "\n".join(hints),
    )


def _before(runs: Runs, run: PastRun | None) -> PastRun | None:
    """Return the newest run before this one that can be undone."""
    while run is not None:
        run = runs.newest(before=run)
        if run is not None and not run.problem:
            break
    return run


def _is_path(word: str) -> bool:
    return "/" in word


def _folder(word: str) -> Path:
    return Path(word).expanduser().absolute()


def undo(settings: Settings, word: str | None, *, as_json: bool, yes: bool) -> ExitCode:
    """Undo what a run changed."""
    runs = runs_in(_folder(word).parent) if word and _is_path(word) else read_runs(settings.state or state_folder())
    run = chosen(runs, word)
    if run is None or not run.hosts:
        what = (
            "there is no run that changed anything and was not undone" if run is None else f"run {run.id} did nothing"
        )
        Printer(sys.stderr if as_json else sys.stdout).say(f"{NOTHING}: {what}.")
        document = plan_document(Cluster(()), Plan(()), ())
        _print_json({**document, "undoes": run.id if run else None, "outcomes": [], "run": None}, as_json)
        return ExitCode.DONE
    command = RunningCommand(
        settings_of(settings, run), as_json=as_json, live=frozenset({Phase.RUN}), source=NodesOfRun(run)
    )
    with command.running():
        review = _review(command, run, runs)
        if not review.plan.is_empty and not yes and not command.asker.confirm("Undo it?"):
            command.printer.say("Nothing was changed.")
            return ExitCode.DONE
        report = command.run(review)
        try:
            if not review.plan.is_empty or report.unfinished:
                command.printer.report(report)
        finally:
            command.finish(report, None)
        _print_end(command, report)
        if review.plan.is_empty and word is None:
            _print_older(command.printer, run, read_runs(settings.state or state_folder()))
        document = plan_document(review.inspection.cluster, review.plan, review.findings, is_undo=True)
        outcomes = [outcome_json(o) for o in report.outcomes.values()]
        folder = str(made) if (made := command.folder(report)) else None
        problem = command.record_problem
        command.document({**document, "undoes": run.id, "outcomes": outcomes, "run": folder, "record_problem": problem})
        code = command.exit_code(report, None)
        if code is ExitCode.DONE and any(finding.code == REFUSAL for finding in review.findings):
            code = ExitCode.FAILED
        command.printer.verdict(undo_verdict(report), is_good=code is ExitCode.DONE)
        return code


def _review(command: RunningCommand, run: PastRun, runs: Runs) -> Review:
    """Visit the run's hosts and compare; printed as far as people read along."""
    cluster = command.workflow.find(NodesOfRun(run)).cluster
    command.printer.say(f"Undoing run {run.id} ({_when(run)}): {runs.outcome(run)}", "bold")
    command.printer.say(f"It was about {cluster_words(run)}: {hosts_words(run.hosts)}.")
    for other in runs.unread_after(run):
        command.printer.say(f"What the later run {other.id} changed is not known: {other.problem}.", "yellow")
    if not cluster.visited:
        raise UsageError(f"Run {run.id} changed nothing there.", f"It was about {', '.join(run.hosts)}.")
    inspection = command.inspect(cluster)
    command.check_stopped()
    review = command.workflow.review_undo(inspection, run, runs)
    command.printer.findings(review.findings)
    command.printer.hosts(review.inspection.cluster, review.plan)
    if not review.plan.is_empty:
        command.printer.verdict(undo_summary(review), is_good=True)
    return review


def _print_end(command: RunningCommand, report: Report) -> None:
    printer, folder = command.printer, command.folder(report)
    if rest := shortened({*report.unfinished, *report.review.inspection.troubles}):
        printer.say()
        printer.say(f"For the rest ({rest}), once it can be reached: kthw-routes undo {report.review.undoes}")
    if folder is None:
        return
    printer.say()
    printer.say(f"To undo this in turn: kthw-routes undo {folder.name}")
    printer.say(f"Transcript: {folder / 'transcript.md'}")


def _print_older(printer: Printer, run: PastRun, runs: Runs) -> None:
    """Print which run comes next where this one had nothing left."""
    older = _before(runs, run)
    if older is not None:
        name = f" {older.id}" if runs.newest() is not older else ""
        printer.say(f"The run before it that was not undone: {older.id} ({_when(older)}): kthw-routes undo{name}")


def _print_json(document: Json, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")


# --- runs -------------------------------------------------------------------------------------------------------


def list_runs(settings: Settings, *, as_json: bool) -> ExitCode:
    """Print the runs so far."""
    runs = read_runs(settings.state or state_folder())
    if as_json:
        _print_json({"version": VERSION, "runs": [run_json(r, runs) for r in runs]}, as_json)
        return ExitCode.DONE
    printer = Printer(sys.stdout)
    if not runs:
        printer.say("There are no runs yet.")
        return ExitCode.DONE
    printer.table(("when", "run", "", "cluster", "hosts", "changes", "outcome"), _rows(runs))
    return ExitCode.DONE


def _rows(runs: Runs) -> Iterator[tuple[str, ...]]:
    for run in runs:
        kind = f"undo of {_short(run.undoes)}" if run.undoes else str(run.kind)
        about = cluster_words(run), hosts_words(run.hosts)
        outcome = runs.outcome(run)
        yield _when(run), run.id, kind, *about, str(len(run.rows)), outcome if run.problem else _short(outcome)


def _short(text: str) -> str:
    """Return the names of runs in a text, by their ends, which are enough to name them."""
    return _RUN_ID.sub(r"\1", text)


def cluster_words(run: PastRun) -> str:
    """Return which cluster a run was about: where its nodes came from, and their regions."""
    regions = dict.fromkeys(n.region for n in run.cluster.workers if n.region)
    return ", ".join(clean_line(word) for word in (run.source, *regions) if word) or "–"


def hosts_words(hosts: tuple[str, ...]) -> str:
    """Return the hosts of a run in a cell, by name."""
    return shortened(hosts) or "–"


def run_json(run: PastRun, runs: Runs) -> RunDocument:
    """Return one run, for programs."""
    undone, rollbacks = runs.undone(run), runs.rollbacks(run)
    return {
        "id": run.id,
        "folder": str(run.folder),
        "sequence": run.place.sequence if run.place else None,
        "started": run.started.isoformat() if run.started else None,
        "kind": "undo" if run.kind is Kind.UNDO else "apply",
        "undoes": run.undoes or None,
        "source": run.source or None,
        "hosts": [
            _host_json(h, run.journal.states.get(h), undone.get(h), rollbacks.get(h))
            for h in dict.fromkeys((*run.hosts, *run.journal.states))
        ],
        "changes": len(run.rows),
        "ended": run.journal.is_closed,
        "undone": runs.is_undone(run),
        "outcome": runs.outcome(run),
        "problem": run.problem,
    }


def _host_json(host: str, state: str | None, undone_by: str | None, rollback: Rollback | None) -> HostOfRun:
    """Return what became of one host in a run, and when it rolls back automatically."""
    at = rollback.fires_at if rollback else None
    return {
        "host": host,
        "state": state,
        "undone_by": undone_by,
        "by_itself": rollback.rollback if rollback else None,
        "fires_at": at.isoformat() if at else None,
    }


def _when(run: PastRun) -> str:
    return f"{run.started.astimezone():%Y-%m-%d %H:%M:%S}" if run.started else "–"
