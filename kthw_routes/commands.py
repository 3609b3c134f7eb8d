"""plan, apply, check, and the walk in plain lines: the steps of `workflow`, printed. No logic of their own."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

from kthw_routes import findings as cluster_findings
from kthw_routes.connecting import connect, linode_source
from kthw_routes.documents import Json, outcome_json, plan_document, proof_json
from kthw_routes.errors import Cancelled, ExitCode, KthwRoutesError, UsageError
from kthw_routes.events import Emit, Event, Step
from kthw_routes.output import Printer
from kthw_routes.plan import Plan
from kthw_routes.proof import Proof
from kthw_routes.results import Report, Review, exit_code
from kthw_routes.settings import Settings
from kthw_routes.terminal import TerminalAsker
from kthw_routes.wording import NEXT_LAB, REBOOT, summary, ways_back
from kthw_routes.workflow import Walk


class Stopped(UsageError):
    """A *stop* finding: nothing can run.

    Attributes:
        document: what `--json` says of it.
    """

    def __init__(self, sentence: str, hint: str, document: Json) -> None:
        super().__init__(sentence, hint)
        self.document = document


class _Command:
    """One command under way: where it prints, and the walk that does the work."""

    def __init__(self, settings: Settings, *, as_json: bool, live: frozenset[Step]) -> None:
        self.settings = settings
        self.as_json = as_json
        self.printer = Printer(sys.stderr if as_json else sys.stdout)
        self.progress = Printer(sys.stderr)
        self._live = live
        self.asker = TerminalAsker()
        if settings.ask_sudo_password and not self.asker.ask_sudo_password():
            raise UsageError("--ask-sudo-password needs a terminal to ask on, and an answer.")
        self.connections, state = connect(settings, self.asker, default_host_keys="accept-new")
        self.walk = Walk(self.connections, settings.options, state, self._emit())

    def _emit(self) -> Emit:
        def emit(event: Event) -> None:
            if event.step in self._live:
                self.progress.event(event)

        return emit

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ctrl-C stops softly first (what is under way ends well), then at once."""

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            if self.asker.is_asking:
                raise KeyboardInterrupt
            if self.walk.stop.requested:
                self.walk.stop.request(now=True)
            else:
                self.walk.stop.request()
                self.progress.say("Stopping: hosts that have begun are finished. Ctrl-C again ends them now.")

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self.asker.restore_terminal()
            self.walk.close()
            self.connections.close()

    def review(self) -> Review:
        """Find, visit, compare; printed as far as people read along."""
        discovery = self.walk.find(linode_source(self.settings))
        before = (*discovery.findings, *cluster_findings.before_visit(discovery.cluster))
        if stops := cluster_findings.stops(before):
            self.printer.nodes(discovery.cluster)
            self.printer.findings(before)
            document = plan_document(discovery.cluster, Plan(()), before)
            raise Stopped(f"Nothing can run: {stops[0].sentence}", stops[0].hint, document)
        inspection = self.walk.inspect(discovery.cluster)
        self.check_stopped()
        review = self.walk.review(inspection)
        review = replace(review, findings=(*discovery.findings, *review.findings))
        for facts in inspection.facts.values():
            if (key := facts.host_key).is_new:
                self.progress.say(f"{facts.node}: new host key {key.type} {key.fingerprint}, accepted and remembered")
        self.printer.nodes(inspection.cluster)
        self.printer.say()
        self.printer.findings(review.findings)
        self.printer.plan(inspection.cluster, review.plan)
        if review.stops:
            document = plan_document(inspection.cluster, review.plan, review.findings)
            raise Stopped(f"Nothing can run: {review.stops[0].sentence}", review.stops[0].hint, document)
        return review

    def confirmed(self, review: Review) -> bool:
        """Whether the person wants it, with the warnings before their eyes."""
        for warning in (f for f in review.findings if f.acknowledge):
            self.progress.say(f"▲ {warning.sentence}", "yellow")
        return self.asker.confirm(f"{summary(review.plan)}. Make it so?")

    def tell_proof(self, review: Review, proof: Proof) -> None:
        """The proof; and where traffic does not get through, the warnings once more."""
        self.printer.proof(proof)
        if proof.failed:
            self.printer.findings(f for f in review.findings if f.acknowledge)

    def finish(self, report: Report, proof: Proof | None) -> None:
        """Write the end of the transcript; what is done is done, even where that fails."""
        try:
            self.walk.finish(report, proof)
        except (KthwRoutesError, OSError) as error:
            self.progress.say(f"The end of the transcript could not be written: {error}", "yellow")

    def check_stopped(self) -> None:
        """Raises Cancelled after an interrupt."""
        if self.walk.stop.requested:
            raise Cancelled("Interrupted. Nothing was changed.")

    def document(self, document: Json) -> None:
        """The one JSON document on stdout."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, indent=2) + "\n")


def plan(settings: Settings, *, as_json: bool, with_exit_code: bool) -> ExitCode:
    """Show what would change on each host."""
    command = _Command(settings, as_json=as_json, live=frozenset({Step.FIND}))
    with command.running():
        review = command.review()
        command.document(plan_document(review.inspection.cluster, review.plan, review.findings))
        if review.inspection.troubles:
            return ExitCode.FAILED
        return ExitCode.DRIFT if with_exit_code and review.plan.is_drift else ExitCode.DONE


def apply(settings: Settings, *, as_json: bool, yes: bool) -> ExitCode:
    """Make it so, then prove it."""
    command = _Command(settings, as_json=as_json, live=frozenset({Step.FIND, Step.RUN}))
    with command.running():
        review = command.review()
        if not review.plan.is_empty and not yes and not command.confirmed(review):
            command.printer.say("Nothing was changed.")
            return ExitCode.DONE
        report = command.walk.run(review)
        if not review.plan.is_empty:
            command.printer.report(report)
        proof = None
        try:
            if not command.walk.stop.requested:
                proof = command.walk.prove(review.inspection)
                command.tell_proof(review, proof)
            _print_end(command.printer, report, kept=settings.personal)
        finally:
            command.finish(report, proof)
        command.document(_apply_document(review, report, proof))
        if command.walk.stop.requested:
            return ExitCode.INTERRUPTED
        return exit_code(review.inspection, report, proof, drift=False)


def check(settings: Settings, *, as_json: bool) -> ExitCode:
    """Drift, and proof."""
    command = _Command(settings, as_json=as_json, live=frozenset({Step.FIND}))
    with command.running():
        review = command.review()
        proof = command.walk.prove(review.inspection, fresh=True)
        command.tell_proof(review, proof)
        document = plan_document(review.inspection.cluster, review.plan, review.findings)
        command.document({**document, "proof": proof_json(proof)})
        if command.walk.stop.requested:
            return ExitCode.INTERRUPTED
        return exit_code(review.inspection, None, proof, drift=True)


def walk(settings: Settings, *, yes: bool = False) -> ExitCode:
    """All steps in plain lines: what the wizard shows, without its screens."""
    return apply(settings, as_json=False, yes=yes)


def _print_end(printer: Printer, report: Report, *, kept: bool) -> None:
    if report.folder is None:
        return
    printer.say()
    printer.say(REBOOT)
    printer.say("To undo (the transcript has it too):")
    for way in ways_back(report):
        printer.say(f"# as root on {way.host}", "dim")
        for line in way.lines:
            printer.say(line)
    printer.say(f"Transcript: {report.folder / 'transcript.md'}{'' if kept else ' (it goes with the lab)'}")
    printer.say(f"Next lab: {NEXT_LAB}")


def _apply_document(review: Review, report: Report, proof: Proof | None) -> Json:
    return {
        **plan_document(review.inspection.cluster, review.plan, review.findings),
        "outcomes": [outcome_json(o) for o in report.outcomes.values()],
        "run": str(report.folder) if report.folder else None,
        "proof": proof_json(proof) if proof else None,
    }
