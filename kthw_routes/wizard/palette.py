"""The actions of all steps in the palette, by their names."""

from collections.abc import Callable, Iterator

from textual.app import SystemCommand

from kthw_routes.wizard.steps.base import StepScreen


def list_commands(
    step: StepScreen, why: Callable[[], None], commands: Callable[[], None], keys: Callable[[], None]
) -> Iterator[SystemCommand]:
    """Yield what all steps have, then what is of this one."""
    label = "Next" if step.next_label == "Next" else f"Next: {step.next_label}"
    yield SystemCommand(label, "Go on to the next step", step.action_next)
    yield SystemCommand("Back", "Go back one step; nothing is lost", step.action_back)
    yield SystemCommand("Why", "What is in focus, and what this step is for", why)
    yield SystemCommand("Commands", "What you would type by hand", commands)
    yield SystemCommand("Help", "The keys of this step, and those of all steps", keys)
    if step.busy and step.can_cancel:
        yield SystemCommand("Cancel", "Stop the work under way", step.cancel_work)
    yield from step.palette()
