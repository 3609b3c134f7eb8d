"""Step 3: each host is read, nothing is changed."""

import re
from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from kthw_routes.cluster import Node
from kthw_routes.errors import Cancelled
from kthw_routes.events import Event, EventKind, HostState, Phase
from kthw_routes.facts import HostFacts, Privilege
from kthw_routes.findings.model import Finding
from kthw_routes.ssh.errors import HostKeyChanged
from kthw_routes.wizard.inspecting import InspectionResult
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import check_rows, manual_commands
from kthw_routes.wizard.text.refusals import refuse_stops, refuse_unticked
from kthw_routes.wizard.text.run_rows import GLYPHS
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.wizard.widgets.findings import FindingList
from kthw_routes.wizard.widgets.paragraph import ErrorBox, Paragraph
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import CIDR_SOURCE_LABELS, Tone, Words, count, state_tone
from kthw_routes.workflow.results import Inspection

_ACCESS = {
    Privilege.ROOT: "root",
    Privilege.SUDO: "sudo",
    Privilege.SUDO_PASSWORD: "sudo",
    Privilege.NONE: "none",
}


class ChecksStep(StepScreen):
    """A row per host, live; then the findings."""

    title_word = "Checks"
    purpose = "Each host is read over SSH. Nothing is changed."
    lesson_name = "checks"
    keys = (
        ("r", "read all hosts again"),
        ("Up  Down", "details of another host"),
        ("Tab", "to the next finding; F1 explains it"),
        ("k", "trust a rebuilt host's new key (asks first)"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "read", "Read again", show=False),
        Binding("k", "rebuilt", "It was rebuilt", show=False),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        columns = ("host", "state", "access", "pod CIDR", "read from", "forwarding", "pods")
        self._table = self.first_focus = KeyedTable(*columns, id="hosts")
        self._detail = Paragraph(id="detail")
        self._error_box = ErrorBox(id="error")
        self._finding_list = FindingList(tickable=True, id="findings")
        self._read = Button("Read again", id="read", compact=True, action="screen.read")
        self._states: dict[str, Words] = {}

    def compose_body(self) -> ComposeResult:
        """Yield the table with its detail lines, then the findings."""
        with VerticalScroll(can_focus=False):
            yield self._table
            yield self._detail
            yield self._error_box
            yield self._finding_list

    @property
    def extra_buttons(self) -> Iterable[Button]:
        """Read again."""
        return (self._read,)

    def enter(self) -> None:
        """Read the hosts where nothing was read yet, or the nodes were changed since."""
        if self.controller.is_stale and not self.busy:
            self.action_read()

    def action_read(self) -> None:
        """Read all hosts (again)."""
        if self.busy:
            return
        cluster = self.controller.cluster
        waiting = Words(f"{GLYPHS[HostState.WAITING]} {HostState.WAITING}", Tone.QUIET)
        self._states = {n.name: waiting for n in cluster.visited}
        self.controller.commands.pop(Phase.CHECKS, None)

        def done(result: InspectionResult) -> None:
            if self.controller.work.is_stopping:
                self.error = Cancelled("Stopped before all hosts were read. Nothing was changed.", "Press Read again.")
            else:
                self.controller.take_inspection(result)

        self.start_work(f"reading {count(len(cluster.visited), 'host')}", self.controller.inspect, done)

    def action_rebuilt(self) -> None:
        """Trust the changed key of the host under the cursor, if the person confirms that it was rebuilt."""
        name, trouble = self._changed_key
        if trouble is None or name is None or self.busy:
            return

        def sure(answer: str | None) -> None:
            if answer:
                self.controller.workflow.was_rebuilt(name)
                self.action_read()

        words = (
            f"Known:      {trouble.old}\nPresented:  {trouble.new}\n\nTrust the new key only if you rebuilt {name}. "
            "Otherwise somebody may be answering in its place: compare it with the key on the node's console."
        )
        self.app.push_screen(Confirm(f"Was {name} rebuilt?", words, "No", rebuilt="It was rebuilt"), sure)

    @property
    def _changed_key(self) -> tuple[str | None, HostKeyChanged | None]:
        """The host under the cursor, and the error about its key, if there is one."""
        name, inspection = self._table.key, self._inspection
        trouble = inspection.troubles.get(name) if inspection and name else None
        return name, trouble if isinstance(trouble, HostKeyChanged) else None

    def handle_event(self, event: Event) -> None:
        """Note the state of a host."""
        if event.step is Phase.CHECKS and event.kind is EventKind.STATE and event.host and event.state:
            glyph = GLYPHS.get(event.state, "▸")
            self._states[event.host] = Words(f"{glyph} {event.state}", state_tone(event.state))

    async def draw(self) -> None:
        """Draw what was read so far."""
        if self.controller.found is None:
            return
        self._read.disabled = bool(self.busy)
        self._table.show((n.name, self._cells(n)) for n in self._hosts)
        self._draw_detail()
        self._error_box.show_error(self.error)
        await self._finding_list.show(check_rows.grouped(self._findings), self.controller.choices.acknowledged)

    @property
    def _inspection(self) -> Inspection | None:
        return None if self.busy or self.controller.is_stale else self.controller.inspection

    @property
    def _hosts(self) -> tuple[Node, ...]:
        inspection = self._inspection
        return (inspection.cluster if inspection else self.controller.cluster).visited

    @property
    def _findings(self) -> tuple[Finding, ...]:
        """The findings that *Nodes* did not show."""
        inspection = self._inspection
        if inspection is None:
            return ()
        before = set(self.controller.node_findings)
        return tuple(f for f in self.controller.host_findings if f not in before)

    def _cells(self, node: Node) -> tuple[Words | str, ...]:
        name = cut_middle(node.name, 16 if self.size.width < 100 else 40)
        state = self._states.get(node.name, dim("…"))
        inspection = self._inspection
        facts = inspection.facts.get(node.name) if inspection else None
        if facts is None:
            return (name, state, "", "", "", "", "")
        if not node.is_worker:
            return (name, state, _ACCESS[facts.privilege], dim("–"), "", "", "")
        forwarding: Words | str = "yes" if facts.ip_forward else dim("not yet")
        return (
            name,
            state,
            _ACCESS[facts.privilege],
            self._pod_cidr(node),
            CIDR_SOURCE_LABELS[node.pod_cidr_source],
            forwarding,
            _pods(facts),
        )

    def _pod_cidr(self, node: Node) -> Words | str:
        text = str(node.pod_cidr or "unknown")
        is_overridden = any(f.code == "own-pod-cidr-routed-away" and f.node == node.name for f in self._findings)
        return Words(f"{text} ✗ overridden", Tone.BAD) if is_overridden else text

    def _draw_detail(self) -> None:
        name, inspection = self._table.key, self._inspection
        text: tuple[Words | str, ...] = ("",)
        if name is not None and inspection is not None:
            facts, trouble = inspection.facts.get(name), inspection.troubles.get(name)
            if trouble is not None:
                rebuilt = "Was it rebuilt? k trusts its new key.\n" if isinstance(trouble, HostKeyChanged) else ""
                text = (Words(f"✗ {trouble.sentence}\n", Tone.BAD), Words(rebuilt, Tone.NEW), dim(trouble.hint))
            elif facts is not None:
                text = (dim(_detail(facts)),)
        self._detail.show(*text)

    @on(KeyedTable.RowHighlighted, "#hosts")
    def _moved(self) -> None:
        if self.controller.found is not None:
            self._draw_detail()

    @property
    def refusal(self) -> str | None:
        """Why it cannot go on: nothing was read, a stop, or a warning without a tick."""
        inspection = self._inspection
        if inspection is None:
            return "To continue: read the hosts; r does."
        if stopped := refuse_stops(self.controller.host_findings):
            return stopped
        if not inspection.facts:
            return "Cannot continue: no host could be read. r tries again."
        return refuse_unticked(self.controller.choices.unacknowledged(self._findings))

    @property
    def status(self) -> Words | str:
        """How many hosts were read."""
        inspection = self._inspection
        if inspection is None:
            return ""
        skipped = len(inspection.troubles)
        words = f"{count(len(inspection.facts), 'host')} read"
        return Words(f"{words}, {skipped} skipped. Next goes on without.", Tone.WARNING) if skipped else ""

    def list_commands(self) -> Iterable[str]:
        """Return what was run."""
        controller, title = self.controller, "What is read on each host (nothing is changed)"
        commands = controller.commands.get(Phase.CHECKS, {})
        return manual_commands.ran(title, commands, controller.cluster, self.shown_settings)

    def palette(self) -> Iterable[SystemCommand]:
        """Yield what can be done with the hosts."""
        if not self.busy:
            yield SystemCommand("Read again", "Read all hosts again", self.action_read)
            yield SystemCommand(
                "It was rebuilt", "Trust the changed key of the host under the cursor (asks first)", self.action_rebuilt
            )


def _pods(facts: HostFacts) -> Words | str:
    if facts.pods:
        return count(len(facts.pods), "pod")
    return "bridge" if facts.bridge else dim("none yet")


def _detail(facts: HostFacts) -> str:
    key = facts.host_key
    version = re.search(r"iproute2-[\w.]+", facts.iproute2)
    how = "root" if facts.privilege is Privilege.ROOT else f"{facts.user}, {facts.privilege}"
    new = ", new" if key.is_new else ""
    program = version[0] if version else facts.iproute2
    return (
        f"{facts.node}: hostname {facts.hostname or '?'}, logged in as {how}, {program}\n"
        f"host key {key.fingerprint} ({key.type.removeprefix('ssh-')}{new})"
    )
