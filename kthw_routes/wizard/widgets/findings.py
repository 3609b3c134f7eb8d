"""The findings of a step: level, sentence, hint; each warning with a box to tick."""

from collections.abc import Iterable
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

from kthw_routes.findings.model import Finding, Level
from kthw_routes.wizard.themes import style_content
from kthw_routes.wizard.widgets.choices import TickBox
from kthw_routes.words import Tone, Words, level_tone, level_word

_ORDER = {Level.STOP: 0, Level.SKIP_HOST: 1}
_DANGEROUS = frozenset({"own-pod-cidr-routed-away", "foreign-route"})
"""Codes of notices of what hurts, though nothing has to be ticked."""


class FindingView(Vertical):
    """One finding."""

    DEFAULT_CSS = """
    FindingView {
        height: auto;
        margin: 0 1 1 1;
        .sentence { height: auto; }
        .mark { width: 2; }
        .words { width: 1fr; }
        .hint { margin-left: 2; }
        TickBox { margin-left: 1; }
        &:focus { background: $surface; }
    }
    """

    @dataclass
    class Acknowledged(Message):
        """The person ticked a warning, or cleared it."""

        finding: Finding
        known: bool

    def __init__(self, finding: Finding, known: bool | None) -> None:
        """`known`: whether its box is ticked; None where it has none."""
        super().__init__()
        self.finding = finding
        self.box = None if known is None else TickBox("I know", known)
        self.can_focus = self.box is None

    def compose(self) -> ComposeResult:
        """Yield the mark to the left, the sentence, the box, and the hint below."""
        mark, _, word = level_word(self.finding).partition(" ")
        tone = level_tone(self.finding)
        with Horizontal(classes="sentence"):
            yield Static(style_content(Words(mark, tone)), classes="mark")
            lead = Words("" if word == "notice" else f"{word}: ", tone)
            yield Static(style_content(lead, self.finding.sentence), classes="words")
            if self.box is not None:
                yield self.box
        if self.finding.hint:
            yield Static(style_content(Words(self.finding.hint, Tone.QUIET)), classes="hint")

    def on_checkbox_changed(self, event: TickBox.Changed) -> None:
        """Report which warning it was."""
        event.stop()
        self.post_message(self.Acknowledged(self.finding, event.value))


class FindingList(Vertical):
    """All findings, the most severe first; warnings to tick before notices."""

    DEFAULT_CSS = "FindingList { height: auto; margin-top: 1; }"

    def __init__(self, *, tickable: bool = False, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._tickable = tickable
        self._views: dict[Finding, FindingView] = {}
        self._shown: tuple[tuple[Finding, bool | None], ...] = ()

    async def show(self, findings: Iterable[Finding], known: frozenset[Finding] = frozenset()) -> None:
        """Draw them; those that stay keep their place, so that nothing jumps and the focus stays."""
        unique = dict.fromkeys(findings)
        order = sorted(unique, key=_rank)
        fresh = tuple((f, (f in known) if self._tickable and f.acknowledge else None) for f in order)
        if fresh == self._shown:
            return
        self._shown = fresh
        views, self._views = self._views, {}
        for finding in views.keys() - dict(fresh).keys():
            await views[finding].remove()
        before: FindingView | None = None
        for finding, ticked in fresh:
            view = self._views[finding] = views.get(finding) or FindingView(finding, ticked)
            if finding not in views:
                await self.mount(view, **({"after": before} if before else {"before": 0} if self.children else {}))
            elif view.box is not None:
                view.box.show(bool(ticked))
            before = view


def _rank(finding: Finding) -> int:
    if finding.level in _ORDER:
        return _ORDER[finding.level]
    return 2 if finding.acknowledge else 3 if finding.code in _DANGEROUS else 4
