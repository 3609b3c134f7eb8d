"""Reading the hosts: sessions, host keys, how root is reached, facts; and read again for the proof."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final, Protocol, TypeVar

from kthw_routes.cluster import Cluster, Node
from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import Emit, Event, EventKind, HostState, Phase
from kthw_routes.facts import HostFacts, Privilege
from kthw_routes.hosts.fleet import Fleet, Stop, TaskResult
from kthw_routes.hosts.foresight import Known
from kthw_routes.hosts.read_facts import read_facts, with_observed_pod_cidrs
from kthw_routes.hosts.sent import Sent
from kthw_routes.hosts.task import HostTask
from kthw_routes.node_names import is_address
from kthw_routes.options import RoutesOn
from kthw_routes.plan.names import with_host_names
from kthw_routes.plan.wanted import with_routers
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import ConnectionLost, HostError, HostKeyUnknown, NoRoot
from kthw_routes.ssh.session import Session
from kthw_routes.workflow.results import Inspection

T = TypeVar("T")


class Connections(Protocol):
    """Where sessions come from, and who decides what all of them share: host keys and passwords."""

    def session(self, node: Node) -> Session:
        """Return the session for a node; the same one again while the node is reached at the same place."""

    def accept_host_keys(self, unknown: Sequence[HostKeyUnknown]) -> bool:
        """Ask once whether these keys may be trusted; if so, record them."""

    def was_rebuilt(self, node: str) -> None:
        """Take a changed host key of this node for a new one, once."""

    def forget_refusals(self) -> None:
        """Ask again for a passphrase or password that was wrong, or that nobody gave."""

    def detect_privilege(self, session: Session) -> None:
        """Find out how root is reached there. Raises HostError."""

    def report_to(self, report: Callable[[str], None]) -> None:
        """Report what happens outside the hosts; `report` is called from many threads."""

    @property
    def described(self) -> Mapping[str, str | int | None]:
        """What a later run needs to reach the hosts in the same way, for the record; never a secret."""


class Reader:
    """Reads hosts, all side by side.

    Attributes:
        fleet: the sessions of the hosts that were read last.
    """

    def __init__(self, connections: Connections, parallel: int, stop: Stop, emit: Emit) -> None:
        """`emit` is called from many threads."""
        self._connections: Final = connections
        self._parallel: Final = parallel
        self._emit: Final = emit
        self.fleet = Fleet((), parallel=parallel, stop=stop)
        self._answers: Final[dict[str, dict[Command, Result]]] = {}

    def inspect(self, cluster: Cluster, routes_on: RoutesOn) -> Inspection:
        """Visit every selected host, read-only. A host's failure is in `troubles`, not raised.

        Nodes without a name are read first, as they get the one that the host has for itself.
        """
        unnamed = [node.name for node in cluster.visited if is_address(node.name)]
        if unnamed:
            found = self._inspect(cluster.with_selection(unnamed), routes_on)
            cluster = with_host_names(cluster, found.facts)
        return self._inspect(cluster, routes_on)

    def _inspect(self, cluster: Cluster, routes_on: RoutesOn) -> Inspection:
        self._connections.forget_refusals()
        self.fleet = self._fleet_for(cluster)
        troubles: dict[str, KthwRoutesError] = {}
        self._open_all(troubles)
        alive = [n for n in self.fleet.sessions if n not in troubles]

        def read(session: Session) -> HostFacts:
            task = self.task(session, Phase.CHECKS)
            if session.privilege is Privilege.NONE:
                session.privilege = _usual_privilege(session)
            facts = read_facts(task, cluster.node(session.node), _next_hops(cluster), cluster.cidr)
            task.state(HostState.READ)
            return facts

        facts: dict[str, HostFacts] = {}
        done = dict(self.fleet.each(read, alive))
        # The guess was wrong there, or another password is asked for now.
        refused = [name for name, outcome in done.items() if isinstance(outcome.error, NoRoot)]
        self._detect_privileges(refused, troubles)
        done |= self.fleet.each(read, [name for name in refused if name not in troubles])
        for name, outcome in done.items():
            if name in troubles:
                continue
            if outcome.value is not None:
                facts[name] = outcome.value
            else:
                troubles[name] = self._trouble(name, outcome, Phase.CHECKS)
        return Inspection(
            cluster=with_routers(with_observed_pod_cidrs(cluster, facts), facts),
            facts=facts,
            troubles=troubles,
            routes_on=routes_on,
        )

    def _fleet_for(self, cluster: Cluster) -> Fleet:
        """Return the sessions for these nodes; those that are open and still lead to the same place are kept."""
        sessions = [self._connections.session(node) for node in cluster.visited]
        for old in self.fleet.sessions.values():
            if not any(old is session for session in sessions):
                old.close()
        return Fleet(sessions, parallel=self._parallel, stop=self.fleet.stop)

    def _open_all(self, troubles: dict[str, KthwRoutesError]) -> None:
        """Open every session; keys never seen before are asked for once, for all hosts together."""
        first = self._open(self.fleet.sessions)
        unknown = {n: e for n, e in first.items() if isinstance(e, HostKeyUnknown)}
        if unknown and self._connections.accept_host_keys(list(unknown.values())):
            first = {n: e for n, e in first.items() if n not in unknown} | self._open(unknown)
        for name, error in first.items():
            self._say_trouble(name, error, Phase.CHECKS)
            troubles[name] = error

    def _open(self, names: Iterable[str]) -> dict[str, KthwRoutesError]:
        def connect(session: Session) -> bool:
            task = HostTask(session, Phase.CHECKS, self._emit)
            task.state(HostState.CONNECTING)
            session.open()
            key = session.host_key
            new = ", new: accepted and remembered" if key.is_new else ""
            task.note(f"connected as {session.user}, host key {key.type} {key.fingerprint}{new}")
            return True

        outcomes = self.fleet.each(connect, list(names))
        return {n: self._error(n, o) for n, o in outcomes.items() if o.value is None}

    def _detect_privileges(self, names: Sequence[str], troubles: dict[str, KthwRoutesError]) -> None:
        """Start with one host: a sudo password is asked there, and a wrong one locks no account elsewhere."""

        def settle(session: Session) -> bool:
            self._connections.detect_privilege(session)
            return True

        for group in (names[:1], names[1:]):
            for name, outcome in self.fleet.each(settle, group).items():
                if outcome.value is None:
                    troubles[name] = self._trouble(name, outcome, Phase.CHECKS)

    def task(self, session: Session, phase: Phase, sent: Sent | None = None) -> HostTask:
        """Begin a phase on a host: what it answered in earlier ones serves to foresee which commands are to come."""
        known = Known(last=self._answers.setdefault(session.node, {}))
        return HostTask(session=session, step=phase, emit=self._emit, sent=sent or Sent(), known=known)

    def read_again(
        self, inspection: Inspection, seen: Callable[[HostFacts], HostFacts], fresh: Mapping[str, HostFacts]
    ) -> Inspection:
        """Read the hosts of an inspection again, but for those that were read just now (`fresh`).

        `seen`: what counts of the facts that were read.
        """
        troubles: dict[str, KthwRoutesError] = {
            n: e for n, e in inspection.troubles.items() if n not in inspection.facts
        }

        def read(session: Session) -> HostFacts:
            session.open()
            return seen(
                read_facts(
                    self.task(session, Phase.PROOF), cluster.node(session.node), _next_hops(cluster), cluster.cidr
                )
            )

        cluster = inspection.cluster
        facts = {name: seen(fresh[name]) for name in inspection.facts if name in fresh}
        for name, outcome in self.fleet.each(read, [n for n in inspection.facts if n not in fresh]).items():
            if outcome.value is not None:
                facts[name] = outcome.value
            else:
                troubles[name] = self._trouble(name, outcome, Phase.PROOF)
        return replace(inspection, facts=facts, troubles=troubles)

    def _error(self, name: str, outcome: TaskResult[bool]) -> KthwRoutesError:
        if outcome.error is not None:
            return outcome.error
        return HostError(name, "stopped before it was looked at.")

    def _trouble(self, name: str, outcome: TaskResult[T], step: Phase) -> KthwRoutesError:
        error = outcome.error or ConnectionLost(name, "stopped before it answered.")
        self._say_trouble(name, error, step)
        return error

    def _say_trouble(self, name: str, error: KthwRoutesError, step: Phase) -> None:
        self._emit(Event(step, EventKind.STATE, error.sentence, name, HostState.SKIPPED))


def _usual_privilege(session: Session) -> Privilege:
    """Guess how root is reached: the reading shows whether it is so, and most hosts need no exec more for that."""
    return Privilege.ROOT if session.user == "root" else Privilege.SUDO


def _next_hops(cluster: Cluster) -> tuple[IPv4Address, ...]:
    return tuple(w.internal for w in cluster.workers if w.internal is not None)
