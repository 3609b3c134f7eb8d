"""What can be changed once it was run and proved: an overridden pod CIDR is repaired, the run is undone. Both ask."""

from kthw_routes.errors import Cancelled
from kthw_routes.proof.diagnosis import is_filtered
from kthw_routes.wizard.inspecting import InspectionResult
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.text import proof_words
from kthw_routes.workflow.results import Review


class ChangingStep(StepScreen):
    """A step from which hosts can be changed again: it reads them, shows what it would do, and asks."""

    # --- repair ---

    @property
    def _can_repair(self) -> bool:
        proof = self.last_run.proof
        return proof is not None and bool(proof.cut_off) and not self.busy

    def action_repair(self) -> None:
        """Read the hosts, then show the commands that give pod CIDRs back, and ask."""
        if self._can_repair:
            self.start_work("reading the hosts as they are now", self.controller.prepare_repair, self._ask_to_repair)
        else:
            self.app.bell()

    def _ask_to_repair(self, result: InspectionResult) -> None:
        if self.controller.work.is_stopping:
            self.error = Cancelled("Stopped before all hosts were read. Nothing was changed.")
            return
        words, is_any = proof_words.repair_commands(result.review)
        choices = {"repair": "Repair it"} if is_any else {}

        def answered(answer: str | None) -> None:
            if answer:
                self.controller.begin_review(result)
                self.wizard.go(-1)

        self.app.push_screen(Confirm("Repair what the proof found?", words, "Leave it", **choices), answered)

    # --- overlay ---

    @property
    def _can_overlay(self) -> bool:
        proof = self.last_run.proof
        return proof is not None and is_filtered(proof) and not self.busy

    def action_overlay(self) -> None:
        """Read the hosts, then go back to Routes, with packets between pods in an overlay."""
        if self._can_overlay:
            self.start_work("reading the hosts as they are now", self.controller.prepare_overlay, self._show_overlay)
        else:
            self.app.bell()

    def _show_overlay(self, result: InspectionResult) -> None:
        if self.controller.work.is_stopping:
            self.error = Cancelled("Stopped before all hosts were read. Nothing was changed.")
            return
        self.controller.begin_review(result)
        self.wizard.go(-2)

    # --- undo ---

    @property
    def _can_undo(self) -> bool:
        return self.last_run.run_id is not None and not self.last_run.is_undo and not self.busy

    def action_undo(self) -> None:
        """Read the hosts as they are now, then ask."""
        if self._can_undo:
            self.start_work("reading the hosts as they are now", self.controller.prepare_undo, self._ask_to_undo)
        else:
            self.app.bell()

    def _ask_to_undo(self, review: Review) -> None:
        if self.controller.work.is_stopping:
            self.error = Cancelled("Stopped before all hosts were read. Nothing was changed.")
            return
        words = proof_words.undoing(review)
        if review.plan.is_empty:
            self.app.push_screen(Confirm("Undo this run", words, "Close"))
            return

        def answered(answer: str | None) -> None:
            if answer:
                self.controller.begin_undo(review)
                self.wizard.go(-1)

        self.app.push_screen(Confirm("Undo this run?", words, "Keep it", undo="Undo it"), answered)
