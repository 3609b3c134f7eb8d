"""Where nodes come from in the wizard: the sources that are offered, and asking the one that was chosen."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kthw_routes.cluster import Cluster
from kthw_routes.errors import KthwRoutesError, UsageError
from kthw_routes.events import Emit
from kthw_routes.findings import cluster as cluster_findings
from kthw_routes.findings import regions
from kthw_routes.findings.model import Finding
from kthw_routes.hosts.fleet import Stop
from kthw_routes.options import Options, Settings
from kthw_routes.sources import Discovery, Source
from kthw_routes.sources.linode.token import Token
from kthw_routes.ssh.session import Asker
from kthw_routes.wizard.path_suggester import FileStamp, likely_inventory, stamp_of
from kthw_routes.wizard.state import SourceChoice, SourceKind
from kthw_routes.workflow.connect import connect, inventory_source, linode_source
from kthw_routes.workflow.workflow import Workflow

if TYPE_CHECKING:
    from kthw_routes.demo.lab import EmbeddedLab

LAB_REGIONS: Final = ("ca-central", "eu-west")


@dataclass(frozen=True, slots=True)
class Found:
    """What asking a source gave, with all that the further steps go by."""

    source: SourceChoice
    token: Token | None
    settings: Settings
    workflow: Workflow
    close_connections: Callable[[], None]
    state: Path
    discovery: Discovery
    stamp: FileStamp = None
    """Of the inventory file, as it was read."""

    def findings(self, cluster: Cluster) -> tuple[Finding, ...]:
        """Report on the nodes as chosen since, before any host is read."""
        of_cluster = cluster_findings.before_visit(cluster)
        if self.source.is_own:  # there is no account to look into
            hint = "Press a to add one, its SSH address is enough."
            of_cluster = tuple(replace(f, hint=hint) if f.code == "no-worker" else f for f in of_cluster)
        return (*self.discovery.findings, *of_cluster, *regions.findings(cluster))


class TypedNodes:
    """The source of nodes that are typed in: knows none."""

    title: Final = "own machines"

    def __init__(self, cidr: IPv4Network) -> None:
        self._cidr = cidr

    def find(self, *, emit: Emit, cancel: threading.Event) -> Discovery:  # noqa: ARG002 - nobody is asked
        """Return an empty cluster."""
        return Discovery(Cluster((), self._cidr))


class SourceLoader:
    """Every source that is offered; owns the practice lab that it started."""

    def __init__(self, settings: Settings, lab: "EmbeddedLab | None", asker: Asker, emit: Emit) -> None:
        """Take `lab`: the running practice lab where it is the only source offered; whoever gave it closes it too."""
        self._settings = settings
        self._asker = asker
        self._emit = emit
        self._lab = self._given_lab = self._newest_lab = lab

    def choices(self, path: str) -> tuple[SourceChoice, ...]:
        """List the rows of the first screen. `path`: of the inventory file, as typed so far."""
        labs = tuple(SourceChoice(SourceKind.LAB, region) for region in LAB_REGIONS)
        if self._given_lab is not None:
            return labs
        file = SourceChoice(SourceKind.INVENTORY, path=path)
        return (SourceChoice(SourceKind.ACCOUNT), file, SourceChoice(SourceKind.TYPED), *labs)

    @property
    def first_choice(self) -> SourceChoice:
        """What is chosen at first: the file that was named, else the account."""
        if self._given_lab is not None:
            return SourceChoice(SourceKind.LAB, self._given_lab.region)
        if self._settings.inventory is not None:
            return SourceChoice(SourceKind.INVENTORY, path=str(self._settings.inventory))
        return SourceChoice(SourceKind.ACCOUNT)

    @property
    def likely_path(self) -> str:
        """The inventory file that is likely meant; empty where none is."""
        return "" if self._given_lab is not None else str(self._settings.inventory or likely_inventory(Path()) or "")

    def find(self, source: SourceChoice, token: Token | None, options: Options, stop: Stop) -> Found:
        """Ask for the nodes. Blocks. Raises KthwRoutesError, of an inventory with all of its errors."""
        stamp = stamp_of(source.path)
        origin, settings = self._source_of(source, token)
        if source.kind is SourceKind.TYPED:
            options = replace(options, only=frozenset())  # of nodes that are still to be typed
        connections, state = connect(settings, self._asker, default_host_keys="ask")
        workflow = Workflow(connections, options, state, self._emit)
        workflow.use_stop_signal(stop)
        try:
            discovery = workflow.find(origin)
        except KthwRoutesError:
            connections.close()
            raise
        return Found(
            source=source,
            token=token,
            settings=settings,
            workflow=workflow,
            close_connections=connections.close,
            state=state,
            discovery=discovery,
            stamp=stamp,
        )

    def _source_of(self, source: SourceChoice, token: Token | None) -> tuple[Source, Settings]:
        """Choose whom to ask, and the settings to go by then."""
        match source.kind:
            case SourceKind.TYPED:
                return TypedNodes(self._settings.cidr), self._settings
            case SourceKind.INVENTORY:
                if not source.path:
                    raise UsageError("No inventory file is named.")
                return inventory_source(self._settings, Path(source.path))
            case SourceKind.ACCOUNT:
                return linode_source(self._settings, token), self._settings
            case SourceKind.LAB:
                lab = self._lab_in(source.lab_region)
                settings = self._settings if lab is self._given_lab else lab.settings
                return linode_source(settings), settings

    def _lab_in(self, region: str) -> "EmbeddedLab":
        """Start the practice lab in this region; one in another region is closed."""
        from kthw_routes.demo.lab import EmbeddedLab

        if self._lab is not None and self._lab.region == region:
            return self._lab
        old, self._lab = self._lab, None
        if old is not None:
            old.close()
        has_pods = self._given_lab is not None and self._given_lab.has_pods
        lab = self._newest_lab = EmbeddedLab(region, with_pods=has_pods)
        lab.start()
        self._lab = lab
        return lab

    def discard_labs(self) -> None:
        """Remove the files of every practice lab, from any thread, for a process that ends now."""
        for lab in (self._given_lab, self._lab, self._newest_lab):
            if lab is not None:
                lab.discard()

    def close(self) -> None:
        """Close the practice lab that was started here."""
        if self._lab is not None and self._lab is not self._given_lab:
            self._lab.close()
