"""One command under way: where it prints, the walk that does the work, how Ctrl-C ends it."""

import io
import json
import signal
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from kthw_routes.cli.output import MAX_HOSTS_WHOLE, Printer
from kthw_routes.cli.prompts import TerminalAsker
from kthw_routes.cli.standard_streams import limit_waits
from kthw_routes.cluster import Cluster
from kthw_routes.end_signals import end_signals
from kthw_routes.errors import Cancelled, ExitCode, UsageError
from kthw_routes.events import Emit, Event, EventKind, HostState, Phase
from kthw_routes.facts import HostFacts
from kthw_routes.findings import cluster as cluster_findings
from kthw_routes.findings import model as finding_model
from kthw_routes.options import Settings
from kthw_routes.plan.changes import Plan
from kthw_routes.proof.readings import Proof
from kthw_routes.record.json_facts import Json
from kthw_routes.record.json_plan import plan_document
from kthw_routes.sources import Source
from kthw_routes.workflow.connect import connect, nodes_source
from kthw_routes.workflow.results import Inspection, Report, Review, exit_code
from kthw_routes.workflow.workflow import Workflow

if TYPE_CHECKING:
    from kthw_routes.cli.display import HostDisplay

_BAD_ENDS: Final = frozenset({HostState.FAILED, HostState.NOT_CONFIRMED, HostState.SKIPPED})
_CHANGING: Final = frozenset({HostState.CHANGING})
"""The states of a host in which what is sent to it is printed as it is sent."""


class Stopped(UsageError):
    """A *stop* finding: nothing can run.

    Attributes:
        document: what `--json` says of it.
    """

    def __init__(self, sentence: str, hint: str, document: Json) -> None:
        super().__init__(sentence, hint)
        self.document = document


class RunningCommand:
    """One command under way: where it prints, and the walk that does the work."""

    def __init__(
        self,
        settings: Settings,
        *,
        as_json: bool,
        live: frozenset[Phase],
        quiet: bool = False,
        source: Source | None = None,
        offline: bool = False,
    ) -> None:
        """
        Args:
            settings: what was said on the command line.
            as_json: whether stdout is for one JSON document.
            live: the steps whose events are printed as they come.
            quiet: whether what is printed waits for `flush`.
            source: where the nodes come from, where that is not for the settings to say.
            offline: whether no host is contacted, so that nothing is needed to log in.
        """
        self.source, self.settings = (source, settings) if source is not None else nodes_source(settings)
        self.as_json = as_json
        self._held = io.StringIO() if quiet else None
        self.printer = Printer(self._held or (sys.stderr if as_json else sys.stdout), verbose=self.settings.verbose)
        self.progress = Printer(self._held or sys.stderr)
        self._live = live
        self.asker = TerminalAsker()
        self._display = self._make_display()
        self._is_large = False
        """Whether there are so many hosts that their commands are not printed."""
        if self.settings.ask_sudo_password and not offline and not self.asker.ask_sudo_password():
            raise UsageError("--ask-sudo-password needs a terminal to ask on, and an answer.")
        self.connections, state = connect(self.settings, self.asker, default_host_keys="accept-new", offline=offline)
        self.workflow = Workflow(self.connections, self.settings.options, state, self._emit())

    def _make_display(self) -> "HostDisplay | None":
        """Return what shows busy hosts on a terminal; None where plain lines are printed."""
        is_watched = sys.stdout.isatty() and self.progress.console.is_terminal
        if not is_watched or self.progress.console.is_dumb_terminal or self.settings.verbose or self._held is not None:
            return None
        from kthw_routes.cli.display import HostDisplay

        display = HostDisplay(self.progress.console)
        self.asker.around = display.suspended
        return display

    def _showing(self, title: str, hosts: Collection[str]) -> AbstractContextManager[None]:
        """Within it, busy hosts are shown where there is a terminal."""
        self._is_large = len(hosts) > MAX_HOSTS_WHOLE and not self.settings.verbose
        return self._display.showing(title, len(hosts)) if self._display is not None else nullcontext()

    def inspect(self, cluster: Cluster) -> Inspection:
        """Read every selected host; ends where somebody interrupted it."""
        with self._showing("Reading", [n.name for n in cluster.visited]):
            return self.workflow.inspect(cluster)

    def run(self, review: Review) -> Report:
        """Apply the plan."""
        with self._showing("Changing", [h.node for h in review.plan.hosts]):
            return self.workflow.run(review)

    def prove(self, inspection: Inspection, *, fresh: Mapping[str, HostFacts], as_carried: bool = False) -> Proof:
        """Test the traffic; see `Workflow.prove`."""
        with self._showing("Testing", list(inspection.facts)):
            return self.workflow.prove(inspection, fresh=fresh, as_carried=as_carried)

    def _emit(self) -> Emit:
        reading: set[str | None] = set()

        def emit(event: Event) -> None:
            if event.state is not None:
                (reading.discard if event.state in _CHANGING else reading.add)(event.host)
            # What is only read is in the transcript; here it would bury what is changed.
            is_read = event.kind in (EventKind.COMMAND, EventKind.OUTPUT) and event.host in reading
            # What concerns no single host (an agent that does not answer) would be printed nowhere else.
            is_for_all = event.step is Phase.CHECKS and event.kind is EventKind.NOTE and event.host is None
            if self._display is not None and self._display.is_shown and event.host is not None:
                self._display.take(event)
                if event.state not in _BAD_ENDS:
                    return
            is_detail = self._is_large and event.kind in (EventKind.COMMAND, EventKind.OUTPUT)
            if is_for_all or (event.step in self._live and not is_read and not is_detail):
                self.progress.event(event)

        return emit

    @contextmanager
    def running(self) -> Iterator[None]:
        """Stop softly at Ctrl-C (what is under way ends well), at once at the next; softly at SIGTERM and SIGHUP."""

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            if self.asker.is_asking:
                raise KeyboardInterrupt
            if self.workflow.stop.requested:
                self.workflow.stop.request(now=True)
            else:
                self.workflow.stop.request()
                self._say_at_once("Stopping: hosts that have begun are finished. Ctrl-C again ends them now.")

        def end(number: int) -> None:
            limit_waits()
            if self.asker.is_asking:
                raise KeyboardInterrupt
            self.workflow.stop.request()
            if number == signal.SIGTERM:  # after SIGHUP nobody reads it
                self._say_at_once("Stopping: hosts that have begun are finished.")

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            with end_signals(end):
                yield
        finally:
            signal.signal(signal.SIGINT, before)
            self.asker.restore_terminal()
            self.workflow.close()
            self.connections.close()

    def _say_at_once(self, text: str) -> None:
        if self._display is not None and self._display.is_shown:
            self._display.note = text
        else:
            self.progress.say_at_once(text)

    def review(self) -> Review:
        """Find, visit, compare; printed as far as people read along."""
        discovery = self.workflow.find(self.source)
        before = (*discovery.findings, *cluster_findings.before_visit(discovery.cluster))
        if stops := finding_model.stops(before):
            self.printer.nodes(discovery.cluster)
            self.printer.findings(before)
            document = plan_document(discovery.cluster, Plan(()), before)
            raise Stopped(f"Cannot continue: {stops[0].sentence}", stops[0].hint, document)
        inspection = self.inspect(discovery.cluster)
        self.check_stopped()
        review = self.workflow.review(inspection)
        review = replace(review, findings=(*discovery.findings, *review.findings))
        self.print_new_host_keys(inspection)
        self.printer.nodes(inspection.cluster)
        self.printer.say()
        self.printer.findings(review.findings)
        self.printer.plan(inspection.cluster, review.plan)
        if review.stops:
            document = plan_document(inspection.cluster, review.plan, review.findings)
            raise Stopped(f"Cannot continue: {review.stops[0].sentence}", review.stops[0].hint, document)
        return review

    def print_new_host_keys(self, inspection: Inspection) -> None:
        """Say which host keys were trusted at first sight, so that they can be compared."""
        for facts in inspection.facts.values():
            if (key := facts.host_key).is_new:
                self.progress.say(f"{facts.node}: new host key {key.type} {key.fingerprint}, accepted and remembered")

    def confirmed(self, review: Review) -> bool:
        """Return whether the person wants it, with the warnings before their eyes."""
        for warning in (f for f in review.findings if f.acknowledge):
            self.progress.say(f"▲ {warning.sentence}", "yellow")
        return self.asker.confirm("Apply these changes?")

    def print_proof(self, review: Review, proof: Proof) -> None:
        """Print the proof; and where traffic does not get through, the warnings once more."""
        self.printer.proof(proof)
        if proof.failed:
            self.printer.findings(f for f in review.findings if f.acknowledge)

    def finish(self, report: Report, proof: Proof | None) -> None:
        """Write the end of the transcript, and print why the record is not whole; what is done is done all the same."""
        self.workflow.finish(report, proof)
        record = self.workflow.record
        for sentence in (record.problem, record.transcript_problem) if record is not None else ():
            if sentence:
                self.progress.say(sentence, "yellow")
        if self.workflow.listener_problem:
            self.progress.say(f"Not all was shown. {self.workflow.listener_problem}", "yellow")

    def folder(self, report: Report) -> Path | None:
        """Return the run's folder, as far as there is one still."""
        record = self.workflow.record
        return None if record is not None and record.is_gone else report.folder

    def exit_code(self, report: Report, proof: Proof | None) -> ExitCode:
        """Return what to return after a run that `finish` ended."""
        if self.workflow.stop.requested:
            return ExitCode.INTERRUPTED
        if self.record_problem:
            return ExitCode.FAILED
        return exit_code(report.review.inspection, report, proof, drift=False)

    @property
    def record_problem(self) -> str | None:
        """Why the record of the run that was finished is not whole, as a sentence; None where it is."""
        return self.workflow.record.problem if self.workflow.record is not None else None

    def check_stopped(self) -> None:
        """Raise Cancelled after an interrupt."""
        if self.workflow.stop.requested:
            raise Cancelled("Interrupted. Nothing was changed.")

    @contextmanager
    def flush_on_error(self) -> Iterator[None]:
        """Print what was held back where the work ends in an error: it may say why."""
        try:
            yield
        except BaseException:
            self.flush()
            raise

    def flush(self) -> None:
        """Print what was held back, and go on aloud."""
        buffered, self._held = self._held, None
        if buffered is not None:
            stream = sys.stderr if self.as_json else sys.stdout
            stream.write(buffered.getvalue())
            self.printer, self.progress = Printer(stream, verbose=self.settings.verbose), Printer(sys.stderr)

    def document(self, document: Json) -> None:
        """Print the one JSON document on stdout."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, indent=2) + "\n")
