"""The application as a step sees it."""

from typing import Protocol

from kthw_routes.wizard.background import Jobs
from kthw_routes.wizard.controller import Controller
from kthw_routes.wizard.prompts import WizardAsker


class Wizard(Protocol):
    """All that a step knows of the application."""

    @property
    def controller(self) -> Controller:
        """What was chosen and what came of it."""

    @property
    def jobs(self) -> Jobs:
        """Work in threads."""

    @property
    def asker(self) -> WizardAsker:
        """Puts the questions of that work to the person."""

    @property
    def is_why_open(self) -> bool:
        """Whether *Why?* is shown."""

    @property
    def is_quitting(self) -> bool:
        """Whether the person wants to leave."""

    def action_close_why(self) -> None:
        """Close *Why?*."""

    def go(self, by: int) -> None:
        """Go to the next step (1) or back (-1)."""

    def redraw(self) -> None:
        """Draw the step again soon."""

    def leave(self) -> None:
        """End the work under way and quit."""

    def note_run_ended(self) -> None:
        """Note that the run has reported how its hosts ended."""
