"""Step 1: where the nodes come from, and finding them there."""

from collections.abc import Iterable

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from kthw_routes.errors import KthwRoutesError, UsageError
from kthw_routes.events import Event, EventKind, Step
from kthw_routes.sources.token import WHERE_TO_MAKE_ONE, NoToken, token_of
from kthw_routes.wizard import by_hand
from kthw_routes.wizard.choices import SourceChoice, SourceKind
from kthw_routes.wizard.journey import Found
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.themes import content
from kthw_routes.wizard.widgets.prose import ErrorBox, Prose
from kthw_routes.wizard.widgets.tick import Option, Pick
from kthw_routes.wording import Tone, Words

_LABS = {
    "ca-central": "inside this program; pods get through",
    "eu-west": "the same; here the provider drops their packets",
}


_LAB_WORDS = (
    "Three workers and three controllers as they stand before lab 11, played by this program: real HTTP and SSH, on "
    "this machine's loopback only. No account, no root; all of it is gone at the end."
)
_ACCOUNT_WORDS = "The account's Linodes are read; nothing in the account is ever changed."


class SourceStep(StepScreen):
    """Account or practice lab; the token, where there is none yet."""

    title_word = "Source"
    purpose = "Where do the nodes come from? Nothing is asked of anybody before Next."
    lesson_name = "source"
    first_focus = "Pick"
    keys = (("Up  Down", "choose the source"),)

    def compose_body(self) -> ComposeResult:
        """The choice, the token, what went wrong."""
        rows = self.journey.sources
        with VerticalScroll(can_focus=False):
            yield Pick(tuple(self._option(row) for row in rows), rows.index(self.journey.choices.source), id="source")
            yield Prose(id="source-words")
            yield Static("Linode API token", id="token-title")
            yield Input(password=True, id="token", compact=True, placeholder="paste it here")
            yield Static(content(Words(_token_words(), Tone.QUIET)), id="token-words")
            yield ErrorBox(id="error")
            yield Prose(id="found")

    def _option(self, row: SourceChoice) -> Option:
        if row.kind is SourceKind.LAB:
            return Option(f"Practice lab, {row.lab_region}", _LABS[row.lab_region])
        try:
            return Option("Linode account", f"token from {self.journey.token().origin}")
        except NoToken:
            return Option("Linode account", "needs an API token")
        except UsageError as error:
            return Option("Linode account", error.sentence)

    async def draw(self) -> None:
        """The token only where one is wanted."""
        lab = self.journey.choices.source.kind is SourceKind.LAB
        self.query_one("#source-words", Prose).show(Words(_LAB_WORDS if lab else _ACCOUNT_WORDS, Tone.QUIET))
        wants = self._wants_token
        for name in ("token-title", "token", "token-words"):
            self.query_one(f"#{name}").display = wants
        self.query_one(ErrorBox).show_error(self.error)
        found = self.query_one("#found", Prose)
        found.display = self.journey.is_found and not self.busy
        if self.journey.is_found:
            number = len(self.journey.cluster.nodes)
            found.show(Words(f"✓ {number} nodes were found here. Next keeps your corrections.", Tone.GOOD))

    @property
    def _wants_token(self) -> bool:
        return self.journey.choices.source.kind is SourceKind.ACCOUNT and (
            self.journey.lacks_token or self.error is not None
        )

    @on(Pick.Changed)
    def _chosen(self, event: Pick.Changed) -> None:
        self.abandon_work()
        self.error = None
        self.journey.choices.source = self.journey.sources[event.index]
        self.redraw()

    @on(Input.Changed, "#token")
    def _typed(self) -> None:
        self.redraw()

    @on(Input.Submitted, "#token")
    def _submitted(self) -> None:
        self.action_next()

    def heard(self, event: Event) -> None:
        """Progress, in words."""
        if event.step is Step.FIND and event.kind is EventKind.NOTE and self.busy:
            self.busy = event.text

    def refusal(self) -> str:
        """A token is needed."""
        if self._wants_token and self.journey.lacks_token and not self.query_one("#token", Input).value.strip():
            return "an API token is needed to ask Linode."
        return ""

    def next_label(self) -> str:
        """After an error, the same is tried again."""
        return "Try again" if self.error is not None else "Next"

    def commit(self) -> bool:
        """Find the nodes, unless they are known."""
        choices = self.journey.choices
        text = self.query_one("#token", Input).value
        try:
            if self._wants_token and text.strip():
                choices.token = token_of(text, "the field above")
            token = None if choices.source.kind is SourceKind.LAB else self.journey.token()
        except UsageError as error:
            self.error = error
            self.redraw()
            return False
        if self.journey.is_found and self.journey.found_token == token:
            return True
        source = choices.source
        lab = source.kind is SourceKind.LAB
        self.work(
            "starting the practice lab" if lab else "asking Linode for the nodes",
            lambda: self.journey.find(source, token),
            self._found,
        )
        return False

    def _found(self, found: Found) -> None:
        self.journey.take_found(found)
        self.wizard.walk(1)

    def failed(self, _error: KthwRoutesError) -> None:
        """Stopped by the person: that is no error."""
        self.redraw()

    def by_hand(self) -> Iterable[str]:
        """The API's requests."""
        return by_hand.finding(self.journey)


def _token_words() -> str:
    make, _, _ = WHERE_TO_MAKE_ONE.partition(" and put it")
    return f"{make}. That scope suffices. What you paste stays in memory and goes to Linode only."
