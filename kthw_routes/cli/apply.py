"""plan, apply, check, and the walk in plain lines: the steps of `workflow`, printed. No logic of their own."""

from kthw_routes.cli.command import RunningCommand
from kthw_routes.errors import ExitCode
from kthw_routes.events import Phase
from kthw_routes.hosts.rollback_timer import RollbackTimer
from kthw_routes.options import Settings
from kthw_routes.proof.readings import Proof
from kthw_routes.record.documents import ApplyDocument
from kthw_routes.record.json_plan import outcome_json, plan_document
from kthw_routes.record.json_proof import check_document, proof_json
from kthw_routes.record.redact import redact
from kthw_routes.rollback import RollbackState
from kthw_routes.undo.by_hand import manual_undo
from kthw_routes.words import NEXT_LAB, apply_verdict, check_verdict, plan_verdict, reboot_summary
from kthw_routes.workflow.results import Report, exit_code


def plan(settings: Settings, *, as_json: bool, with_exit_code: bool) -> ExitCode:
    """Show what would change on each host."""
    command = RunningCommand(settings, as_json=as_json, live=frozenset({Phase.FIND}))
    with command.running():
        review = command.review()
        command.document(plan_document(review.inspection.cluster, review.plan, review.findings))
        command.printer.verdict(plan_verdict(review), is_good=review.plan.is_empty and not review.inspection.troubles)
        if review.inspection.troubles:
            return ExitCode.FAILED
        return ExitCode.DRIFT if with_exit_code and review.plan.is_drift else ExitCode.DONE


def apply(settings: Settings, *, as_json: bool, yes: bool) -> ExitCode:
    """Apply the plan, then prove it."""
    command = RunningCommand(settings, as_json=as_json, live=frozenset({Phase.FIND, Phase.RUN}))
    with command.running():
        review = command.review()
        if not review.plan.is_empty:
            command.printer.verdict(plan_verdict(review), is_good=True)
        if not review.plan.is_empty and not yes and not command.confirmed(review):
            command.printer.say("Nothing was changed.")
            return ExitCode.DONE
        report = command.run(review)
        proof = None
        try:
            if not review.plan.is_empty or report.unfinished:
                command.printer.report(report)
            if not command.workflow.stop.requested:
                proof = command.prove(review.inspection, fresh=report.read_back)
                command.print_proof(review, proof)
            timers = command.workflow.commit(report, proof)
        finally:
            command.finish(report, proof)
        for one in timers:
            command.printer.say(one.sentence)
        _print_end(command, report, timers)
        command.document(_apply_document(command, report, proof, timers))
        code = command.exit_code(report, proof)
        if code is ExitCode.DONE and any(c.rollback is not RollbackState.CONFIRMED for c in timers):
            code = ExitCode.FAILED
        command.printer.verdict(apply_verdict(report, proof), is_good=code is ExitCode.DONE)
        return code


def check(settings: Settings, *, as_json: bool, quiet: bool = False, is_redacted: bool = False) -> ExitCode:
    """Print drift and proof; where all is well and `quiet`, without a word."""
    command = RunningCommand(settings, as_json=as_json, live=frozenset({Phase.FIND}), quiet=quiet)
    with command.running(), command.flush_on_error():
        review = command.review()
        proof = command.prove(review.inspection, fresh=review.inspection.facts)
        command.print_proof(review, proof)
        document = check_document(review.inspection.cluster, review.plan, review.findings, proof)
        command.document(redact(document) if is_redacted else document)
        code = exit_code(review.inspection, None, proof, drift=True)
        if command.workflow.stop.requested:
            code = ExitCode.INTERRUPTED
        command.printer.verdict(check_verdict(review, proof), is_good=code is ExitCode.DONE)
        if code is not ExitCode.DONE:
            command.flush()
        return code


def run_steps(settings: Settings, *, yes: bool = False) -> ExitCode:
    """Return all steps in plain lines: what the wizard shows, without its screens."""
    return apply(settings, as_json=False, yes=yes)


def _print_end(command: RunningCommand, report: Report, timers: tuple[RollbackTimer, ...]) -> None:
    """Print how to undo the run: by its record; by hand where that is gone already."""
    if report.folder is None:
        return
    printer, folder, kept = command.printer, command.folder(report), command.settings.personal
    printer.say()
    if words := after_reboot(report, timers):
        printer.say(words)
    if folder is None:
        printer.say("To undo:")
        for way in manual_undo(report.review.plan, report.outcomes):
            printer.say(f"# as root on {way.host}", "dim")
            for line in way.lines:
                printer.say(line)
    else:
        if kept:
            printer.say(f"To undo: kthw-routes undo {folder.name}   (the transcript has the commands by hand)")
        more = "" if kept else " (with the commands that undo this; it goes with the lab)"
        printer.say(f"Transcript: {folder / 'transcript.md'}{more}")
    printer.say(f"Next lab: {NEXT_LAB}")


def after_reboot(report: Report, timers: tuple[RollbackTimer, ...]) -> str:
    """Return whether the routes are kept after a reboot, where they are there to stay; empty where they are nowhere."""
    go_back = {c.node for c in timers if c.rollback is not RollbackState.CONFIRMED}
    return reboot_summary(report.review.plan, go_back | set(report.unfinished))


def _apply_document(
    command: RunningCommand, report: Report, proof: Proof | None, timers: tuple[RollbackTimer, ...]
) -> ApplyDocument:
    review, folder = report.review, command.folder(report)
    return {
        **plan_document(review.inspection.cluster, review.plan, review.findings),
        "outcomes": [outcome_json(o) for o in report.outcomes.values()],
        "run": str(folder) if folder else None,
        "record_problem": command.record_problem,
        "proof": proof_json(proof) if proof else None,
        "commitments": [{"host": c.node, "fate": c.rollback, "sentence": c.sentence} for c in timers],
    }
