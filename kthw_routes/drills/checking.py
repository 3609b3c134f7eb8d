"""The check of a drill: a cluster is made right, and read again later, by the same steps as everywhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from kthw_routes.errors import Cancelled, ExitCode, KthwRoutesError
from kthw_routes.findings.model import Level
from kthw_routes.options import Settings
from kthw_routes.plan.changes import NameChange, Plan, RouteChange
from kthw_routes.plan.codes import of_name, of_route
from kthw_routes.proof.diagnosis import explain_all
from kthw_routes.proof.readings import Proof
from kthw_routes.ssh.session import NewHostKey
from kthw_routes.workflow.connect import connect, linode_source
from kthw_routes.workflow.results import Review, exit_code
from kthw_routes.workflow.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Check:
    """What the check found.

    Attributes:
        review: what differs from the plan.
        proof: what traffic got through; None where a finding stops everything.
    """

    review: Review
    proof: Proof | None

    @property
    def is_good(self) -> bool:
        """Whether everything is as it should be."""
        if self.proof is None:
            return False
        return exit_code(self.review.inspection, None, self.proof, drift=True) is ExitCode.DONE

    @property
    def headline(self) -> str:
        """What is the case in one sentence, which does not say why."""
        if self.proof is None:
            return "Nothing was tested: the plan itself cannot be right as the nodes are."
        if self.is_good:
            return self.proof.headline
        if failed := len(self.proof.failed):
            verb = "does" if failed == 1 else "do"
            return f"{failed} of {len(self.proof.pairs)} pairs of workers {verb} not get through."
        return "All test traffic gets through, and yet not everything is as it should be."

    @property
    def reports(self) -> frozenset[str]:
        """What is not as it should be, in words for programs: findings, rows of the plan, causes."""
        bad = (f.code for f in self.review.findings if f.level is not Level.NOTICE)
        causes = explain_all(self.proof).values() if self.proof is not None else ()
        return frozenset((*bad, *_rows(self.review.plan), *(f"cause {cause.layer}" for cause in causes)))


def _rows(plan: Plan) -> Sequence[str]:
    found = []
    for host in plan.hosts:
        if host.own_cidr_overridden_by is not None:
            found.append("own pod CIDR overridden")
        for row in host.due:
            if isinstance(row, RouteChange):
                found.append(f"route {of_route(row, None)}")
            elif isinstance(row, NameChange):
                found.append(f"name {of_name(row)}")
    return found


class Checker:
    """Makes the cluster of a lab right, and reads it. Methods block; no connection stays open between them."""

    def __init__(self, settings: Settings) -> None:
        """`settings`: what leads to the cluster."""
        self._settings: Final = settings
        self._current: Workflow | None = None
        self._is_closed = False

    @contextmanager
    def _connected(self) -> Iterator[Workflow]:
        connections, state = connect(self._settings, _NoAsker(), default_host_keys="accept-new")
        workflow = self._current = Workflow(connections, self._settings.options, state, lambda _event: None)
        try:
            if self._is_closed:
                raise Cancelled
            yield workflow
        finally:
            workflow.close()
            connections.close()

    def route(self) -> None:
        """Do lab 11, so that the cluster works. Raises KthwRoutesError."""
        with self._connected() as workflow:
            discovery = workflow.find(linode_source(self._settings))
            report = workflow.run(workflow.review(workflow.inspect(discovery.cluster)))
            workflow.finish(report, None)
        if report.unfinished:
            raise KthwRoutesError("The cluster did not come up.", report.outcomes[report.unfinished[0]].sentence)

    def read(self) -> Check:
        """Read all nodes and send test traffic. Raises KthwRoutesError."""
        with self._connected() as workflow:
            discovery = workflow.find(linode_source(self._settings))
            inspection = workflow.inspect(discovery.cluster)
            review = workflow.review(inspection)
            return Check(review, None if review.stops else workflow.prove(inspection, fresh=inspection.facts))

    def close(self) -> None:
        """End what is under way, from any thread. Never waits."""
        self._is_closed = True
        if self._current is not None:
            self._current.close()


class _NoAsker:
    """Nobody is asked for anything: the lab's keys are new and its own."""

    def passphrase(self, _key_file: str) -> str | None:
        return None

    def sudo_password(self, _user: str, _node: str) -> str | None:
        return None

    def accept_host_keys(self, _keys: Sequence[NewHostKey]) -> bool:
        return True
