"""`apply --by-hand`: what is typed on the nodes is ticked off, what is wrong is said, and the tool types nothing."""

import signal
from dataclasses import dataclass

from tests.journeys.looking import POD_CIDRS, comes_true, pod_routes, tables
from tests.journeys.running import PATIENCE, Running
from tests.journeys.stage import ON_MODEL, WORKERS, Stage

BY_HAND = ("apply", "--by-hand", "--no-hosts-file")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who types on the nodes, in front of the tool."""

    stage: Stage
    tool: Running

    def types(self, host: str, command: str) -> None:
        """Type an `ip route` command there; then Enter here."""
        self.stage.run(host, f"ip route {command}")
        self.tool.press_enter()

    def reads(self, words: str) -> None:
        """Wait until the tool has said so."""
        comes_true(lambda: words in " ".join(self.tool.out.split()), PATIENCE)


@ON_MODEL
def test_what_is_right_is_ticked_off_and_what_is_wrong_is_said(stage: Stage) -> None:
    zero, one, two = (stage.internal(worker) for worker in WORKERS)
    tool = stage.start(*BY_HAND, terminal=True)
    person = Person(stage, tool)
    person.reads("Type this yourself; kthw-routes types nothing:")
    person.reads("0 of 6 right.")
    assert f"ip route add 10.200.1.0/24 via {one}" in tool.out
    assert [pod_routes(stage, worker) for worker in WORKERS] == [{}, {}, {}]

    person.types("worker-0", f"add 10.200.1.0/24 via {two}")  # the wrong next hop
    person.reads(
        f"✗ worker-0: 10.200.1.0/24 is worker-1's pod CIDR, and its route leads via {two}, the address of worker-2.",
    )
    person.reads(f"Correct it: ip route replace 10.200.1.0/24 via {one}")
    person.types("worker-0", f"replace 10.200.1.0/24 via {one}")
    person.reads("✓ worker-0: 10.200.1.0/24 1 of 6 right.")

    person.types("worker-0", f"add 10.200.2.0/23 via {two}")  # a mistyped prefix
    person.reads("✗ worker-0: 10.200.2.0/23 is not a pod CIDR; that of worker-2 is 10.200.2.0/24.")
    person.types("worker-0", "del 10.200.2.0/23")

    person.types("worker-1", f"add 10.200.1.0/24 via {one}")  # the own pod CIDR: meant for the others
    person.reads("✗ worker-1: 10.200.1.0/24 is its own pod CIDR")
    person.types("worker-1", "del 10.200.1.0/24")

    person.types("worker-0", f"add 10.200.2.0/24 via {two}")
    person.types("worker-1", f"add 10.200.0.0/24 via {zero}")
    person.types("worker-1", f"add 10.200.2.0/24 via {two}")
    person.types("worker-2", f"add 10.200.0.0/24 via {zero}")
    person.reads("✓ worker-2: 10.200.0.0/24")
    person.types("worker-2", "del 10.200.0.0/24")
    person.reads("worker-2: 10.200.0.0/24 is gone again")
    for other, hop in (("0", zero), ("1", one)):
        person.types("worker-2", f"add 10.200.{other}.0/24 via {hop}")
    answer = tool.wait()
    assert answer.code == 0, answer.out
    assert "6 of 6 right." in answer.out
    assert {prefix for worker in WORKERS for prefix in pod_routes(stage, worker)} == set(POD_CIDRS.values())
    assert not list(stage.state.glob("runs/*"))


@ON_MODEL
def test_ctrl_c_ends_it_and_nothing_was_changed(stage: Stage) -> None:
    before = tables(stage)
    tool = stage.start(*BY_HAND, terminal=True)
    person = Person(stage, tool)
    person.reads("0 of 6 right.")
    tool.interrupt(signal.SIGINT)
    answer = tool.wait()
    assert answer.code == 130
    assert "Interrupted. Nothing was changed." in answer.err
    assert tables(stage) == before


@ON_MODEL
def test_where_all_is_right_nothing_is_to_be_typed(stage: Stage) -> None:
    assert stage.tool("apply", "--yes").code == 0
    answer = stage.tool("apply", "--by-hand")
    assert answer.code == 0
    assert "Type this yourself" not in answer.out


@ON_MODEL
def test_it_goes_with_nothing_that_changes_hosts(stage: Stage) -> None:
    for option in ("--json", "--commit-within=60"):
        answer = stage.tool("apply", "--by-hand", option)
        assert answer.code == 2
        assert "--by-hand changes nothing" in answer.err
