"""A drill in plain lines: a line is typed, lines are printed. For pipes, screen readers and whoever likes it."""

import select
import shlex
import sys
import threading
from typing import Final

from rich.table import Table
from rich.text import Text

from kthw_routes.cli.explain import explain, print_wrapped
from kthw_routes.cli.output import Printer
from kthw_routes.cli.standard_streams import in_order, is_ending
from kthw_routes.cli.trace import print_trace
from kthw_routes.drills.catalogue import Catalogue
from kthw_routes.drills.checking import Check
from kthw_routes.drills.model import Drill
from kthw_routes.drills.practice import Practice
from kthw_routes.drills.progress import Progress
from kthw_routes.drills.shell import NodeShell
from kthw_routes.errors import KthwRoutesError, UsageError
from kthw_routes.teaching.trace import trace as follow

_POLL: Final = 0.05
"""Seconds between two looks whether a command has ended, while somebody may type for it."""
_COMMANDS: Final = (
    ("sh NODE [COMMAND]", "a shell on a node, or one command there: sh worker-0 ip route"),
    ("hint", "the next of three hints"),
    ("answer N", "say what it is"),
    ("check", "have it checked: is it repaired?"),
    ("nodes", "view: what the nodes say of themselves"),
    ("trace A B", "view: a packet from a pod on A to a pod on B, hop by hop; it names the cause"),
    ("proof", "view: which pairs of workers get through; it names the causes"),
    ("plan", "view: what kthw-routes would change; it names the repair"),
    ("explain COMMAND", "a command, or a line that one printed, word by word: explain ip route get 10.200.1.2"),
    ("story", "the symptom and the answers once more"),
    ("solution", "give up: show the repair and the explanation"),
    ("next", "start another drill; the lab of this one is gone then"),
    ("quit", "end"),
)


class PlainDrill:
    """One drill as a conversation: a line is typed, lines are printed."""

    def __init__(self, practice: Practice, catalogue: Catalogue, progress: Progress, printer: Printer) -> None:
        self._practice, self._catalogue, self._progress = practice, catalogue, progress
        self._printer, self._say = printer, printer.say
        self._is_noted = False
        self._is_watched = sys.stdin.isatty()

    @property
    def _drill(self) -> Drill:
        return self._practice.drill

    def run(self) -> bool:
        """Read and obey lines until `quit` or the end of input; returns whether another drill is wanted."""
        self._tell_story()
        if self._is_watched:
            import readline  # noqa: F401 - the arrow keys work in `input` then
        while (line := self._read("drill> ")) is not None:
            words = line.strip().split(maxsplit=2)
            if words in (["quit"], ["exit"], ["next"]):
                return words == ["next"]
            if words:
                try:
                    self._obey(words)
                except KthwRoutesError as error:
                    self._say(f"{error.sentence} {error.hint}".rstrip())
        return False

    def _read(self, prompt: str) -> str | None:
        """Read a line; None at the end of input. A prompt is for people: a pipe gets none."""
        try:
            if self._is_watched:
                with in_order():
                    return input(prompt)
        except EOFError:
            return None
        line = sys.stdin.readline()
        return line if line else None

    def _obey(self, words: list[str]) -> None:
        match words:
            case ["hint"]:
                self._give_hint()
            case ["answer", number] if number.isdecimal():
                self._answer(int(number))
            case ["check"]:
                self._check()
            case ["sh", node]:
                self._converse(self._shell(node))
            case ["sh", node, command]:
                self._run(self._shell(node), command)
            case ["nodes" | "plan" | "proof" as view]:
                self._show(view, self._read_nodes())
            case ["trace", source, target]:
                self._trace(self._read_nodes(), source, target)
            case ["explain", *what]:
                explain(" ".join(what))
            case ["story"]:
                self._tell_story()
            case ["solution"]:
                self._show_solution()
            case ["help"]:
                self._rows(_COMMANDS)
            case _:
                self._say(f"Not known: {shlex.join(words)}. `help` lists what is.")

    # --- what is told ---

    def _tell_story(self) -> None:
        drill, practice = self._drill, self._practice
        self._say()
        place = f"{self._catalogue.names.index(drill.name) + 1} of {len(self._catalogue.names)}"
        self._say(f"Drill {drill.name} ({place}, --seed {self._catalogue.seed}): {drill.title}", "bold")
        self._say()
        self._wrapped(drill.story)
        self._say()
        self._say("What is it?")
        for number, answer in enumerate(drill.answers, start=1):
            self._say(f"  {number}) {answer.text}")
        self._say()
        addresses = practice.lab.topology.addresses
        self._wrapped("Nodes: " + ", ".join(f"{name} {addresses[name][1]}" for name in practice.nodes))
        self._say(f"A shell: sh {practice.nodes[0]}, or from another terminal:")
        self._say(f"  {practice.ssh_command(practice.nodes[0])}")
        self._wrapped("Find it, say what it is (answer N), repair it by hand, and ask for the check. help lists all.")

    def _give_hint(self) -> None:
        hint = self._practice.hint()
        if hint is None:
            self._say("There are no more hints. `solution` shows the repair.")
            return
        self._wrapped(f"Hint {self._practice.hints} of {len(self._drill.hints)}: {hint}")

    def _answer(self, number: int) -> None:
        try:
            answer = self._practice.answer(number)
        except IndexError:
            raise UsageError(f"There are answers 1 to {len(self._drill.answers)}.") from None
        self._wrapped(f"{'✓ Right' if answer.is_right else '✗ No'}: {answer.reason}")
        if answer.is_right:
            self._end("Now repair it by hand, and type `check`.")

    # --- views ---

    def _read_nodes(self) -> Check:
        self._say("Reading the nodes, sending test traffic …", "dim")
        return self._practice.read()

    def _show(self, view: str, found: Check) -> None:
        cluster = found.review.inspection.cluster
        if view == "nodes":
            self._printer.nodes(cluster)
            self._say()
            self._printer.findings(found.review.findings)
        elif view == "plan":
            self._printer.plan(cluster, found.review.plan)
        elif found.proof is None:
            self._say(found.headline)
        else:
            self._printer.proof(found.proof)

    def _trace(self, found: Check, source: str, target: str) -> None:
        cluster = found.review.inspection.cluster
        way = follow(found.proof, cluster, source, target) if found.proof is not None else None
        if way is None:
            raise UsageError(f"{source} → {target} was not tested.", "Name two workers: trace worker-0 worker-1.")
        print_trace(self._printer, way)

    # --- judging ---

    def _check(self) -> None:
        found = self._read_nodes()
        self._practice.take_check(found)
        self._say(f"{'✓' if found.is_good else '✗'} {found.headline}", "green" if found.is_good else "yellow")
        if found.is_good:
            self._end("It is repaired. Say what it was: `answer N`.")
        elif not self._drill.is_repairable:
            self._end("")
        elif self._practice.is_shown:
            self._say("Not repaired yet.")
        else:
            self._say("Not repaired yet. `proof` and `trace A B` show more, `hint` helps.")

    def _end(self, what_is_left: str) -> None:
        """Explain and note it where it is solved; else say what is left to do."""
        practice, drill = self._practice, self._drill
        if not practice.is_solved:
            if what_is_left:
                self._say(what_is_left)
            return
        if not drill.is_repairable:
            self._say("Nothing on the nodes repairs this: to recognise it was the task.")
        self._say()
        self._say(f"Solved: {drill.name}.", "bold green")
        self._wrapped(drill.explanation)
        if not self._is_noted:
            self._is_noted = True
            self._progress.add(drill.name, hints=practice.hints, wrong=practice.wrong, is_shown=practice.is_shown)
        self._say("`next` starts another drill, `quit` ends.", "dim")

    def _show_solution(self) -> None:
        practice, drill = self._practice, self._drill
        practice.is_shown = True
        self._say(f"It is: {drill.answers[drill.right - 1].text}")
        for host, lines in drill.solution.items():
            for line in lines:
                self._say(f"  on {host}: {line}")
        self._wrapped(drill.explanation)

    # --- shells ---

    def _shell(self, node: str) -> NodeShell:
        if node not in self._practice.nodes:
            raise UsageError(f"No node is named {node}.", f"There are {', '.join(self._practice.nodes)}.")
        return self._practice.open_shell(node, self._write)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def _converse(self, shell: NodeShell) -> None:
        """Read lines for a shell until `exit`."""
        self._say(f"This is {shell.node}. `exit` leads back; `help` lists the programs.", "dim")
        while not shell.is_over:
            try:
                line = self._read(shell.prompt)
            except KeyboardInterrupt:
                if is_ending():
                    raise
                self._say()
                continue
            if line is None:
                break
            self._run(shell, line.rstrip("\n"))

    def _run(self, shell: NodeShell, line: str) -> None:
        """Run a line; ^C ends it, and what is typed meanwhile is for it."""
        thread = threading.Thread(target=shell.run, args=(line,), name="drill-shell", daemon=True)
        thread.start()
        if not self._is_watched:
            shell.end_input()  # what else is in the pipe is for the drill
        while thread.is_alive():
            try:
                if not self._is_watched:
                    thread.join()
                elif select.select([sys.stdin], [], [], _POLL)[0] and thread.is_alive():
                    self._pass_on(shell)
            except KeyboardInterrupt:
                shell.interrupt()
                if is_ending():
                    raise
                self._say()

    def _pass_on(self, shell: NodeShell) -> None:
        if line := sys.stdin.readline():
            shell.type(line.rstrip("\n"))
        else:
            shell.end_input()

    def _rows(self, rows: tuple[tuple[str, str], ...]) -> None:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold")
        grid.add_column()
        for row in rows:
            grid.add_row(*map(Text, row))
        self._printer.console.print(grid, soft_wrap=False)

    def _wrapped(self, text: str) -> None:
        print_wrapped(self._printer, text)
