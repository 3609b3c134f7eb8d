"""Step 1: choose where the nodes come from, and find them there."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, OptionList, Static

from kthw_routes.errors import KthwRoutesError, UsageError
from kthw_routes.events import Event, EventKind, Phase
from kthw_routes.sources.inventory.problems import InventoryError
from kthw_routes.sources.linode.token import WHERE_TO_MAKE_ONE, NoToken, token_of
from kthw_routes.wizard.sources import Found
from kthw_routes.wizard.state import SourceChoice, SourceKind
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import manual_commands, source_words
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.wizard.widgets.choices import PickList
from kthw_routes.wizard.widgets.paragraph import ErrorBox, Paragraph, problem_words
from kthw_routes.wizard.widgets.path_input import PathInput
from kthw_routes.words import Tone, Words, count

_LABS = {
    "ca-central": "simulated here; pod traffic gets through",
    "eu-west": "simulated here; the provider drops pod traffic",
}
_LAB_WORDS = (
    "Three workers and three controllers as they are before lab 11, simulated by this program with real HTTP and SSH "
    "on this machine only. It needs no account and no root, and is deleted at the end."
)
_WORDS = {
    SourceKind.ACCOUNT: "Reads the Linodes of your account. Nothing in the account is ever changed.",
    SourceKind.INVENTORY: "",
    SourceKind.TYPED: (
        "Machines with fixed addresses, for example on Proxmox, libvirt or bare metal. The next step starts with an "
        "empty table, and can save it to a file for next time."
    ),
    SourceKind.LAB: _LAB_WORDS,
}
_PATH_WORDS = (
    "A TOML inventory, the tutorial's machines.txt, or an Ansible inventory (INI or YAML). Tab completes the path. "
    "No machine is contacted until the whole file is valid."
)


class SourceStep(StepScreen):
    """Account, inventory file, typed in, or practice lab; then the token or the path, where it is missing."""

    title_word = "Source"
    purpose = "Where do the nodes come from? Nothing is contacted before you press Next."
    lesson_name = "source"
    keys = (
        ("Up  Down", "choose the source"),
        ("Tab", "to the field; completes a path"),
        ("Page keys", "scroll the errors of a file"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_step(-1)", "Up", show=False),
        Binding("down", "scroll_step(1)", "Down", show=False),
        Binding("pageup", "scroll_step(-8)", "Page up", show=False),
        Binding("pagedown", "scroll_step(8)", "Page down", show=False),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._scroll = VerticalScroll(id="source-scroll", can_focus=False)
        self._sources = self.first_focus = PickList(id="source")
        self._source_words = Paragraph(id="source-words")
        self._token = Input(password=True, id="token", compact=True, placeholder="paste it here")
        self._token_field = (
            Static("Linode API token", id="token-title"),
            self._token,
            Static(_token_words(), id="token-words", classes="hint", markup=False),
        )
        self._path = PathInput(id="path", placeholder="nodes.toml")
        self._path_title = Static("Inventory file", id="path-title")
        self._path_words = Static(_PATH_WORDS, id="path-words", classes="hint", markup=False)
        self._error_box = ErrorBox(id="error")
        self._problems = Paragraph(id="problems")
        self._found_box = Paragraph(id="found")
        self._kept = Paragraph(id="kept")
        self._listed: KthwRoutesError | None = None
        self._shows_problems = True

    def compose_body(self) -> ComposeResult:
        """Yield the choice, the token or the path, the errors."""
        self._path.value = self.controller.choices.path  # not earlier: its completion asks the running application
        with self._scroll:
            yield from (self._sources, self._source_words, *self._token_field)
            yield from (self._path_title, self._path, self._path_words)
            yield from (self._error_box, self._problems, self._found_box, self._kept)

    def _row(self, source: SourceChoice) -> tuple[str, str]:
        """Return a title, and the words next to it."""
        if source.kind is SourceKind.LAB:
            return f"Practice lab, {source.lab_region}", _LABS[source.lab_region]
        if source.kind is SourceKind.INVENTORY:
            return "Inventory file", cut_middle(source.path, 40) if source.path else "TOML, machines.txt, Ansible"
        if source.kind is SourceKind.TYPED:
            return "Type them in", "your own machines; an address each is enough"
        try:
            return "Linode account", f"token from {self.controller.token().origin}"
        except NoToken:
            return "Linode account", "needs an API token"
        except UsageError as error:
            return "Linode account", error.sentence

    async def draw(self) -> None:
        """Draw the fields, each only where it is needed."""
        sources, source = self.controller.sources, self.controller.choices.source
        self._sources.show([self._row(row) for row in sources], sources.index(source))
        self._source_words.display = bool(_WORDS[source.kind])
        self._source_words.show(dim(_WORDS[source.kind]))
        for widget in self._token_field:
            widget.display = self._wants_token
        for widget in (self._path_title, self._path, self._path_words):
            widget.display = source.kind is SourceKind.INVENTORY
        await self._draw_error()
        self._kept.display = self.error is None
        self._kept.show(*source_words.kept(self.shown_settings, is_lab=self.controller.is_lab))
        self._found_box.display = self.controller.is_found and not self.busy and self.error is None
        if self.controller.is_found:
            self._found_box.show(Words(f"✓ {self._found_words()}", Tone.GOOD))

    async def _draw_error(self) -> None:
        """Draw all errors of a file with their places; else the one error."""
        error = self.error
        if error is not self._listed:
            self._listed = error
            await self._problems.remove()
            self._problems = Paragraph(id="problems")  # its size shows when these errors have their place
            await self._scroll.mount(self._problems, before=self._found_box)
            self._shows_problems = False
        self._problems.display = isinstance(error, InventoryError) and bool(error.problems)
        if isinstance(error, InventoryError) and error.problems:
            hint = "Correct the file, then try again." + (" Page keys scroll." if len(error.problems) > 1 else "")
            self._error_box.show_error(InventoryError(error.sentence, hint))
            self._problems.show(*problem_words(error.problems, self.body.size.width - 6))
        else:
            self._error_box.show_error(error)

    def laid_out(self) -> None:
        """Scroll to where most of the errors can be seen, once they have their place."""
        if not self._shows_problems and self._problems.size:
            self._shows_problems = True
            self._path_title.scroll_visible(top=True, animate=False, immediate=True)

    def _found_words(self) -> str:
        findings = self.controller.found.discovery.findings if self.controller.found else ()
        kind = next((f.sentence for f in findings if f.code == "inventory-kind"), "")
        number = count(len(self.controller.cluster.nodes), "node")
        if self.controller.choices.source.kind is SourceKind.TYPED:
            return f"{number} typed in so far. Next goes on with these."
        return f"{kind or f'{number} found.'} Next keeps your corrections."

    @property
    def _wants_token(self) -> bool:
        return self.controller.choices.source.kind is SourceKind.ACCOUNT and (
            self.controller.lacks_token or self.error is not None
        )

    @on(OptionList.OptionHighlighted, "#source")
    def _chosen(self, event: OptionList.OptionHighlighted) -> None:
        source = self.controller.sources[event.option_index]
        if source != self.controller.choices.source:
            self.abandon_work()
            self.error = None
            self.controller.choices.source = source
            self.redraw()

    @on(Input.Changed, "#token")
    def _typed(self) -> None:
        self.redraw()

    @on(Input.Changed, "#path")
    def _path_typed(self, event: Input.Changed) -> None:
        choices = self.controller.choices
        path = event.value.strip()
        if path == choices.path:
            return
        choices.path = path
        if choices.source.kind is SourceKind.INVENTORY:
            self.abandon_work()
            self.error = None
            choices.source = replace(choices.source, path=path)
        self.redraw()

    @on(Input.Submitted)
    @on(PickList.Submitted)
    def _submitted(self) -> None:
        self.action_next()

    def action_scroll_step(self, by: int) -> None:
        """Scroll what does not fit."""
        self._scroll.scroll_relative(y=by, animate=False)

    def action_next(self) -> None:
        """Go on, or to the field that is still empty."""
        empty = next((f for f in (self._empty_field(),) if f is not None and not f.has_focus), None)
        if empty is not None and not self.busy:
            empty.focus()
        super().action_next()

    def _empty_field(self) -> Input | None:
        """Return the field that has to be filled in first."""
        if self._wants_token and self.controller.lacks_token:
            field: Input = self._token
        elif self.controller.choices.source.kind is SourceKind.INVENTORY:
            field = self._path
        else:
            return None
        return None if field.value.strip() else field

    def handle_event(self, event: Event) -> None:
        """Show progress, in words."""
        if event.step is Phase.FIND and event.kind is EventKind.NOTE and self.busy:
            self.busy = event.text

    @property
    def refusal(self) -> str | None:
        """Why it cannot go on: a token or a file is missing."""
        field = self._empty_field()
        if field is None:
            return None
        what = "an API token for Linode" if field is self._token else "the path of the inventory file"
        return f"To continue: enter {what}."

    @property
    def next_label(self) -> str:
        """What the button does; after an error, the same again."""
        return "Try again" if self.error is not None else "Next"

    def commit(self) -> bool:
        """Find the nodes, unless they are known."""
        choices = self.controller.choices
        text = self._token.value
        try:
            if self._wants_token and text.strip():
                choices.token = token_of(text, "the field above")
            token = self.controller.token() if choices.source.kind is SourceKind.ACCOUNT else None
        except UsageError as error:
            self.error = error
            self.redraw()
            return False
        if self.controller.is_found_with(token):
            return True
        source = choices.source
        words = {
            SourceKind.ACCOUNT: "asking Linode for the nodes",
            SourceKind.INVENTORY: "reading the file",
            SourceKind.TYPED: "getting ready",
            SourceKind.LAB: "starting the practice lab",
        }
        self.start_work(words[source.kind], lambda: self.controller.find(source, token), self._found)
        return False

    def _found(self, found: Found) -> None:
        self.controller.take_found(found)
        self.wizard.go(1)

    def list_commands(self) -> Iterable[str]:
        """Return how to find the nodes by hand."""
        return manual_commands.finding(self.controller.choices.source)


def _token_words() -> str:
    make, _, _ = WHERE_TO_MAKE_ONE.partition(" and put it")
    return f"{make}. It needs no other scope. The token stays in memory and is sent to Linode only."
