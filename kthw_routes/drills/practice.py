"""One drill under way: a lab of its own, the fault in it, what the learner said and did, and the check."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from kthw_routes.demo.clock import Clock
from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.demo.shell.pipes import reading
from kthw_routes.drills.checking import Check, Checker
from kthw_routes.drills.model import Commands, Drill
from kthw_routes.drills.roles import lab_nodes
from kthw_routes.drills.shell import NodeShell
from kthw_routes.errors import KthwRoutesError
from kthw_routes.options import Settings
from kthw_routes.teaching.lesson import Answer


class Practice:
    """One drill for one learner. Methods that block are marked so; `close` ends it from any thread.

    Attributes:
        drill: what is practised.
        hints: how many were asked for.
        wrong: how many answers were wrong.
        is_named: whether the right answer was given.
        is_repaired: whether the last check found everything right.
        is_shown: whether the solution was asked for.
    """

    def __init__(self, drill: Drill, *, with_pods: bool = False, clock: Clock | None = None) -> None:
        """
        Args:
            drill: what is practised.
            with_pods: whether pods run even where the drill needs none.
            clock: the time on the nodes; real by default.
        """
        self.drill: Final = drill
        self.hints = 0
        self.wrong = 0
        self.is_named = self.is_repaired = self.is_shown = False
        self.lab: Final = EmbeddedLab(drill.region, with_pods=with_pods or drill.has_pods, clock=clock)
        self._exit = ExitStack()
        self._is_closed = False

    # --- the lab ---

    def start(self) -> None:
        """Bring up a working cluster and put the fault in. Blocks. Raises KthwRoutesError."""
        with ExitStack() as stack:
            self.lab.start()
            stack.callback(self.lab.close)
            self._checker = Checker(self.settings)
            stack.callback(self._checker.close)
            self._checker.route()
            self.type_in(self.drill.fault)
            for name, address in self.drill.moved.items():
                self.lab.note_new_address(name, address)
            self._exit = stack.pop_all()
        if self._is_closed:
            self._exit.close()

    def type_in(self, commands: Commands) -> None:
        """Run commands on the nodes, host by host. Raises KthwRoutesError where one of them fails."""
        for name, lines in commands.items():
            for line in lines:
                err = bytearray()
                status = self.host(name).execute(line, stdin=reading(b""), stdout=lambda _data: None, stderr=err.extend)
                if status != 0:
                    words = err.decode("utf-8", "replace").strip()
                    raise KthwRoutesError(f"{self.drill.name}: `{line}` on {name} fails.", words)

    def host(self, name: str) -> ModelHost:
        """Return a node. Raises KeyError."""
        return self.lab.topology.hosts[name]

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes, workers first."""
        return tuple(node.name for node in sorted(lab_nodes(), key=lambda node: not node.is_worker))

    @property
    def settings(self) -> Settings:
        """What leads the other commands to this lab."""
        return self.lab.settings

    def ssh_command(self, node: str) -> str:
        """Return what is typed in another terminal to log in to a node."""
        return f"ssh -F {self.lab.ssh_config} {node}"

    def open_shell(self, node: str, write: Callable[[str], None]) -> NodeShell:
        """Open a shell on a node. `write` gets what its commands print, from their threads."""
        return NodeShell(self.host(node), write)

    # --- what the learner does ---

    def answer(self, number: int) -> Answer:
        """Judge an answer, counted from 1. Raises IndexError."""
        if number < 1:
            raise IndexError(number)
        answer = self.drill.answers[number - 1]
        if answer.is_right:
            self.is_named = True
        elif not self.is_named:
            self.wrong += 1
        return answer

    def hint(self) -> str | None:
        """Return the next hint; None where there is no other."""
        if self.hints == len(self.drill.hints):
            return None
        self.hints += 1
        return self.drill.hints[self.hints - 1]

    def read(self) -> Check:
        """Read all nodes and send test traffic. Blocks. Raises KthwRoutesError."""
        return self._checker.read()

    def take_check(self, found: Check) -> None:
        """Count what was read as the check that the learner asked for."""
        self.is_repaired = found.is_good

    @property
    def is_solved(self) -> bool:
        """Whether it was named and, where that is possible, repaired."""
        return self.is_named and (self.is_repaired or not self.drill.is_repairable)

    def close(self) -> None:
        """End the lab, from any thread, also while it starts."""
        self._is_closed = True
        self._exit.close()
        self.lab.discard()
