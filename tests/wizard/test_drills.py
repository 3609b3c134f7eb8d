"""The drills on screens: by keys alone, from the list over the shells and the views to the check and the tick."""

from pathlib import Path

import pytest

from tests.wizard.drills_driver import practising

pytestmark = pytest.mark.wizard


async def test_a_drill_is_found_named_and_repaired_by_keys_alone(tmp_path: Path) -> None:
    async with practising(None, tmp_path, (100, 34)) as driver:
        await driver.sees(f"0 of {len(driver.app.catalogue.names)} solved", "In a working cluster one thing is broken.")
        catalogue = driver.app.catalogue
        await driver.press(*["down"] * catalogue.names.index("silent-wall"), "enter")
        drill = catalogue.drill("silent-wall")
        ((broken, (repair,)),) = drill.solution.items()
        await driver.sees(drill.title, "A shell on worker-0;", "not named (F6)")

        await driver.to_node(broken)
        await driver.press(*"cd /etc; tcpdump -ni any icmp", "enter")
        await driver.sees("listening on any")
        assert driver.prompt() == ""
        await driver.press(*"hostname", "enter", "ctrl+c")  # ^C forgets what was typed ahead
        await driver.sees(f"root@{broken}:/etc#", "0 packets captured")
        await driver.press(*"sleep 0.2", "enter", *"hostname -s", "enter")  # as long as nobody reads it, it is next
        await driver.sees(f"root@{broken}:/etc# hostname -s")
        await driver.press("up", "up")
        await driver.sees(f"root@{broken}:/etc# sleep 0.2")
        await driver.press("ctrl+c")
        await driver.runs("clear")
        assert "sleep 0.2" not in driver.text()
        await driver.runs("exit", "logout")
        await driver.until(lambda: driver.prompt() == f"root@{broken}:~# ", "a new shell")

        await driver.press(*"ip route get 10.200.1.2", "f1")
        await driver.sees("asks which route the kernel would take")
        await driver.press("escape", "ctrl+c", "f5", "f5")
        await driver.sees("Hint 1 of 3:", "Hint 2 of 3:")
        wrong = "ab"[drill.right == 1]
        await driver.press("f6", wrong)
        await driver.sees("✗ wrong: ")
        await driver.press("abcd"[drill.right - 1])
        await driver.sees("✓ right: ")
        await driver.press("escape")
        await driver.sees("✓ named", "not repaired (F7 checks)")

        for number, words in enumerate(("The next hops lie in", "Follow a packet from", "its FORWARD chain", "# ")):
            await driver.press("f8", *["down"] * number, "enter")
            await driver.until(lambda: len(driver.app.screen_stack) > 3, "a view")
            await driver.sees(words)
            await driver.press("escape")

        await driver.press("f7")
        await driver.sees("Not repaired yet.")
        await driver.runs(repair)
        await driver.press("f7")
        await driver.sees("✓ Pods of all workers reach each other.", "✓ Solved.")
        assert driver.app.progress.read()["silent-wall"].line.endswith("silent-wall  hints 2  wrong answers 1")
        await driver.press("ctrl+b")
        await driver.sees(f"1 of {len(catalogue.names)} solved", drill.title)
        await driver.press("enter")  # as it was left
        await driver.sees("✓ Solved.")
        await driver.press("ctrl+n")
        await driver.sees(catalogue.drill(catalogue.next_after("silent-wall", {"silent-wall"})).title)


async def test_a_drill_fits_small_terminals_and_may_be_given_up(tmp_path: Path) -> None:
    async with practising("far-region", tmp_path, (40, 12)) as driver:
        await driver.sees("In the new region", "A shell on worker-0")
        await driver.runs("hostname", "worker-0")
        await driver.press("f6")
        await driver.sees("What is it?")
        await driver.press("escape", "f10")
        await driver.sees("Give up?")
        await driver.press("right", "enter")
        await driver.press("f6", "abcd"[driver.drill.practice.drill.right - 1], "escape")
        await driver.press("f3")
        await driver.sees("Keys")
        await driver.press("escape", "ctrl+b")
        await driver.sees("one thing is")
        assert driver.app.progress.read()["far-region"].is_shown
        assert not driver.app.progress.solved
