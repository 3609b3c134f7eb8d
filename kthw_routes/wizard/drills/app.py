"""The drills as an application: the list, one drill at a time, and the end."""

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Final

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from kthw_routes.cluster import Cluster
from kthw_routes.drills.catalogue import Catalogue
from kthw_routes.drills.practice import Practice
from kthw_routes.drills.progress import Progress
from kthw_routes.drills.roles import lab_nodes
from kthw_routes.errors import ExitCode
from kthw_routes.wizard.background import Jobs
from kthw_routes.wizard.drills.drill_screen import DrillScreen
from kthw_routes.wizard.drills.list_screen import ListScreen
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.modals.keys import EVERYWHERE, IN_DIALOGS, ShowKeys
from kthw_routes.wizard.terminal_cursor import FollowingApp
from kthw_routes.wizard.themes import CONTRAST, DAY, NIGHT

_TICK = 0.05
"""Seconds between two collections of what threads left."""

_EVERYWHERE: Final = tuple(row for row in EVERYWHERE if row[0] not in ("^n  >", "^b  <", "F1", "F2", "?  F3"))
"""The keys of the wizard that are the same here."""


class DrillsApp(FollowingApp[ExitCode]):
    """One person practising."""

    CSS_PATH = Path(__file__).parents[1] / "wizard.tcss"
    TITLE = "kthw-routes drills"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", show=False, priority=True)]

    def __init__(self, catalogue: Catalogue, progress: Progress, name: str | None, *, with_pods: bool) -> None:
        """`name`: the drill to begin with; None: the list."""
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-tall"), (29, "-high")]
        self.catalogue, self.progress = catalogue, progress
        self._name, self._with_pods = name, with_pods
        self._list = ListScreen(self)
        self.drill: DrillScreen | None = None
        """The drill under way, also while the list is shown."""
        self.jobs = Jobs()
        for theme in (NIGHT, DAY, CONTRAST):
            self.register_theme(theme)
        if "TEXTUAL_THEME" not in os.environ:
            self.theme = NIGHT.name

    def on_mount(self) -> None:
        """Show the list, or the drill that was asked for; start the one timer."""
        self.push_screen(self._list)
        if self._name is not None:
            self.open_drill(self._name)
        self.set_interval(_TICK, self.tick)

    def tick(self) -> None:
        """Collect what threads left."""
        self.jobs.drain(lambda _event: None)
        if self.drill is not None:
            self.drill.collect()
        self.ticked()

    def ticked(self) -> None:
        """Do nothing, after each tick: tests wait for it instead of for time."""

    # --- list and drills ---

    def open_drill(self, name: str) -> None:
        """Show a drill: as it was left, or a new one in the place of another."""
        if self.drill is not None and self.drill.practice.drill.name == name:
            self.push_screen(self.drill)
            return
        self._close_drill()
        practice = Practice(self.catalogue.drill(name), with_pods=self._with_pods)
        place = f"drill {name} · {self.catalogue.names.index(name) + 1} of {len(self.catalogue.names)}"
        self.drill = DrillScreen(practice, self.jobs, place, self._note_solved)
        self.install_screen(self.drill, name)
        self.push_screen(self.drill)

    def _note_solved(self, practice: Practice) -> None:
        self.progress.add(practice.drill.name, hints=practice.hints, wrong=practice.wrong, is_shown=practice.is_shown)

    def _close_drill(self) -> None:
        if self.drill is not None:
            practice = self.drill.practice
            self.uninstall_screen(self.drill)
            threading.Thread(target=practice.close, name="close-lab", daemon=True).start()
            self.drill = None

    def action_show_list(self) -> None:
        """Show the list; the drill stays as it is."""
        if isinstance(self.screen, DrillScreen):
            self.pop_screen()

    def action_next_drill(self) -> None:
        """Start the next drill that is not solved."""
        if isinstance(self.screen, DrillScreen):
            name = self.catalogue.next_after(self.screen.practice.drill.name, self.progress.solved)
            self.pop_screen()
            self.open_drill(name)

    # --- help ---

    def action_lessons(self) -> None:
        """Show the lessons, one after the other, with the values of the lab."""
        from kthw_routes.wizard.modals.lessons import ChooseLesson, ShowLesson  # not needed for the first screen

        def show(name: str | None) -> None:
            if name is not None:
                self.push_screen(ShowLesson(name, Cluster(lab_nodes())), show)

        if not isinstance(self.screen, Dialog):
            self.push_screen(ChooseLesson(), show)

    def action_keys(self) -> None:
        """Show the keys; over a dialog too, but not over themselves."""
        screen = self.screen
        if isinstance(screen, ShowKeys):
            return
        if isinstance(screen, Dialog):
            self.push_screen(ShowKeys("This dialog", (*screen.keys, *IN_DIALOGS), _EVERYWHERE))
        elif isinstance(screen, ListScreen | DrillScreen):
            self.push_screen(ShowKeys(screen.title_word, screen.keys, _EVERYWHERE))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield every action by its name, for the palette."""
        if isinstance(screen, DrillScreen):
            yield SystemCommand("Why", "The command that is typed, or was last, word by word", screen.action_why)
            yield SystemCommand("Hint", "The next of three hints", screen.action_hint)
            yield SystemCommand("What is it?", "Say what is broken", screen.action_cause)
            yield SystemCommand("Check", "Read all nodes: is it repaired?", screen.action_check)
            yield SystemCommand("Look", "Nodes, a packet's way, proof, plan", screen.action_views)
            yield SystemCommand("Next node", "A shell on the next node", lambda: screen.action_node(1))
            yield SystemCommand("Give up", "Show the repair (asks first)", screen.action_solution)
            yield SystemCommand("Drills", "The list; this drill goes on when you come back", self.action_show_list)
            yield SystemCommand("Next drill", "Another one; the lab of this one is gone then", self.action_next_drill)
        yield SystemCommand("Lessons", "Why it works, in nine short lessons with questions", self.action_lessons)
        yield from (command for command in super().get_system_commands(screen) if command.title != "Keys")

    # --- the end ---

    async def action_quit(self) -> None:
        """Quit: nothing real was changed."""
        self.exit(ExitCode.DONE)

    def end_work(self, _patience: float) -> None:
        """Do nothing: the lab ends with the process."""

    def discard_labs(self) -> None:
        """End the lab, from any thread."""
        if self.drill is not None:
            self.drill.practice.close()

    async def end(self) -> None:
        """Quit because of a signal."""
        self.exit(ExitCode.INTERRUPTED)
