"""Step 2: the nodes as found: to correct, leave out or remove; the findings that stop the run."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from kthw_routes.cluster import Cluster, Node, Selection
from kthw_routes.errors import KthwRoutesError
from kthw_routes.sanitize import clean_line
from kthw_routes.wizard import own_nodes
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.modals.node_editor import NodeEditor, OwnNodeEditor
from kthw_routes.wizard.modals.save_form import SaveForm
from kthw_routes.wizard.state import SourceKind
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import manual_commands, node_rows
from kthw_routes.wizard.text.refusals import refuse_stops, refuse_unticked
from kthw_routes.wizard.themes import dim
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.wizard.widgets.findings import FindingList
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import Tone, Words, count

_WIDE = 82
"""Columns from which role and region are in the table."""


class NodesStep(StepScreen):
    """A table of nodes, and the findings below it."""

    title_word = "Nodes"
    purpose = "These nodes were found. Correct what is wrong, then press Next."
    lesson_name = "nodes"
    keys = (
        ("Enter", "correct the node"),
        ("a", "add a node (only your own machines)"),
        ("l  Delete", "leave the node out this time, or include it again"),
        ("x", "remove the node for good (asks first)"),
        ("s", "save the nodes as an inventory file"),
        ("r", "find the nodes again (asks first)"),
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
        self._table = self.first_focus = KeyedTable(*node_rows.COLUMNS[:4], id="nodes")
        self._detail = Paragraph(id="detail")
        self._findings = FindingList(tickable=True, id="findings")
        self._add = Button("Add node", id="add", compact=True, action="screen.add")
        self._save = Button("Save", id="save", compact=True, action="screen.save")
        self._saved: tuple[str, Cluster] | None = None
        """A file, and the nodes that were saved to it."""

    @property
    def purpose_text(self) -> str:
        """What kind of file it is; or what to do while the table is empty."""
        found = self.controller.found
        if found is None or not found.source.is_own:
            return self.purpose
        if not self.controller.cluster.nodes:
            return "No nodes yet. Press a to add the first; its SSH address is enough."
        kind = next((f.sentence for f in found.discovery.findings if f.code == "inventory-kind"), "")
        return f"{kind or 'Your own machines.'} Correct what is wrong, then press Next."

    @property
    def extra_buttons(self) -> Iterable[Button]:
        """Add and save."""
        return self._add, self._save

    def compose_body(self) -> ComposeResult:
        """Yield the table with its detail line, then the findings."""
        with VerticalScroll(can_focus=False):
            yield self._table
            yield self._detail
            yield self._findings

    async def draw(self) -> None:
        """Draw the nodes as chosen."""
        if self.controller.found is None:
            return
        findings = self.controller.node_findings
        stopped, width = node_rows.find_stopped(findings), self._name_width
        nodes = enumerate(self.controller.cluster)
        is_wide = self.body.size.width >= _WIDE
        rows = [(str(place), node_rows.make_cells(n, stopped, width, is_wide=is_wide)) for place, n in nodes]
        self._table.show(rows, node_rows.COLUMNS if is_wide else node_rows.COLUMNS[:4])
        self._table.display = bool(self.controller.cluster.nodes)
        self._add.display, self._save.display = self._can_add, self._can_save
        self._draw_detail()
        is_begun = bool(self.controller.cluster.nodes) or not self._is_own
        await self._findings.show(findings if is_begun else (), self.controller.choices.acknowledged)

    @property
    def _name_width(self) -> int:
        return 22 if self.size.width < 100 else 40

    def _draw_detail(self) -> None:
        node = self._node
        if node is None:
            self._detail.show("")
            return
        is_typed = self.controller.is_typed(node)
        self._detail.show(*node_rows.describe(node, self._name_width, is_own=self._is_own, is_typed=is_typed))

    @property
    def _node(self) -> Node | None:
        place = self._table.key  # not its name: two nodes with one name are a finding
        return self.controller.cluster.nodes[int(place)] if place is not None else None

    @on(KeyedTable.RowHighlighted, "#nodes")
    def _moved(self) -> None:
        if self.controller.found is not None:
            self._draw_detail()

    @on(KeyedTable.RowSelected, "#nodes")
    def _edit(self) -> None:
        node, cluster = self._node, self.controller.cluster
        if node is not None:
            # From a browser only the lab can be reached, not what is on the network of whoever serves it.
            can_change_ssh = not self.app.is_web
            is_typed = self.controller.is_typed(node)
            form = (
                OwnNodeEditor(node, cluster) if is_typed else NodeEditor(node, cluster, can_change_ssh=can_change_ssh)
            )
            self.app.push_screen(form, lambda new: self._edited(node, new))

    def _edited(self, old: Node, new: Node | None) -> None:
        if new is None:
            return
        if self.controller.is_typed(old):  # it may have another name or role, and so another place
            self.controller.choices.delete_node(old)
            self.controller.choices.add_node(new)
            self._move_to(new)
        else:
            self.controller.choices.change_node(old, new)
        self.redraw()

    # --- the person's own machines ---

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
        return not is_lab and bool(self.controller.cluster.nodes)

    def action_add(self) -> None:
        """Open the form for a new node."""
        if self._can_add:
            self.app.push_screen(OwnNodeEditor(None, self.controller.cluster), self._added)
        else:
            self.app.bell()

    def _added(self, node: Node | None) -> None:
        if node is not None:
            self.controller.choices.add_node(node)
            self._move_to(node)
            self.redraw()

    def _move_to(self, node: Node) -> None:
        """Draw the table with the cursor on this node."""
        table = self._table
        table.display = True
        width = self._name_width
        is_wide = self.body.size.width >= _WIDE
        nodes = enumerate(self.controller.cluster)
        table.show((str(p), node_rows.make_cells(n, set(), width, is_wide=is_wide)) for p, n in nodes)
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
        why = own_nodes.why_save(text, is_own=self._is_own)
        path = self.controller.choices.path if self.controller.choices.path.endswith(".toml") else ""
        self.app.push_screen(SaveForm(text, why, path or "nodes.toml"), self._was_saved)

    @property
    def _has_unsaved(self) -> bool:
        """Whether nodes were typed in that are not saved yet."""
        typed = self.controller.choices.source.kind is SourceKind.TYPED and self.controller.found is not None
        if not typed or not self.controller.cluster.nodes or self.last_run.report is not None:
            return False
        return self._saved is None or self._saved[1] is not self.controller.cluster

    def quit_question(self) -> Confirm | None:
        """Ask before nodes that were typed in are lost."""
        if not self._has_unsaved:
            return None
        words = "The nodes that you typed in are not saved. To keep them: Stay, then press s in step 2."
        return Confirm("Quit without saving the nodes?", words, "Stay", quit="Quit")

    def _was_saved(self, path: str | None) -> None:
        if path is not None:
            self._saved = path, self.controller.cluster
            self.redraw()

    def action_leave_out(self) -> None:
        """Leave the node out, or include it again."""
        if (node := self._node) is not None:
            self.controller.choices.toggle_left_out(node)
            self.redraw()

    def action_remove(self) -> None:
        """Ask, then remove the node for good."""
        node = self._node
        if node is not None and self.controller.is_typed(node):
            self.controller.choices.delete_node(node)
            self.redraw()
            return
        if node is None or not node.is_member:
            return
        what = (
            f"When you press Run in step 4, the other workers lose their kthw-routes routes to {node.name}, and the "
            "controllers its name in /etc/hosts. "
            if node.is_worker
            else "Its /etc/hosts stays as it is. "
        )
        words = (
            f"{what}{node.name} is not contacted, and nothing is deleted in your account.\n\n"
            "To skip it only this time, leave it out instead."
        )

        def removed(answer: str | None) -> None:
            if answer == "remove":
                self.controller.choices.remove_node(node)
                self.redraw()
            elif answer == "leave":
                self.controller.choices.change_node(node, replace(node, selection=Selection.LEFT_OUT))
                self.redraw()

        self.app.push_screen(
            Confirm(f"Remove {node.name} for good?", words, "Keep it", leave="Leave it out", remove="Remove"), removed
        )

    def action_find_again(self) -> None:
        """Find the nodes again, after a question: corrections are lost."""

        def sure(answer: str | None) -> None:
            if answer:
                controller, found = self.controller, self.controller.found
                source, token = controller.choices.source, found.token if found else None
                self.start_work("finding the nodes", lambda: controller.find(source, token), controller.take_found)

        words = "The list is replaced by what the source reports now. Your corrections here are lost."
        self.app.push_screen(Confirm("Find the nodes again?", words, "Keep these", again="Find again"), sure)

    @property
    def refusal(self) -> str | None:
        """Why it cannot go on: a stop, or a warning without a tick."""
        findings = self.controller.node_findings
        return refuse_stops(findings) or refuse_unticked(self.controller.choices.unacknowledged(findings))

    @property
    def status(self) -> Words | str:
        """How many are left out, where they were saved, or what went wrong."""
        if self.error is not None:
            return Words(f"✗ {self.error.sentence} {self.error.hint}", Tone.BAD)
        if self._saved is not None and self._saved[1] is self.controller.cluster:
            return Words(f"✓ Saved. Next time: kthw-routes --inventory {clean_line(self._saved[0])}", Tone.GOOD)
        out = sum(1 for n in self.controller.cluster if not n.is_visited)
        return dim(f"{count(out, 'node')} will be skipped.") if out else ""

    def list_commands(self) -> Iterable[str]:
        """Return how to log in."""
        return manual_commands.nodes(self.controller.cluster, self.shown_settings)

    def palette(self) -> Iterable[SystemCommand]:
        """Yield what can be done with a row."""
        if self._can_add:
            yield SystemCommand("Add node", "Type in a node", self.action_add)
        if self._can_save:
            yield SystemCommand("Save nodes", "As an inventory file for the next run", self.action_save)
        yield SystemCommand("Edit node", "Correct the node under the cursor", self._edit)
        yield SystemCommand("Leave out or include", "The node under the cursor", self.action_leave_out)
        yield SystemCommand("Remove for good", "The node under the cursor (asks first)", self.action_remove)
        yield SystemCommand("Find again", "Read the source again (asks first)", self.action_find_again)
