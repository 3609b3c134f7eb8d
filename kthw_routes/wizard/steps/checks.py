"""Step 3: one read-only visit to each host."""

import re
from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Button

from kthw_routes.cluster import Node
from kthw_routes.errors import Cancelled
from kthw_routes.events import Event, EventKind, HostState, Phase
from kthw_routes.facts import HostFacts, Privilege
from kthw_routes.findings.model import Finding, stops
from kthw_routes.ssh.errors import HostKeyChanged
from kthw_routes.wizard.controller import Looked
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen, Wizard
from kthw_routes.wizard.text import manual_commands
from kthw_routes.wizard.themes import cut_middle, dim
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
GLYPHS = {
    HostState.WAITING: "…",
    HostState.READ: "✓",
    HostState.DONE: "✓",
    HostState.NOTHING_TO_DO: "✓",
    HostState.FAILED: "✗",
    HostState.NOT_CONFIRMED: "?",
    HostState.SKIPPED: "✗",
    HostState.NOT_STARTED: "–",
}
"""One character per state; the word always stands beside it. Others are under way: `▸`."""


class ChecksStep(StepScreen):
    """A row per host, live; then what there is to say."""

    title_word = "Checks"
    purpose = "Each host is visited once, to read. Nothing is changed there."
    lesson_name = "checks"
    keys = (
        ("r", "look again at all hosts"),
        ("Up  Down", "details of another host"),
        ("k", "a host's key has changed: say that it was rebuilt"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "look", "Look again", show=False),
        Binding("k", "rebuilt", "It was rebuilt", show=False),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        columns = ("host", "state", "as", "pod CIDR", "rests on", "forwards", "pods")
        self._table = self.first_focus = KeyedTable(*columns, id="hosts")
        self._detail = Paragraph(id="detail")
        self._error_box = ErrorBox(id="error")
        self._finding_list = FindingList(tickable=True, id="findings")
        self._look = Button("Look again", id="look", compact=True, action="screen.look")
        self._states: dict[str, Words] = {}

    def compose_body(self) -> ComposeResult:
        """The table with its detail lines, then the findings."""
        with VerticalScroll(can_focus=False):
            yield self._table
            yield self._detail
            yield self._error_box
            yield self._finding_list

    def extra_buttons(self) -> Iterable[Button]:
        """Look again."""
        return (self._look,)

    def entered(self) -> None:
        """Look by itself where nothing was read, or the nodes were changed since."""
        if self.controller.is_stale and not self.busy:
            self.action_look()

    def action_look(self) -> None:
        """Visit all hosts (again)."""
        if self.busy:
            return
        cluster = self.controller.cluster
        waiting = Words(f"{GLYPHS[HostState.WAITING]} {HostState.WAITING}", Tone.QUIET)
        self._states = {n.name: waiting for n in cluster.visited}
        self.controller.commands.pop(Phase.CHECKS, None)

        def done(looked: Looked) -> None:
            if self.controller.is_stopping:
                self.error = Cancelled("Stopped before all hosts were read. Nothing was changed.", "Look again.")
            else:
                self.controller.take_inspection(looked)

        self.work(f"looking at {count(len(cluster.visited), 'host')}", self.controller.inspect, done)

    def action_rebuilt(self) -> None:
        """Take the changed key of the host under the cursor for a new one, if the person says that it was rebuilt."""
        name, trouble = self._changed_key
        if trouble is None or name is None or self.busy:
            return

        def sure(answer: str | None) -> None:
            if answer:
                self.controller.workflow.was_rebuilt(name)
                self.action_look()

        words = (
            f"Known:      {trouble.old}\nPresented:  {trouble.new}\n\nOnly if you built {name} anew yourself since: "
            "else something between you and it may answer in its place. Compare with the node's own console."
        )
        self.app.push_screen(Confirm(f"Was {name} rebuilt?", words, "No", rebuilt="It was rebuilt"), sure)

    @property
    def _changed_key(self) -> tuple[str | None, HostKeyChanged | None]:
        """The host under the cursor, and the trouble with its key, if it has that."""
        name, inspection = self._table.key, self._inspection
        trouble = inspection.troubles.get(name) if inspection and name else None
        return name, trouble if isinstance(trouble, HostKeyChanged) else None

    def heard(self, event: Event) -> None:
        """Where a host stands."""
        if event.step is Phase.CHECKS and event.kind is EventKind.STATE and event.host and event.state:
            glyph = GLYPHS.get(event.state, "▸")
            self._states[event.host] = Words(f"{glyph} {event.state}", state_tone(event.state))

    async def draw(self) -> None:
        """From what was read so far."""
        if self.controller.found is None:
            return
        self._look.disabled = bool(self.busy)
        self._table.show((n.name, self._cells(n)) for n in self._hosts)
        self._draw_detail()
        self._error_box.show_error(self.error)
        await self._finding_list.show(self._findings, self.controller.choices.acknowledged)

    @property
    def _inspection(self) -> Inspection | None:
        return None if self.busy or self.controller.is_stale else self.controller.inspection

    @property
    def _hosts(self) -> tuple[Node, ...]:
        inspection = self._inspection
        return (inspection.cluster if inspection else self.controller.cluster).visited

    @property
    def _findings(self) -> tuple[Finding, ...]:
        """What is new since the nodes were confirmed."""
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
            str(node.pod_cidr or "not known"),
            CIDR_SOURCE_LABELS[node.pod_cidr_source],
            forwarding,
            _pods(facts),
        )

    def _draw_detail(self) -> None:
        name, inspection = self._table.key, self._inspection
        text: tuple[Words | str, ...] = ("",)
        if name is not None and inspection is not None:
            facts, trouble = inspection.facts.get(name), inspection.troubles.get(name)
            if trouble is not None:
                rebuilt = "k it was rebuilt: take its new key\n" if isinstance(trouble, HostKeyChanged) else ""
                text = (Words(f"✗ {trouble.sentence}\n", Tone.BAD), Words(rebuilt, Tone.NEW), dim(trouble.hint))
            elif facts is not None:
                text = (dim(_detail(facts)),)
        self._detail.show(*text)

    @on(KeyedTable.RowHighlighted, "#hosts")
    def _moved(self) -> None:
        if self.controller.found is not None:
            self._draw_detail()

    def refusal(self) -> str:
        """Nothing was read, a stop, or a new warning that nobody ticked."""
        inspection = self._inspection
        if inspection is None:
            return "the hosts were not looked at yet. Look again reads them."
        found = stops(self.controller.host_findings)
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            return f"{found[0].sentence}{more}"
        if not inspection.facts:
            return "no host could be read. r looks again."
        unknown = self.controller.unacknowledged(self._findings)
        return f"tick “I know” at {count(len(unknown), 'warning')} above." if unknown else ""

    def status(self) -> Words | str:
        """What was read."""
        inspection = self._inspection
        if inspection is None:
            return ""
        skipped = len(inspection.troubles)
        words = f"{count(len(inspection.facts), 'host')} read"
        return Words(f"{words}, {skipped} skipped: the others go on without.", Tone.WARNING) if skipped else ""

    def by_hand(self) -> Iterable[str]:
        """What was run."""
        controller, title = self.controller, "What is read on each host; nothing is changed"
        commands = controller.commands.get(Phase.CHECKS, {})
        return manual_commands.ran(title, commands, controller.cluster, controller.settings_of_source)

    def palette(self) -> Iterable[SystemCommand]:
        """Look again."""
        if not self.busy:
            yield SystemCommand("Look again", "Read all hosts again", self.action_look)
            yield SystemCommand(
                "It was rebuilt", "Take the host's changed key for a new one; asks", self.action_rebuilt
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
    return (
        f"{facts.node} calls itself {facts.hostname or '?'}; as {how}; {version[0] if version else facts.iproute2}\n"
        f"host key {key.fingerprint} ({key.type.removeprefix('ssh-')}{new})"
    )
