"""The way of a packet for the wizard: from the last proof, or read by itself. Knows nothing of screens."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from kthw_routes.errors import KthwRoutesError
from kthw_routes.proof.diagnosis import pair_words
from kthw_routes.teaching.hops import Trace
from kthw_routes.teaching.trace import trace
from kthw_routes.wizard.controller import Controller
from kthw_routes.wizard.errand import Errand


class Traces(Protocol):
    """Where the ways of packets come from."""

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers to choose from, by name."""

    def known(self, source: str, target: str) -> Trace | None:
        """Return the way as it was read last; None where it was not."""

    def begin(
        self, source: str, target: str, done: Callable[[Trace], None], failed: Callable[[KthwRoutesError], None]
    ) -> None:
        """Read it, in a thread."""

    def stop(self) -> None:
        """Stop what is under way and drop its result."""


class Tracer:
    """Follows packets between workers whose hosts were read."""

    def __init__(self, controller: Controller, errand: Errand) -> None:
        self._controller = controller
        self._errand = errand

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers that were read, by name."""
        inspection = self._controller.inspection
        return tuple(w.name for w in inspection.cluster.workers if w.name in inspection.facts) if inspection else ()

    def choose(self, wanted: tuple[str, str] | None) -> tuple[str, str] | None:
        """Return the pair to begin with: the wanted one, else one that fails, else the first; None without any."""
        workers, proof = self.workers, self._controller.last_run.proof
        if wanted is not None and wanted[0] != wanted[1] and set(wanted) <= set(workers):
            return wanted
        failed = ((p.source, p.target) for p in (proof.failed if proof is not None else ()))
        pairs = (pair for pair in (*failed, workers[:2]) if len(pair) == 2 and set(pair) <= set(workers))
        return next(((a, b) for a, b in pairs), None)

    def known(self, source: str, target: str) -> Trace | None:
        """Return the way by the last proof; None where that has none, or none of this pair by itself."""
        proof, inspection = self._controller.last_run.proof, self._controller.inspection
        pair = proof.pair(source, target) if proof is not None else None
        if proof is None or inspection is None or pair is None or pair.same_as is not None:
            return None
        return trace(proof, inspection.cluster, source, target)

    def begin(
        self, source: str, target: str, done: Callable[[Trace], None], failed: Callable[[KthwRoutesError], None]
    ) -> None:
        """Read both hosts and send requests both ways, in a thread."""
        self._errand.begin(lambda: self._read(source, target), done, failed)

    def stop(self) -> None:
        """Stop what is under way and drop its result."""
        self._errand.stop()

    def _read(self, source: str, target: str) -> Trace:
        inspection, ends = self._controller.inspection, (source, target)
        assert inspection is not None, "no host was read yet"  # noqa: S101 - a fault of ours
        cluster = inspection.cluster
        both = replace(
            inspection,
            cluster=cluster.with_selection(ends),
            facts={name: inspection.facts[name] for name in ends},
            troubles={},
        )
        proof = self._controller.workflow.prove(both, as_carried=True)
        found = trace(proof, cluster, source, target)
        if found is None:
            pair = proof.pair(source, target)
            why = pair_words(pair) if pair is not None else " ".join(proof.unread) or "not tested"
            raise KthwRoutesError(f"{source} → {target}: {why}.")
        return found
