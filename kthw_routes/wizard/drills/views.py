"""What the learner may look at: the read-only views of the wizard, on the nodes of a drill; and the question."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from kthw_routes.cluster import Cluster
from kthw_routes.drills.checking import Check
from kthw_routes.drills.practice import Practice
from kthw_routes.drills.roles import lab_nodes
from kthw_routes.errors import KthwRoutesError
from kthw_routes.plan import shell
from kthw_routes.proof.readings import Proof
from kthw_routes.teaching.hops import Trace
from kthw_routes.teaching.lesson import Answer
from kthw_routes.teaching.trace import trace
from kthw_routes.wizard.background import Job, Jobs
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.text import proof_rest, why_words
from kthw_routes.wizard.widgets.answers import AnswerList
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.wizard.widgets.findings import FindingList
from kthw_routes.wizard.widgets.matrix import Matrix
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.wizard.widgets.table import Cells, KeyedTable
from kthw_routes.words import CIDR_SOURCE_LABELS, explanations, proof_cell

VIEWS: Final = (
    ("nodes", "Nodes: what they say of themselves; may name the cause"),
    ("trace", "Follow a packet, hop by hop: names the cause"),
    ("proof", "Proof: which pairs get through; names the causes"),
    ("plan", "Plan: what kthw-routes would type; names the repair"),
)


class ChooseView(Dialog[str]):
    """The list of views; answered with a name."""

    AUTO_FOCUS = "OptionList"
    DEFAULT_CSS = """
    ChooseView OptionList {
        height: auto; border: none; padding: 0; background: $panel;
        &:focus { border: none; }
    }
    """
    heading = "Look at"

    def compose_body(self) -> ComposeResult:
        """Yield their titles."""
        yield OptionList(*(Option(title, name) for name, title in VIEWS))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open it."""
        self.dismiss(event.option.id)


class AskCause(Dialog[int]):
    """What is it? A letter judges an answer, with the reason; each is reported."""

    DEFAULT_CSS = """
    AskCause .answer { margin-bottom: 1; }
    AskCause.-short .answer { margin-bottom: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(letter, f"choose({number})", show=False) for number, letter in enumerate("abcdef")
    ]
    heading = "What is it?"

    def __init__(self, answers: Sequence[Answer], chosen: Callable[[int], None]) -> None:
        """`chosen` gets the number of each answer that is given, from 0."""
        super().__init__()
        self._count = len(answers)
        self._chosen = chosen
        self._list = AnswerList(answers)

    def compose_body(self) -> ComposeResult:
        """Yield the answers."""
        yield self._list
        yield Static("Press the letter of an answer.", classes="hint")

    def action_choose(self, number: int) -> None:
        """Judge an answer."""
        if number < self._count:
            self._list.judge(number)
            self._chosen(number)


class ExplainLine(Dialog[None]):
    """A command or a line of the routing table, word by word."""

    AUTO_FOCUS = "#cancel"
    heading = "Why"

    def __init__(self, line: str) -> None:
        super().__init__()
        self._words = Paragraph()
        self._line = line

    def compose_body(self) -> ComposeResult:
        """Yield the explanation."""
        yield self._words

    def on_mount(self) -> None:
        """Show it, with the names of the lab's nodes."""
        self._words.show(*why_words.of_line(self._line, Cluster(lab_nodes())))


class ShowNodes(Dialog[None]):
    """What the nodes say of themselves, and what there is to say of it."""

    AUTO_FOCUS = "#cancel"
    DEFAULT_CSS = "ShowNodes #dialog { width: 100%; max-width: 110; }"
    heading = "Nodes"

    def __init__(self, check: Check) -> None:
        super().__init__()
        self._check = check
        self._table = KeyedTable("node", "internal address", "pod CIDR", "read from", "forwards", "pods", cursor="none")
        self._findings = FindingList()

    def compose_body(self) -> ComposeResult:
        """Yield the table and the findings."""
        yield self._table
        yield self._findings

    def compose_buttons(self) -> ComposeResult:
        """Yield Close."""
        yield Button("Close", id="cancel", variant="primary", compact=True)

    async def on_mount(self) -> None:
        """Fill both."""
        self._table.show(self._rows())
        await self._findings.show(self._check.review.findings)

    def _rows(self) -> list[tuple[str, Cells]]:
        inspection, rows = self._check.review.inspection, list[tuple[str, Cells]]()
        for node in inspection.cluster:
            facts = inspection.facts.get(node.name)
            if facts is None or not node.is_worker:
                rows.append((node.name, (node.name, str(node.internal or "–"), "–", "", "", "")))
                continue
            cells = (
                *(node.name, str(node.internal or "–"), str(node.pod_cidr or "unknown")),
                *(CIDR_SOURCE_LABELS[node.pod_cidr_source], "yes" if facts.ip_forward else "no", str(len(facts.pods))),
            )
            rows.append((node.name, cells))
        return rows


class ShowProof(Dialog[None]):
    """Which pairs of workers get through, and what was seen of those that do not."""

    AUTO_FOCUS = "#cancel"
    DEFAULT_CSS = "ShowProof #dialog { width: 100%; max-width: 110; } ShowProof Matrix { margin-bottom: 1; }"
    heading = "Proof"

    def __init__(self, proof: Proof) -> None:
        super().__init__()
        self._proof = proof
        self._matrix = Matrix(id="pairs")
        self._explained = Paragraph()

    def compose_body(self) -> ComposeResult:
        """Yield the matrix and the explanations."""
        yield self._matrix
        yield self._explained

    def compose_buttons(self) -> ComposeResult:
        """Yield Close."""
        yield Button("Close", id="cancel", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Fill both."""
        proof, workers = self._proof, list(dict.fromkeys(pair.source for pair in self._proof.pairs))
        self._matrix.show_pairs(workers, workers, lambda source, target: proof_cell(proof, source, target))
        width = min(self.app.size.width, 110) - 6
        self._explained.show("\n".join(proof_rest.hanging(line, width) for line in explanations(proof)))


def plan_lines(check: Check) -> tuple[str, ...]:
    """Return what kthw-routes would type, host by host; a remark where there is nothing."""
    lines: list[str] = []
    for host in check.review.plan.hosts:
        if not host.is_empty:
            lines += [f"# on {host.node}, as root", *shell.lines(host.commands), ""]
    return tuple(lines) or ("# Nothing differs from the plan: what is wrong is not among routes and names.",)


class DrillTracer:
    """The ways of packets in a drill, from a reading of all nodes; see `tracing.Traces`."""

    def __init__(self, practice: Practice, jobs: Jobs, check: Check) -> None:
        """`check`: what was read last."""
        self._practice, self._jobs, self._check = practice, jobs, check
        self._job: Job | None = None

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers, by name."""
        return tuple(node.name for node in self._check.review.inspection.cluster.workers)

    @property
    def first(self) -> tuple[str, str]:
        """The pair to begin with: one that fails, else the first."""
        proof = self._check.proof
        failed = [(pair.source, pair.target) for pair in (proof.failed if proof is not None else ())]
        return failed[0] if failed else (self.workers[0], self.workers[1])

    def known(self, source: str, target: str) -> Trace | None:
        """Return the way as it was read last."""
        proof, cluster = self._check.proof, self._check.review.inspection.cluster
        return trace(proof, cluster, source, target) if proof is not None else None

    def begin(
        self, source: str, target: str, done: Callable[[Trace], None], failed: Callable[[KthwRoutesError], None]
    ) -> None:
        """Read all nodes in a thread."""

        def take(check: Check) -> None:
            self._check = check
            found = self.known(source, target)
            if found is not None:
                done(found)
            else:
                failed(KthwRoutesError(check.headline))

        self.stop()
        self._job = self._jobs.start(self._practice.read, take, failed)

    def stop(self) -> None:
        """Drop the result of what is under way."""
        if self._job is not None:
            self._job.abandoned = True
            self._job = None
