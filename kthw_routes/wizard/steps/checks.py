"""Step 3: one read-only visit to each host."""

import re
from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Button, DataTable

from kthw_routes.cluster import Node
from kthw_routes.errors import Cancelled
from kthw_routes.events import Event, EventKind, HostState, Step
from kthw_routes.facts import HostFacts, Privilege
from kthw_routes.findings.model import Finding, stops
from kthw_routes.ssh.errors import HostKeyChanged
from kthw_routes.wizard.controller import Looked
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.text import manual_commands as by_hand
from kthw_routes.wizard.themes import cut_middle
from kthw_routes.wizard.widgets.findings import FindingList, FindingView
from kthw_routes.wizard.widgets.prose import ErrorBox, Prose
from kthw_routes.wizard.widgets.table import Rows, quiet
from kthw_routes.wizard.widgets.tick import Tick
from kthw_routes.words import RESTS_ON, Tone, Words, count, state_tone
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
    first_focus = "Rows"
    keys = (
        ("r", "look again at all hosts"),
        ("Up  Down", "details of another host"),
        ("k", "a host's key has changed: say that it was rebuilt"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "look", "Look again", show=False),
        Binding("k", "rebuilt", "It was rebuilt", show=False),
    ]

    def __init__(self, titles: tuple[str, ...], here: int) -> None:
        super().__init__(titles, here)
        self._states: dict[str, Words] = {}

    def compose_body(self) -> ComposeResult:
        """The table with its detail lines, then the findings."""
        with VerticalScroll(can_focus=False):
            yield Rows("host", "state", "as", "pod CIDR", "rests on", "forwards", "pods", id="hosts")
            yield Prose(id="detail")
            yield ErrorBox(id="error")
            yield FindingList(tickable=True, id="findings")

    def extra_buttons(self) -> Iterable[Button]:
        """Look again."""
        return (Button("Look again", id="look", compact=True),)

    def entered(self) -> None:
        """Look by itself where nothing was read, or the nodes were changed since."""
        if self.journey.is_stale and not self.busy:
            self.action_look()

    @on(Button.Pressed, "#look")
    def action_look(self) -> None:
        """Visit all hosts (again)."""
        if self.busy:
            return
        cluster = self.journey.cluster
        waiting = Words(f"{GLYPHS[HostState.WAITING]} {HostState.WAITING}", Tone.QUIET)
        self._states = {n.name: waiting for n in cluster.visited}
        self.journey.commands.pop(Step.CHECKS, None)

        def done(looked: Looked) -> None:
            if self.journey.is_stopping:
                self.error = Cancelled("Stopped before all hosts were read. Nothing was changed.", "Look again.")
            else:
                self.journey.take_inspection(looked)

        self.work(f"looking at {count(len(cluster.visited), 'host')}", self.journey.inspect, done)

    def action_rebuilt(self) -> None:
        """Take the changed key of the host under the cursor for a new one, if the person says that it was rebuilt."""
        name, trouble = self._changed_key
        if trouble is None or name is None or self.busy:
            return

        def sure(answer: str | None) -> None:
            if answer:
                self.journey.walk.was_rebuilt(name)
                self.action_look()

        words = (
            f"Known:      {trouble.old}\nPresented:  {trouble.new}\n\nOnly if you built {name} anew yourself since: "
            "else something between you and it may answer in its place. Compare with the node's own console."
        )
        self.app.push_screen(Confirm(f"Was {name} rebuilt?", words, "No", rebuilt="It was rebuilt"), sure)

    @property
    def _changed_key(self) -> tuple[str | None, HostKeyChanged | None]:
        """The host under the cursor, and the trouble with its key, if it has that."""
        name = self.query_one("#hosts", Rows).key
        inspection = self._inspection
        trouble = inspection.troubles.get(name) if inspection and name else None
        return name, trouble if isinstance(trouble, HostKeyChanged) else None

    def heard(self, event: Event) -> None:
        """Where a host stands."""
        if event.step is Step.CHECKS and event.kind is EventKind.STATE and event.host and event.state:
            glyph = GLYPHS.get(event.state, "▸")
            self._states[event.host] = Words(f"{glyph} {event.state}", state_tone(event.state))

    async def draw(self) -> None:
        """From what was read so far."""
        if self.journey.found is None:
            return
        self.query_one("#look", Button).disabled = bool(self.busy)
        self.query_one("#hosts", Rows).show((n.name, self._cells(n)) for n in self._hosts)
        self._draw_detail()
        self.query_one(ErrorBox).show_error(self.error)
        await self.query_one(FindingList).show(self._findings, self.journey.choices.acknowledged)

    @property
    def _inspection(self) -> Inspection | None:
        return None if self.busy or self.journey.is_stale else self.journey.inspection

    @property
    def _hosts(self) -> tuple[Node, ...]:
        inspection = self._inspection
        return (inspection.cluster if inspection else self.journey.cluster).visited

    @property
    def _findings(self) -> tuple[Finding, ...]:
        """What is new since the nodes were confirmed."""
        inspection = self._inspection
        if inspection is None:
            return ()
        before = set(self.journey.node_findings)
        return tuple(f for f in self.journey.host_findings if f not in before)

    def _cells(self, node: Node) -> tuple[Words | str, ...]:
        name = cut_middle(node.name, 16 if self.size.width < 100 else 40)
        state = self._states.get(node.name, quiet("…"))
        inspection = self._inspection
        facts = inspection.facts.get(node.name) if inspection else None
        if facts is None:
            return (name, state, "", "", "", "", "")
        if not node.is_worker:
            return (name, state, _ACCESS[facts.privilege], quiet("–"), "", "", "")
        forwarding: Words | str = "yes" if facts.ip_forward else quiet("not yet")
        return (
            name,
            state,
            _ACCESS[facts.privilege],
            str(node.pod_cidr or "not known"),
            RESTS_ON[node.pod_cidr_source],
            forwarding,
            _pods(facts),
        )

    def _draw_detail(self) -> None:
        name = self.query_one("#hosts", Rows).key
        inspection = self._inspection
        text: tuple[Words | str, ...] = ("",)
        if name is not None and inspection is not None:
            facts, trouble = inspection.facts.get(name), inspection.troubles.get(name)
            if trouble is not None:
                rebuilt = "k it was rebuilt: take its new key\n" if isinstance(trouble, HostKeyChanged) else ""
                text = (Words(f"✗ {trouble.sentence}\n", Tone.BAD), Words(rebuilt, Tone.NEW), quiet(trouble.hint))
            elif facts is not None:
                text = (quiet(_detail(facts)),)
        self.query_one("#detail", Prose).show(*text)

    @on(DataTable.RowHighlighted, "#hosts")
    def _moved(self) -> None:
        if self.journey.found is not None:
            self._draw_detail()

    @on(Tick.Changed)
    def _ticked(self, event: Tick.Changed) -> None:
        view = next((a for a in event.tick.ancestors if isinstance(a, FindingView)), None)
        if view is not None:
            self.journey.acknowledge(view.finding, event.value)
            self.redraw()

    def refusal(self) -> str:
        """Nothing was read, a stop, or a new warning that nobody ticked."""
        inspection = self._inspection
        if inspection is None:
            return "the hosts were not looked at yet. Look again reads them."
        found = stops(self.journey.host_findings)
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            return f"{found[0].sentence}{more}"
        if not inspection.facts:
            return "no host could be read. r looks again."
        unknown = self.journey.unacknowledged(self._findings)
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
        return by_hand.looking(self.journey)

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
    return "bridge" if facts.bridge else quiet("none yet")


def _detail(facts: HostFacts) -> str:
    key = facts.host_key
    version = re.search(r"iproute2-[\w.]+", facts.iproute2)
    how = "root" if facts.privilege is Privilege.ROOT else f"{facts.user}, {facts.privilege}"
    new = ", new" if key.is_new else ""
    return (
        f"{facts.node} calls itself {facts.hostname or '?'}; as {how}; {version[0] if version else facts.iproute2}\n"
        f"host key {key.fingerprint} ({key.type.removeprefix('ssh-')}{new})"
    )
