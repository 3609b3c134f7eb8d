"""One way through the wizard: what was chosen, what came of it, and the work between. Knows nothing of screens.

Methods that block say so; they are called in threads of `Jobs` and touch nothing that the screens read. Their
results are taken over in the interface's thread by the `take_…` methods.
"""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from kthw_routes.cluster import Cluster, Node, Selection
from kthw_routes.errors import Cancelled, ExitCode, KthwRoutesError, UsageError
from kthw_routes.events import Emit, Event, EventKind, Phase
from kthw_routes.findings.model import Finding
from kthw_routes.hosts.fleet import Stop
from kthw_routes.options import Options, Settings
from kthw_routes.proof.readings import Proof
from kthw_routes.record.history import read_runs
from kthw_routes.sources.linode.token import NoToken, Token, find_token
from kthw_routes.ssh.session import Asker
from kthw_routes.undo.plan import REFUSAL
from kthw_routes.wizard import own_nodes
from kthw_routes.wizard.path_suggester import stamp_of
from kthw_routes.wizard.sources import Found, SourceLoader
from kthw_routes.wizard.state import Choices, SourceChoice, SourceKind
from kthw_routes.wizard.text import summaries as telling
from kthw_routes.workflow.results import Inspection, Report, Review, exit_code
from kthw_routes.workflow.workflow import Workflow

if TYPE_CHECKING:
    from kthw_routes.demo.lab import EmbeddedLab

T = TypeVar("T")

_CUTTING_OFF: Final = 0.3
"""Seconds for a run to say how its hosts ended, once they are cut off."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What looking at the hosts gave."""

    cluster: Cluster
    """As it was chosen when they were looked at."""
    findings: tuple[Finding, ...]
    review: Review


class Controller:
    """Choices, results, and the `Workflow` that does the work."""

    def __init__(self, settings: Settings, lab: "EmbeddedLab | None", asker: Asker, emit: Emit) -> None:
        """`lab`: the running practice lab where it is the only source offered; whoever gave it closes it too."""
        self.settings = settings
        self._loader = SourceLoader(settings, lab, asker, emit)
        self._stop = self._heeded = Stop()
        self._turn = threading.Lock()
        """One piece of work at a time: one that was given up may need a moment to end."""
        self.choices = Choices(self._loader.first_choice, settings.options, self._loader.likely_path)
        self.found: Found | None = None
        self.inspected: Cluster | None = None
        """The cluster as it was chosen when the hosts were last looked at."""
        self.inspection: Inspection | None = None
        self.report: Report | None = None
        self._undo: Review | None = None
        """What takes the last run back, once that was begun."""
        self.proof: Proof | None = None
        self.run_refused: KthwRoutesError | None = None
        """Why the last run could not even begin; None where it did."""
        self.was_stopped = False
        """Whether the last run was stopped by the person."""
        self.end_problem = ""
        """Why the record or the transcript of the run is not whole; empty where both are."""
        self.is_unrecorded = False
        """Whether it is the record, without which nothing can be taken back."""
        self._finished = False
        self._ran: tuple[Workflow, Report] | None = None
        """How the last run ended, as soon as it has, and where: for an end that the interface has no part in."""
        self._finishing = threading.Lock()
        self._is_ending = False
        self._judged: tuple[Cluster, tuple[Finding, ...]] | None = None
        self.host_findings: tuple[Finding, ...] = ()
        """All that there is to say after the hosts were read."""
        self._review: Review | None = None
        self.commands: dict[Phase, dict[str, list[str]]] = {}
        """Step -> host -> the commands that were run there, as one would type them."""

    # --- the source ---

    @property
    def sources(self) -> tuple[SourceChoice, ...]:
        """The rows of the first screen."""
        return self._loader.choices(self.choices.path)

    def token(self) -> Token:
        """The token that was typed, else the one of the environment. Raises NoToken, UsageError."""
        if self.choices.token is not None:
            return self.choices.token
        return find_token(self.settings.environment)

    @property
    def lacks_token(self) -> bool:
        """Whether a token has to be typed."""
        try:
            find_token(self.settings.environment)
        except NoToken:
            return True
        except UsageError:
            return False
        return False

    @property
    def is_found(self) -> bool:
        """Whether the nodes of the chosen source are known."""
        return self.found is not None and self.found.source == self.choices.source

    @property
    def is_file_changed(self) -> bool:
        """Whether the inventory file is another by now than when it was read."""
        return self.found is not None and self.found.stamp != stamp_of(self.found.source.path)

    @property
    def found_token(self) -> Token | None:
        """The token with which the nodes were found."""
        return self.found.token if self.found else None

    @property
    def settings_of_source(self) -> Settings:
        """The settings that hold for the nodes found; before any are, those of the command line."""
        return self.found.settings if self.found else self.settings

    def find(self, source: SourceChoice, token: Token | None) -> Found:
        """Ask the source for the nodes. Blocks. Raises KthwRoutesError."""
        return self._loader.find(source, token, self.choices.options, self._heeded)

    def take_found(self, found: Found) -> None:
        """Go by these nodes from now on; what was known of others is forgotten."""
        self._end_run()
        old, self.found = self.found, found
        if old is not None:
            old.workflow.close()
            old.close_connections()
        self.choices.cluster = found.discovery.cluster
        self.choices.acknowledged = frozenset()
        options = self.choices.options
        if old is None or old.source != found.source:  # a file may say what to choose
            options = found.settings.options if found.source.kind is SourceKind.INVENTORY else self.settings.options
        self.choices.options = replace(options, marked=frozenset(), marked_names=frozenset())
        self.inspected = self.inspection = None
        self.commands.clear()

    # --- the nodes ---

    @property
    def cluster(self) -> Cluster:
        """The nodes as chosen. Raises AssertionError before they were found."""
        assert self.choices.cluster is not None, "no nodes were found yet"  # noqa: S101 - a fault of ours
        return self.choices.cluster

    def change_node(self, old: Node, new: Node) -> None:
        """Take over a node as corrected."""
        self.choices.cluster = self.cluster.with_swapped(old, new)

    def add_node(self, node: Node) -> None:
        """Take in a node that was typed."""
        self.choices.cluster = own_nodes.with_added(self.cluster, node)

    def is_typed(self, node: Node) -> bool:
        """Whether the node was typed here, so that nothing is left of it once it is taken away."""
        found = self.found
        return found is not None and node.name not in {n.name for n in found.discovery.cluster}

    def take_away(self, node: Node) -> None:
        """Forget a node that was typed."""
        self.choices.cluster = own_nodes.without(self.cluster, node)

    def inventory_text(self) -> str:
        """The nodes as an inventory file, with what was read on them. Raises UsageError where they cannot be one."""
        cluster = self.cluster if self.inspection is None or self.is_stale else self.inspection.cluster
        return own_nodes.inventory_text(cluster, self.settings_of_source, self.choices.options)

    def leave_out(self, node: Node) -> None:
        """Leave a node out, or take it in again."""
        selection = Selection.LEFT_OUT if node.is_visited else Selection.VISIT
        self.change_node(node, replace(node, selection=selection))

    def remove(self, node: Node) -> None:
        """Remove a node for good."""
        self.change_node(node, replace(node, selection=Selection.REMOVED))

    @property
    def node_findings(self) -> tuple[Finding, ...]:
        """What there is to say of the nodes as chosen, before any host is looked at."""
        if self.found is None:
            return ()
        cluster = self.cluster
        if self._judged is None or self._judged[0] is not cluster:
            self._judged = (cluster, self.found.findings(cluster))
        return self._judged[1]

    def unacknowledged(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """The warnings among them that nobody ticked yet."""
        return tuple(f for f in findings if f.acknowledge and f not in self.choices.acknowledged)

    def acknowledge(self, finding: Finding, known: bool) -> None:
        """Tick a warning, or take the tick away."""
        rest = self.choices.acknowledged - {finding}
        self.choices.acknowledged = rest | {finding} if known else rest

    # --- the hosts ---

    @property
    def workflow(self) -> Workflow:
        """The steps' own functions. Raises AssertionError before the nodes were found."""
        assert self.found is not None, "no nodes were found yet"  # noqa: S101 - a fault of ours
        return self.found.workflow

    @property
    def is_stale(self) -> bool:
        """Whether the hosts were not yet looked at, or the nodes were changed since."""
        return self.inspection is None or self.inspected != self.choices.cluster

    def begin(self) -> Callable[[Callable[[], T]], T]:
        """Before each piece of work: an earlier wish to stop is over. Returns what runs the work, in its thread."""
        stop = self._stop = Stop()
        if self._is_ending:
            stop.request(now=True)

        def run(work: Callable[[], T]) -> T:
            with self._turn:
                if stop.requested:
                    raise Cancelled
                self._heeded = stop
                if self.found is not None:
                    self.found.workflow.use_stop_signal(stop)
                return work()

        return run

    def stop(self, *, now: bool = False) -> None:
        """Wish that the work under way stops."""
        self._stop.request(now=now)

    @property
    def is_stopping(self) -> bool:
        """Whether the work that ended just now was stopped."""
        return self._stop.requested

    def inspect(self) -> Looked:
        """Visit the hosts, read-only, and work out what that means. Blocks. Raises KthwRoutesError."""
        cluster, workflow = self.cluster, self.workflow
        workflow.options = self.choices.options
        inspection = workflow.inspect(cluster)
        return Looked(cluster, inspection.findings, workflow.review(inspection))

    def take_inspection(self, looked: Looked) -> None:
        """Go by this from now on; a run that was made before is over."""
        self._end_run()
        self.inspection, self.inspected = looked.review.inspection, looked.cluster
        self.host_findings = looked.findings
        self._review = looked.review

    # --- the plan and the run ---

    def choose(self, options: Options) -> None:
        """Go by these choices from now on. With routes on other nodes, other next hops are judged."""
        self.choices.options = options
        if self.inspection is not None and self.inspection.routes_on is not options.routes_on:
            self.inspection = replace(self.inspection, routes_on=options.routes_on)
            self.host_findings = self.inspection.findings

    def review(self) -> Review:
        """What would be done. Pure."""
        assert self.inspection is not None, "no host was looked at yet"  # noqa: S101 - a fault of ours
        if self.report is not None:
            return self.report.review
        if self._undo is not None:
            return self._undo
        review = self._review
        if review is None or review.inspection is not self.inspection or review.options != self.choices.options:
            self.workflow.options = self.choices.options
            review = self._review = self.workflow.review(self.inspection)
        return review

    def review_with(self, options: Options) -> Review:
        """What would be done with other choices. Pure."""
        assert self.inspection is not None, "no host was looked at yet"  # noqa: S101 - a fault of ours
        self.workflow.options, chosen = options, self.workflow.options
        try:
            return self.workflow.review(self.inspection)
        finally:
            self.workflow.options = chosen

    def run(self, review: Review) -> Report:
        """Make it so. Blocks. Raises KthwRoutesError."""
        workflow = self.workflow
        report = workflow.run(review)
        self._ran = workflow, report
        return report

    def retry(self, report: Report) -> Report:
        """Run what is not done. Blocks. Raises KthwRoutesError."""
        workflow = self.workflow
        merged = workflow.retry(report)
        self._ran = workflow, merged
        return merged

    def take_report(self, report: Report) -> None:
        """How the run ended."""
        self.run_refused = None
        self.was_stopped = self.is_stopping
        self.report, self.proof, self._finished = report, None, False
        if self.is_undo and not report.unfinished:
            self.finish()

    # --- taking it back ---

    @property
    def run_id(self) -> str:
        """The run whose changes stand on the hosts, as it is called in its folder; empty where there is none."""
        return self.report.folder.name if self.report is not None and self.report.folder is not None else ""

    @property
    def is_undo(self) -> bool:
        """Whether the run is one that takes another back."""
        return self._undo is not None

    def prepare_undo(self) -> Review:
        """Visit the hosts that the run changed, and compare. Blocks. Raises KthwRoutesError.

        Where nothing is left of the run that is recorded at once: a later `undo` then goes on to an older one.
        """
        assert self.found is not None and self.inspection is not None, "nothing was run"  # noqa: S101, PT018 - a fault of ours
        runs = read_runs(self.found.state)
        past = runs.named(self.run_id)
        # All are visited, because all are wanted again where the answer is no; then only those that it changed count.
        looked = self.workflow.inspect(self.inspection.cluster)
        troubles = {name: trouble for name, trouble in looked.troubles.items() if name in past.hosts}
        review = self.workflow.review_undo(replace(looked, cluster=past.to_visit, troubles=troubles), past, runs)
        if review.plan.is_empty and not (self.report is not None and self.report.unfinished):
            self.workflow.run(review)
        return review

    def begin_undo(self, review: Review) -> None:
        """Go by this review from now on: what was run is over, and what was read before it is out of date."""
        self._end_run()
        self._undo, self.inspected = review, None

    def prove(self) -> Proof:
        """Look at the tables and send test traffic. Blocks. Raises KthwRoutesError."""
        assert self.inspection is not None, "no host was looked at yet"  # noqa: S101 - a fault of ours
        return self.workflow.prove(self.inspection)

    def take_proof(self, proof: Proof) -> None:
        """What was seen. The transcript gets its end now, unless a retry may still have to write to it."""
        self.proof = proof
        if self.report is not None and not self.report.unfinished:
            self.finish()

    def finish(self) -> None:
        """Write the end of the transcript, once per run."""
        if self.report is None or self._finished:
            return
        self._finished = True
        self._finish(self.workflow, self.report)

    def _finish(self, workflow: Workflow, report: Report) -> None:
        with self._finishing:
            workflow.finish(report, self.proof)
        if (record := workflow.record) is not None:
            self.end_problem = " ".join(filter(None, (record.problem, record.transcript_problem)))
            self.is_unrecorded = bool(record.problem)

    def _end_run(self) -> None:
        self.finish()
        self.report = self.proof = self._undo = None
        self.was_stopped, self.run_refused = False, None

    # --- the rest ---

    @property
    def place(self) -> str:
        """Where one is, for the header: `Linode · eu-west · 3 workers`."""
        return telling.place(self.choices.source, self.choices.cluster if self.is_found else None)

    def note(self, event: Event) -> None:
        """Keep the commands that are run, for those who want to type them."""
        if event.kind is EventKind.COMMAND and event.host:
            self.commands.setdefault(event.step, {}).setdefault(event.host, []).append(event.text)

    @property
    def exit_code(self) -> ExitCode:
        """What `apply` would return; 0 where nothing was run or proved."""
        if self.report is None and self.run_refused is not None:
            return self.run_refused.exit_code
        if self.inspection is None or (self.report is None and self.proof is None):
            return ExitCode.DONE
        if self.was_stopped and self.report is not None and self.report.unfinished:
            return ExitCode.INTERRUPTED
        if self.is_unrecorded:
            return ExitCode.FAILED
        code = exit_code(self.inspection, self.report, self.proof, drift=False)
        refused = self.report is not None and any(f.code == REFUSAL for f in self.report.review.findings)
        return ExitCode.FAILED if refused and code is ExitCode.DONE else code

    @property
    def last_words(self) -> tuple[str, ...]:
        """What to leave on the terminal after the wizard: what is done and what is not."""
        if self.report is None or self.report.review.plan.is_empty:
            return ()
        lines = tuple(telling.last_words(self.report, self.proof, is_lab=self.is_lab))
        return (*lines, self.end_problem) if self.end_problem else lines

    @property
    def is_lab(self) -> bool:
        """Whether all of it is practice."""
        return self.choices.source.kind is SourceKind.LAB

    def end(self, patience: float) -> None:
        """End the work under way and write the end of its record, from any thread: the interface may be blocked.

        Hosts that have begun have `patience` seconds to come to their end, then they are cut off.
        """
        self._is_ending = True
        self.stop()
        self._heeded.request()
        if not self._turn.acquire(timeout=patience):
            self.stop(now=True)
            self._heeded.request(now=True)
            self._turn.acquire(timeout=_CUTTING_OFF)  # held from here on: nothing begins any more
        if self._ran is not None:
            self._finish(*self._ran)

    def discard_labs(self) -> None:
        """Remove the files of the practice labs, for a process that ends now."""
        self._loader.discard_labs()

    def close(self) -> None:
        """End everything. Never waits for a host."""
        self.finish()
        if self.found is not None:
            self.found.workflow.close()
            with contextlib.suppress(OSError):
                self.found.close_connections()
        self._loader.close()
