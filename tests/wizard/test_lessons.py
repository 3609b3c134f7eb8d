"""The lessons in the wizard: a list, a lesson with this cluster's values, and its question answered by a key."""

import pytest

from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.options import Settings
from kthw_routes.teaching.lesson import lesson, lesson_names
from kthw_routes.wizard.modals.lessons import ChooseLesson, ShowLesson
from tests.wizard.driver import driving

pytestmark = pytest.mark.wizard


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_lesson_is_read_answered_and_left(lab: EmbeddedLab, settings: Settings, size: tuple[int, int]) -> None:
    async with driving(lab, settings, size) as driver:
        await driver.go("Nodes")
        await driver.press("f4")
        await driver.until(lambda: isinstance(driver.app.screen, ChooseLesson), "the list")
        for number, name in enumerate(lesson_names(), start=1):
            assert f"{number}. {lesson(name).title}" in driver.text()
        await driver.press("down", "down", "enter")
        await driver.until(lambda: isinstance(driver.app.screen, ShowLesson), "the lesson")
        await driver.settle()
        found = lesson("next-hop", driver.controller.cluster)
        assert found.title in driver.text()
        assert str(driver.controller.cluster.workers[1].internal) in driver.text()
        for number, answer in enumerate(found.answers):
            await driver.press("abc"[number])
            mark = "✓ right:" if answer.is_right else "✗ wrong:"
            words = f"{answer.text}  {mark} {answer.reason.split()[0]}"
            await driver.until(lambda words=words: words in driver.text(), words)  # type: ignore[misc]
        await driver.press("n")
        await driver.until(lambda: lesson("own-pod-cidr").title in driver.text(), "the next lesson")
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")
