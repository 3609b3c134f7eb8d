"""An end that comes from outside the interface: what is under way, and what would begin after it."""

import threading
from pathlib import Path

import pytest

from kthw_routes.errors import Cancelled
from kthw_routes.options import Settings
from kthw_routes.persistence.model import Persist
from kthw_routes.record.history import read_runs
from kthw_routes.wizard.background import Jobs
from kthw_routes.wizard.controller import Controller
from kthw_routes.wizard.prompts import WizardAsker
from tests.journeys.model_faults import ModelFaults, ModelHold
from tests.journeys.stage import Model
from tests.model.lab import BreakableLab
from tests.wizard.driver import SECONDS, driving


async def test_hosts_that_have_begun_come_to_their_end_and_the_end_is_recorded(
    lab: BreakableLab, settings: Settings, tmp_path: Path
) -> None:
    stage = Model(lab, tmp_path)
    hold = ModelFaults(stage).hold("worker-1", "ip", "-force -batch", "before")
    assert isinstance(hold, ModelHold)
    async with driving(lab, settings) as wizard:
        await wizard.go("Routes")
        await wizard.answer(Persist.NONE)
        await wizard.press("ctrl+n")
        await wizard.until(hold.reached.is_set)
        stop = wizard.controller.work.signal
        thread = threading.Thread(target=lambda: wizard.controller.end(SECONDS))
        thread.start()
        assert stop.soft.wait(SECONDS)
        hold.release()
        thread.join(SECONDS)
        assert not stop.hard.is_set()
        (run,) = read_runs(stage.state)
        assert run.journal.is_closed
        assert run.journal.states["worker-1"] == "done"


def test_nothing_begins_once_the_end_has_begun(lab: BreakableLab) -> None:
    jobs = Jobs()
    controller = Controller(lab.settings, lab, WizardAsker(lambda _: None), jobs.emit)
    controller.end(SECONDS)
    run = controller.work.begin()
    controller.work._turn.release()
    with pytest.raises(Cancelled):
        run(lambda: None)
