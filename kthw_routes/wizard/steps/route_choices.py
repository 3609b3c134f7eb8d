"""The choices of the review: routes after a reboot, names in /etc/hosts, forwarding, cloud-init's template."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Label, OptionList, Select

from kthw_routes.options import NamesOn, Options
from kthw_routes.persistence.model import Manager, Persist
from kthw_routes.persistence.paths import FORWARDING_FILE
from kthw_routes.wizard.modals.choose_manager import ChooseManager
from kthw_routes.wizard.text import persist_question
from kthw_routes.wizard.themes import dim
from kthw_routes.wizard.widgets.choices import ChoiceList, LineSelect, TickBox
from kthw_routes.words import Words
from kthw_routes.workflow.results import Review

_NAMES: Final = (
    "The workers' names go into /etc/hosts of these nodes, in a marked block; the rest of the file does not change. "
    "Left and Right choose; none leaves the files untouched."
)


class RouteChoices(Vertical):
    """The question and the further choices, each only where it applies."""

    DEFAULT_CSS = "RouteChoices { height: auto; }"

    @dataclass
    class Changed(Message):
        """The person chose something else."""

        options: Options

    @dataclass
    class Moved(Message):
        """Another choice has the focus, or another answer the cursor."""

    def __init__(self, options: Options) -> None:
        """`options`: as chosen so far. A `Select` reports its first value as a change, so it begins with that."""
        super().__init__(id="route-choices")
        self._options = options
        self._persist = ChoiceList(id="persist")
        self._names = LineSelect(tuple(NamesOn), options.names_on, id="names")
        self._forward = TickBox("forwarding on", id="forward")
        self._template = TickBox("cloud-init template", id="template")

    def compose(self) -> ComposeResult:
        """Yield the question, and the further choices on one line."""
        yield self._persist
        with Horizontal(id="choices"):
            yield Label("/etc/hosts of")
            yield from (self._names, self._forward, self._template)

    def show(self, review: Review, *, is_over: bool) -> None:
        """Show what is chosen. `is_over`: it was run, so nothing can be chosen."""
        options = self._options = review.options
        self._persist.show(persist_question.list_answers(review), persist_question.find_index(options.persist))
        self._persist.display = persist_question.is_applicable(review)
        self._names.show(options.names_on)
        self._forward.show(options.ip_forward)
        self._template.show(options.hosts_template)
        self._forward.display = bool(_not_forwarding(review)) or options.ip_forward
        self._template.display = bool(_with_template(review)) or options.hosts_template
        for widget in (self._persist, self._names, self._forward, self._template):
            widget.disabled = is_over

    def focus_question(self) -> None:
        """Focus the question about the next reboot."""
        self._persist.focus()

    def turn_names(self) -> None:
        """Choose the next nodes for the names."""
        if not self._names.disabled:
            self._names.action_turn(-1)

    def owns(self, widget: Widget) -> bool:
        """Whether `widget` is one of the choices."""
        return widget in (self._persist, self._names, self._forward, self._template)

    def describe(self, topic: Widget, review: Review) -> Iterable[Words | str]:
        """Explain one of the choices."""
        if topic is self._persist:
            return persist_question.explain(review, self._persist.highlighted or 0)
        if topic is self._names:
            return (dim(_NAMES),)
        if topic is self._forward:
            where = ", ".join(_not_forwarding(review)) or "these nodes"
            return (
                dim(
                    f"net.ipv4.ip_forward is 0 on {where}. The CNI plugin turns forwarding on with the first pod. "
                    f"Tick this to turn it on now and at each boot ({FORWARDING_FILE.path})."
                ),
            )
        return (
            dim(
                f"cloud-init rewrites /etc/hosts at each boot on {', '.join(_with_template(review))} "
                "(manage_etc_hosts), and the names are lost. Tick this to add them to its template too."
            ),
        )

    def _choose(self, options: Options) -> None:
        self.post_message(self.Changed(options))

    @on(DescendantFocus)
    @on(OptionList.OptionHighlighted, "#persist")
    def _moved(self) -> None:
        self.post_message(self.Moved())

    @on(OptionList.OptionSelected, "#persist")
    def _answered(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index != persist_question.BY_NAME:
            is_no = event.option_index == persist_question.NO
            self._choose(replace(self._options, persist=Persist.NONE if is_no else Persist.AUTO))
            return

        def take_manager(manager: Manager | None) -> None:
            if manager is not None:
                self._choose(replace(self._options, persist=Persist(manager.value)))

        chosen = self._options.persist.manager if self._options.persist else None
        self.app.push_screen(ChooseManager(chosen), take_manager)

    @on(Select.Changed, "#names")
    def _names_chosen(self, event: Select.Changed) -> None:
        event.stop()
        if (names_on := self._names.selection) not in (None, self._options.names_on):
            self._choose(replace(self._options, names_on=names_on))

    @on(TickBox.Changed, "#forward")
    def _forward_ticked(self, event: TickBox.Changed) -> None:
        event.stop()
        self._choose(replace(self._options, ip_forward=event.value))

    @on(TickBox.Changed, "#template")
    def _template_ticked(self, event: TickBox.Changed) -> None:
        event.stop()
        self._choose(replace(self._options, hosts_template=event.value))


def _not_forwarding(review: Review) -> list[str]:
    """Return the nodes with routes on which forwarding is off."""
    inspection, on_nodes = review.inspection, review.options.routes_on
    nodes = (n for n in inspection.cluster.visited if n.name in inspection.facts and on_nodes.counts(n))
    return [n.name for n in nodes if not inspection.facts[n.name].ip_forward]


def _with_template(review: Review) -> list[str]:
    """Return the nodes with names on which cloud-init rewrites /etc/hosts at each boot."""
    inspection, on_nodes = review.inspection, review.options.names_on
    nodes = (n for n in inspection.cluster.visited if n.name in inspection.facts and on_nodes.counts(n))
    return [n.name for n in nodes if inspection.facts[n.name].network.hosts_template is not None]
