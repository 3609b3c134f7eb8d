"""What was chosen, what came of it, and the work between. Knows nothing of screens.

Methods that block are marked so. They are called in threads of `Jobs` and touch nothing that the screens read. The
`take_…` methods take their results over, in the interface's thread.
"""

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from kthw_routes.cluster import Cluster, Node
from kthw_routes.errors import ExitCode, UsageError
from kthw_routes.events import Emit, Event, EventKind, Phase
from kthw_routes.findings.model import Finding
from kthw_routes.findings.plan import OF_READING
from kthw_routes.hosts.fleet import Stop
from kthw_routes.options import Options, Settings
from kthw_routes.overlay.model import Overlay
from kthw_routes.proof.readings import Proof
from kthw_routes.sources.linode.token import NoToken, Token, find_token
from kthw_routes.ssh.session import Asker
from kthw_routes.wizard import inspecting, own_nodes
from kthw_routes.wizard.inspecting import InspectionResult
from kthw_routes.wizard.last_run import LastRun
from kthw_routes.wizard.pace import Pace
from kthw_routes.wizard.path_suggester import stamp_of
from kthw_routes.wizard.sources import Found, SourceLoader
from kthw_routes.wizard.state import Choices, SourceChoice, SourceKind
from kthw_routes.wizard.text import summaries
from kthw_routes.wizard.work_turn import WorkTurn
from kthw_routes.workflow.results import Inspection, Report, Review
from kthw_routes.workflow.workflow import Workflow

if TYPE_CHECKING:
    from kthw_routes.demo.lab import EmbeddedLab


class Controller:
    """Choices, results, and the `Workflow` that does the work."""

    def __init__(self, settings: Settings, lab: "EmbeddedLab | None", asker: Asker, emit: Emit) -> None:
        """`lab`: the running practice lab where it is the only source offered; the caller closes it."""
        self.settings = settings
        self._loader = SourceLoader(settings, lab, asker, emit)
        self.pace = Pace(is_on=settings.present)
        self.work = WorkTurn(self._use_stop_signal)
        self.choices = Choices(self._loader.first_choice, settings.options, self._loader.likely_path)
        self.found: Found | None = None
        self.inspected: Cluster | None = None
        """The cluster as it was chosen when the hosts were last read."""
        self.inspection: Inspection | None = None
        self.last_run = LastRun()
        self._judged: tuple[Cluster, tuple[Finding, ...]] | None = None
        self.host_findings: tuple[Finding, ...] = ()
        """All findings after the hosts were read."""
        self._review: Review | None = None
        self.commands: dict[Phase, dict[str, list[str]]] = {}
        """Step -> host -> the commands that were run there, as typed by hand."""

    # --- the source ---

    @property
    def sources(self) -> tuple[SourceChoice, ...]:
        """The rows of the first screen."""
        return self._loader.choices(self.choices.path)

    def token(self) -> Token:
        """Return the token that was typed, else the one of the environment. Raises NoToken, UsageError."""
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

    def is_found_with(self, token: Token | None) -> bool:
        """Return whether they are known with this token, from a file that was not changed since."""
        found = self.found if self.is_found else None
        return found is not None and found.token == token and found.stamp == stamp_of(found.source.path)

    @property
    def settings_of_source(self) -> Settings:
        """The settings that hold for the nodes found; before any are, those of the command line."""
        return self.found.settings if self.found else self.settings

    def find(self, source: SourceChoice, token: Token | None) -> Found:
        """Ask the source for the nodes. Blocks. Raises KthwRoutesError."""
        return self._loader.find(source, token, self.choices.options, self.work.signal)

    def take_found(self, found: Found) -> None:
        """Use these nodes from now on; what was known of others is forgotten."""
        self._end_run()
        old, self.found = self.found, found
        if old is not None:
            old.workflow.close()
            old.close_connections()
        self.choices.cluster = found.discovery.cluster
        self.choices.acknowledged = frozenset()
        options = self.choices.options
        if old is None or old.source != found.source:  # a file may set the choices
            options = found.settings.options if found.source.kind is SourceKind.INVENTORY else self.settings.options
        self.choices.options = replace(options, marked=frozenset(), marked_names=frozenset())
        self.inspected = self.inspection = None
        self.commands.clear()

    # --- the nodes ---

    @property
    def cluster(self) -> Cluster:
        """The nodes as chosen. Raises AssertionError before they were found."""
        return self.choices.nodes

    def is_typed(self, node: Node) -> bool:
        """Whether the node was typed here, so that nothing is left of it once it is deleted."""
        found = self.found
        return found is not None and node.name not in {n.name for n in found.discovery.cluster}

    def inventory_text(self) -> str:
        """Return the nodes, with what was read on them, as an inventory file. Raises UsageError."""
        cluster = self.cluster if self.inspection is None or self.is_stale else self.inspection.cluster
        return own_nodes.inventory_text(cluster, self.settings_of_source, self.choices.options)

    @property
    def node_findings(self) -> tuple[Finding, ...]:
        """The findings about the nodes as chosen, before any host is read."""
        if self.found is None:
            return ()
        cluster = self.cluster
        if self._judged is None or self._judged[0] is not cluster:
            self._judged = (cluster, self.found.findings(cluster))
        return self._judged[1]

    # --- the hosts ---

    @property
    def workflow(self) -> Workflow:
        """The steps' own functions. Raises AssertionError before the nodes were found."""
        assert self.found is not None, "no nodes were found yet"  # noqa: S101 - a fault of ours
        return self.found.workflow

    @property
    def is_stale(self) -> bool:
        """Whether the hosts were not read yet, or the nodes were changed since."""
        return self.inspection is None or self.inspected != self.choices.cluster

    def _use_stop_signal(self, stop: Stop) -> None:
        if self.found is not None:
            self.found.workflow.use_stop_signal(stop)

    def inspect(self) -> InspectionResult:
        """Read the hosts and review what would change. Blocks. Raises KthwRoutesError."""
        return inspecting.inspect(self.workflow, self.cluster, self.choices.options)

    def take_inspection(self, result: InspectionResult) -> None:
        """Use this from now on; an earlier run is over."""
        self._end_run()
        self.inspection, self.inspected = result.review.inspection, result.cluster
        early = (f for f in result.review.findings if f.code in OF_READING and f not in result.findings)
        self.host_findings = (*result.findings, *early)
        self._review = result.review

    # --- the plan and the run ---

    def choose(self, options: Options) -> None:
        """Use these choices from now on. With routes on other nodes, other next hops are checked."""
        self.choices.options = options
        if self.inspection is not None and self.inspection.routes_on is not options.routes_on:
            self.inspection = replace(self.inspection, routes_on=options.routes_on)
            self.host_findings = self.inspection.findings

    def review(self) -> Review:
        """Return what would be done. Pure."""
        assert self.inspection is not None, "no host was read yet"  # noqa: S101 - a fault of ours
        if self.last_run.report is not None:
            return self.last_run.report.review
        if self.last_run.undo_review is not None:
            return self.last_run.undo_review
        review = self._review
        if review is None or review.inspection is not self.inspection or review.options != self.choices.options:
            self.workflow.options = self.choices.options
            review = self._review = self.workflow.review(self.inspection)
        return review

    def review_with(self, options: Options) -> Review:
        """Return what would be done with other choices. Pure."""
        assert self.inspection is not None, "no host was read yet"  # noqa: S101 - a fault of ours
        self.workflow.options, chosen = options, self.workflow.options
        try:
            return self.workflow.review(self.inspection)
        finally:
            self.workflow.options = chosen

    def run(self, review: Review) -> Report:
        """Apply the changes. Blocks. Raises KthwRoutesError."""
        workflow = self._paced_workflow()
        return self.last_run.note_end(workflow, workflow.run(review))

    def _paced_workflow(self) -> Workflow:
        workflow = self.workflow
        self.pace.clear()
        workflow.may_begin = lambda node: self.pace.wait(node, self.work.signal)
        return workflow

    def retry(self, report: Report) -> Report:
        """Run what is not done. Blocks. Raises KthwRoutesError."""
        workflow = self._paced_workflow()
        return self.last_run.note_end(workflow, workflow.retry(report))

    def take_report(self, report: Report) -> None:
        """Take over how the run ended."""
        self.last_run.take_report(self.workflow, report, was_stopped=self.work.is_stopping)

    # --- undo and proof ---

    def prepare_undo(self) -> Review:
        """Read the hosts that the run changed, and compare. Blocks. Raises KthwRoutesError."""
        assert self.found and self.inspection, "nothing was run"  # noqa: S101, PT018 - a fault of ours
        return self.last_run.prepare_undo(self.workflow, self.inspection.cluster, self.found.state)

    def begin_undo(self, review: Review) -> None:
        """Use this review from now on: the run is over, and what was read before it is out of date."""
        self._end_run()
        self.last_run.undo_review, self.inspected = review, None

    def prepare_repair(self) -> InspectionResult:
        """Read the hosts, with the repair of overridden pod CIDRs in the review. Blocks. Raises KthwRoutesError."""
        return inspecting.inspect(self.workflow, self.cluster, replace(self.choices.options, repair=True))

    def prepare_overlay(self) -> InspectionResult:
        """Read the hosts, with packets between pods in an overlay in the review. Blocks. Raises KthwRoutesError."""
        return inspecting.inspect(self.workflow, self.cluster, replace(self.choices.options, overlay=Overlay.VXLAN))

    def begin_review(self, result: InspectionResult) -> None:
        """Use this review from now on: the run before is over."""
        self.choices.options = result.review.options
        self.take_inspection(result)

    def prove(self) -> Proof:
        """Read the routing tables and send test traffic. Blocks. Raises KthwRoutesError."""
        assert self.inspection is not None, "no host was read yet"  # noqa: S101 - a fault of ours
        return self.workflow.prove(self.inspection)

    def take_proof(self, proof: Proof) -> None:
        """Take over what the proof found."""
        self.last_run.take_proof(self.workflow, proof)

    def _end_run(self) -> None:
        if self.found is not None:
            self.last_run.finish(self.found.workflow)
        self.last_run.clear()

    # --- the rest ---

    @property
    def place(self) -> str:
        """Source, region and workers, for the header: `Linode · eu-west · 3 workers`."""
        return summaries.describe_place(self.choices.source, self.choices.cluster if self.is_found else None)

    def note(self, event: Event) -> None:
        """Keep a command that was run, for *Commands*; let the next host go once one has ended."""
        if event.step is Phase.RUN and event.host and event.state is not None and event.state.is_final:
            self.pace.note_end(event.host)
        if event.kind is EventKind.COMMAND and event.host:
            known = self.commands.setdefault(event.step, {}).setdefault(event.host, [])
            known += [event.text] if event.text not in known else []

    @property
    def exit_code(self) -> ExitCode:
        """What `apply` would return; 0 where nothing was run or proved."""
        return self.last_run.find_exit_code(self.inspection)

    @property
    def last_words(self) -> tuple[str, ...]:
        """What to leave on the terminal after the wizard."""
        return tuple(self.last_run.list_last_words(is_lab=self.is_lab))

    @property
    def is_lab(self) -> bool:
        """Whether the nodes are those of the practice lab."""
        return self.choices.source.kind is SourceKind.LAB

    def end(self, patience: float) -> None:
        """Stop the work and write the end of its record, from any thread: the interface may be blocked.

        Hosts that have started get `patience` seconds to finish, then they are cut off.
        """
        self.work.end(patience)
        self.last_run.finish_noted()

    def discard_labs(self) -> None:
        """Remove the files of the practice labs, for a process that ends now."""
        self._loader.discard_labs()

    def close(self) -> None:
        """End everything. Never waits for a host."""
        if self.found is not None:
            self.last_run.finish(self.found.workflow)
            self.found.workflow.close()
            with contextlib.suppress(OSError):
                self.found.close_connections()
        self._loader.close()
