"""Step 2: the nodes as found; corrected, left out, removed; what speaks against going on."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Button

from kthw_routes.cluster import Cluster, Node, Selection
from kthw_routes.errors import KthwRoutesError
from kthw_routes.findings.model import Finding, Level, stops
from kthw_routes.sanitize import clean_line
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.modals.node_editor import OwnNodeForm
from kthw_routes.wizard.modals.node_form import NodeForm
from kthw_routes.wizard.modals.save_form import SaveForm
from kthw_routes.wizard.state import SourceKind
from kthw_routes.wizard.steps.base import StepScreen, Wizard
from kthw_routes.wizard.text import manual_commands
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.wizard.widgets.findings import FindingList
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import Tone, Words, count

_WITH_FILE = "kthw-routes --inventory FILE"
_COLUMN_OF = {
    "ssh-address-not-chosen": "ssh",
    "no-ssh-address": "ssh",
    "vpc-next-hop": "internal",
    "shared-internal-address": "internal",
    "internal-address-not-chosen": "internal",
    "no-internal-address": "internal",
    "duplicate-name": "name",
    "not-a-host-name": "name",
}


class NodesStep(StepScreen):
    """A table of nodes, and the findings below it."""

    title_word = "Nodes"
    purpose = "These nodes were found. Correct what is wrong, confirm addresses and region."
    lesson_name = "nodes"
    keys = (
        ("Enter", "correct the node"),
        ("a", "add a node, where they are machines of your own"),
        ("l  Delete", "leave the node out, or take it in again"),
        ("x", "remove the node for good; take one away that was typed"),
        ("s", "save the nodes as an inventory file"),
        ("r", "ask the source again"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add", "Add", show=False),
        Binding("s", "save", "Save", show=False),
        Binding("l,delete", "leave_out", "Leave out", show=False),
        Binding("x", "remove", "Remove for good", show=False),
        Binding("r", "find_again", "Find again", show=False),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._table = self.first_focus = KeyedTable("node", "ssh", "internal address", "expected pod CIDR", id="nodes")
        self._detail = Paragraph(id="detail")
        self._findings = FindingList(tickable=True, id="findings")
        self._add = Button("Add node", id="add", compact=True, action="screen.add")
        self._save = Button("Save", id="save", compact=True, action="screen.save")
        self._saved: tuple[str, Cluster] | None = None
        """A file, and the nodes that were saved in it."""

    def purpose_words(self) -> str:
        """What kind of file it was; or that the table is still empty."""
        found = self.controller.found
        if found is None or not found.source.is_own:
            return self.purpose
        if not self.controller.cluster.nodes:
            return "No nodes yet. Press a to add the first: its SSH address is enough."
        kind = next((f.sentence for f in found.discovery.findings if f.code == "inventory-kind"), "")
        return f"{kind or 'Your own machines.'} Correct what is wrong, confirm the addresses."

    def extra_buttons(self) -> Iterable[Button]:
        """Add and save."""
        return self._add, self._save

    def compose_body(self) -> ComposeResult:
        """The table with its detail line, then the findings."""
        with VerticalScroll(can_focus=False):
            yield self._table
            yield self._detail
            yield self._findings

    async def draw(self) -> None:
        """From the nodes as chosen."""
        if self.controller.found is None:
            return
        findings = self.controller.node_findings
        stopped = {(f.node, _column(f)) for f in findings if f.level is Level.STOP}
        nodes = enumerate(self.controller.cluster)
        self._table.show((str(place), self._cells(n, stopped)) for place, n in nodes)
        self._table.display = bool(self.controller.cluster.nodes)
        self._add.display, self._save.display = self._can_add, self._can_save
        self._draw_detail()
        is_begun = bool(self.controller.cluster.nodes) or not self._is_own
        await self._findings.show(findings if is_begun else (), self.controller.choices.acknowledged)

    def _cells(self, node: Node, stopped: set[tuple[str | None, str]]) -> tuple[Words | str, ...]:
        def shown(column: str, text: str) -> Words | str:
            if (node.name, column) in stopped:
                return Words(f"{text}  ✗ stop", Tone.BAD)
            return text if node.is_visited else dim(text)

        width = 22 if self.size.width < 100 else 40
        name = shown("name", cut_middle(node.name, width))
        if node.selection is Selection.LEFT_OUT:
            name = dim(f"{cut_middle(node.name, width)} left out")
        elif node.selection is Selection.REMOVED:
            name = Words(f"{cut_middle(node.name, width)} removed", Tone.LOSS)
        cidr = str(node.pod_cidr or "not known") if node.is_worker else "–"
        return (
            name,
            shown("ssh", str(node.ssh or "none")),
            shown("internal", str(node.internal or "none")),
            shown("cidr", cidr),
        )

    def _draw_detail(self) -> None:
        node = self._node
        if node is None:
            self._detail.show("")
            return
        known = {node.internal, IPv4Address(node.ssh.host) if node.ssh and _is_address(node.ssh.host) else None}
        further = [f"{a.ip} ({a.kind})" for a in node.addresses if a.ip not in known]
        is_own = self._is_own
        where = node.region or ""
        parts = [str(node.role), where] if is_own else [where, node.status.replace("_", " ")]
        if node.name not in str(self._cells(node, set())[0]):
            parts.insert(0, node.name)
        if further:
            parts.append(f"also {', '.join(further)}")
        keys = f"Enter edit   l {'leave out' if node.is_visited else 'take in'}"
        if self.controller.is_typed(node):
            keys += "   x take away"
        elif node.selection is not Selection.REMOVED:
            keys += "   x remove for good"
        keys += "   a add a node" if is_own else ""
        facts = dim(f"{' · '.join(p for p in parts if p)}   ")
        self._detail.show(facts, Words(keys, Tone.NEW))

    @property
    def _node(self) -> Node | None:
        place = self._table.key  # not its name: two nodes of one name are a finding, no fault
        return self.controller.cluster.nodes[int(place)] if place is not None else None

    @on(KeyedTable.RowHighlighted, "#nodes")
    def _moved(self) -> None:
        if self.controller.found is not None:
            self._draw_detail()

    @on(KeyedTable.RowSelected, "#nodes")
    def _edit(self) -> None:
        node, cluster = self._node, self.controller.cluster
        if node is not None:
            form = OwnNodeForm(node, cluster) if self.controller.is_typed(node) else NodeForm(node, cluster)
            self.app.push_screen(form, lambda new: self._edited(node, new))

    def _edited(self, old: Node, new: Node | None) -> None:
        if new is None:
            return
        if self.controller.is_typed(old):  # it may have another name or role, and so another place
            self.controller.take_away(old)
            self.controller.add_node(new)
            self._move_to(new)
        else:
            self.controller.change_node(old, new)
        self.redraw()

    # --- machines of one's own ---

    @property
    def _is_own(self) -> bool:
        return self.controller.found is not None and self.controller.found.source.is_own

    @property
    def _can_add(self) -> bool:
        return self._is_own and not self.busy

    @property
    def _can_save(self) -> bool:
        found = self.controller.found
        is_lab = found is None or found.source.kind is SourceKind.LAB
        return not is_lab and bool(self.controller.cluster.workers)

    def action_add(self) -> None:
        """Type a node in."""
        if self._can_add:
            self.app.push_screen(OwnNodeForm(None, self.controller.cluster), self._added)
        else:
            self.app.bell()

    def _added(self, node: Node | None) -> None:
        if node is not None:
            self.controller.add_node(node)
            self._move_to(node)
            self.redraw()

    def _move_to(self, node: Node) -> None:
        """Draw the table, with the cursor on this node."""
        table = self._table
        table.display = True
        table.show((str(place), self._cells(n, set())) for place, n in enumerate(self.controller.cluster))
        table.move_cursor(row=next(place for place, n in enumerate(self.controller.cluster) if n is node))
        table.focus()

    def action_save(self) -> None:
        """Save the nodes as an inventory file."""
        if not self._can_save:
            self.app.bell()
            return
        try:
            text = self.controller.inventory_text()
        except KthwRoutesError as error:
            words = f"{error.sentence}\n\n{error.hint}"
            self.app.push_screen(Confirm("Not saved yet", words, "Close"))
            return
        own = "" if self._is_own else ", and needs no API token then"
        why = f"The next run reads them from there ({_WITH_FILE}){own}. No secret is written into it."
        path = self.controller.choices.path if self.controller.choices.path.endswith(".toml") else ""
        self.app.push_screen(SaveForm(text, why, path or "nodes.toml"), self._was_saved)

    @property
    def _has_unsaved(self) -> bool:
        """Whether nodes were typed in that stand nowhere else yet."""
        typed = self.controller.choices.source.kind is SourceKind.TYPED and self.controller.found is not None
        if not typed or not self.controller.cluster.nodes or self.controller.report is not None:
            return False
        return self._saved is None or self._saved[1] is not self.controller.cluster

    def quit_question(self) -> Confirm | None:
        """Nodes that were typed in would be lost."""
        if not self._has_unsaved:
            return None
        words = "The nodes that you typed in are saved nowhere. In step 2, s saves them as a file for the next time."
        return Confirm("Quit without saving the nodes?", words, "Stay", quit="Quit")

    def _was_saved(self, path: str | None) -> None:
        if path is not None:
            self._saved = path, self.controller.cluster
            self.redraw()

    def action_leave_out(self) -> None:
        """Leave the node out, or take it in again."""
        if (node := self._node) is not None:
            self.controller.leave_out(node)
            self.redraw()

    def action_remove(self) -> None:
        """Ask, then remove the node for good."""
        node = self._node
        if node is not None and self.controller.is_typed(node):
            self.controller.take_away(node)
            self.redraw()
            return
        if node is None or not node.is_member:
            return
        what = (
            f"Routes of ours to {node.name} are removed from the other workers, and its name from /etc/hosts on the "
            "controllers, when you press Run in step 4. "
            if node.is_worker
            else "What stands in its /etc/hosts stays as it is. "
        )
        words = (
            f"{what}{node.name} itself is neither visited nor changed, and nothing is deleted in your account.\n\n"
            "To only skip it for now, leave it out instead."
        )

        def removed(answer: str | None) -> None:
            if answer == "remove":
                self.controller.remove(node)
                self.redraw()
            elif answer == "leave":
                self.controller.change_node(node, replace(node, selection=Selection.LEFT_OUT))
                self.redraw()

        self.app.push_screen(
            Confirm(f"Remove {node.name} for good?", words, "Keep it", leave="Leave it out", remove="Remove"), removed
        )

    def action_find_again(self) -> None:
        """Ask the source again; corrections are lost by that, so it is asked."""

        def sure(answer: str | None) -> None:
            if answer:
                controller = self.controller
                source, token = controller.choices.source, controller.found_token
                self.work("asking again for the nodes", lambda: controller.find(source, token), controller.take_found)

        words = "The nodes are taken as the source tells them now. Your corrections here are lost."
        self.app.push_screen(Confirm("Find the nodes again?", words, "Keep these", again="Find again"), sure)

    def refusal(self) -> str:
        """A stop, or a warning that nobody ticked."""
        findings = self.controller.node_findings
        found = stops(findings)
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            return f"{found[0].sentence}{more}"
        unknown = self.controller.unacknowledged(findings)
        if unknown:
            return f"tick “I know” at {count(len(unknown), 'warning')} above."
        return ""

    def status(self) -> Words | str:
        """How many there are, where they were saved, or what went wrong."""
        if self.error is not None:
            return Words(f"✗ {self.error.sentence} {self.error.hint}", Tone.BAD)
        if self._saved is not None and self._saved[1] is self.controller.cluster:
            return Words(f"✓ Saved. The next time: kthw-routes --inventory {clean_line(self._saved[0])}", Tone.GOOD)
        out = sum(1 for n in self.controller.cluster if not n.is_visited)
        return dim(f"{count(out, 'node')} will not be visited.") if out else ""

    def by_hand(self) -> Iterable[str]:
        """How to log in."""
        return manual_commands.nodes(self.controller.cluster, self.controller.settings_of_source)

    def palette(self) -> Iterable[SystemCommand]:
        """What a row can do."""
        if self._can_add:
            yield SystemCommand("Add node", "Type a node in", self.action_add)
        if self._can_save:
            yield SystemCommand("Save nodes", "As an inventory file, for the next run", self.action_save)
        yield SystemCommand("Edit node", "Correct the node under the cursor", self._edit)
        yield SystemCommand("Leave out or take in", "The node under the cursor", self.action_leave_out)
        yield SystemCommand("Remove for good", "The node under the cursor; asks", self.action_remove)
        yield SystemCommand("Find again", "Ask the source again; asks", self.action_find_again)


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def _column(finding: Finding) -> str:
    if finding.code.startswith("pod-cidr"):
        return "cidr"
    return _COLUMN_OF.get(finding.code, "name")
