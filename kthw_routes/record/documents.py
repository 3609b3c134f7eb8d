"""The JSON documents that `--json` prints, field by field: the schema of version 1 is made from these types.

A field that is not known is null. New fields alone do not raise the version.
"""

from typing import Literal, NotRequired, TypedDict

from kthw_routes.cluster import PodCidrSource, Role, Selection
from kthw_routes.events import HostState
from kthw_routes.facts import Privilege
from kthw_routes.findings.model import Level
from kthw_routes.persistence.model import Manager
from kthw_routes.plan.changes import ChangeKind
from kthw_routes.plan.codes import NameCode, RouteCode
from kthw_routes.rollback import RollbackState

EvidenceWord = Literal["none", "probe", "bridge", "pod"]


class RouteDocument(TypedDict):
    """A route as it was read from a host's main table."""

    prefix: str
    type: str
    gateway: str | None
    gateways: list[str]
    device: str | None
    protocol: str
    metric: int
    scope: str
    source: str | None
    flags: list[str]
    tos: int
    extra: str


class NodeDocument(TypedDict):
    """A node as it was found and corrected; `ssh` is [user@]host[:port]."""

    name: str
    role: Role
    region: str | None
    status: str | None
    ssh: str | None
    internal_ip: str | None
    pod_cidr: str | None
    pod_cidr_source: PodCidrSource
    selection: Selection
    identity: str | None
    next_hop: str | None


class FindingDocument(TypedDict):
    """A finding; `warning`: the wizard wants it acknowledged."""

    code: str
    level: Level
    warning: bool
    node: str | None
    region: str | None
    sentence: str
    hint: str


class RouteRow(TypedDict):
    """What becomes of one prefix; `code` is null in an undo."""

    kind: ChangeKind
    prefix: str
    worker: str | None
    next_hop: str | None
    has: list[RouteDocument]
    reason: str
    commands: list[str]
    code: NotRequired[RouteCode | None]


class NameRow(TypedDict):
    """What becomes of one worker's name in /etc/hosts; `code` is null in an undo."""

    kind: ChangeKind
    name: str
    address: str | None
    has: list[str]
    reason: str
    code: NotRequired[NameCode | None]


class FileRow(TypedDict):
    """What becomes of one file; `mode` is octal, as in 0644."""

    kind: ChangeKind
    path: str
    mode: str
    before: str | None
    after: str | None
    reason: str


class PersistenceDocument(TypedDict):
    """Which manager keeps the routes after a reboot, and why."""

    manager: Manager | None
    reason: str
    problem: str | None


class StatedRouteDocument(TypedDict):
    """A pod route that the host's own configuration states, in a file that is not ours."""

    prefix: str
    next_hop: str
    path: str
    line: int
    manager: str
    rewritten_by: str | None


class StatedFileRow(TypedDict):
    """What a file of the host's own configuration states: wanted routes, and those that should not come back."""

    kind: ChangeKind
    path: str
    reason: str
    kept: list[StatedRouteDocument]
    stale: list[StatedRouteDocument]


class VxlanDocument(TypedDict):
    """The device of the overlay; `mtu` in bytes."""

    vni: int
    port: int
    local: str | None
    learning: bool
    mac: str
    mtu: int
    up: bool


class OverlayDocument(TypedDict):
    """The overlay on a host: the device, its permanent neighbours (address: MAC address), its forwarding database.

    `accepts`: from whom the table accepts its packets; null where there is no table.
    """

    device: VxlanDocument | None
    addresses: list[str]
    neighbours: dict[str, str]
    forwarding: dict[str, list[str]]
    accepts: list[str] | None


class OverlayRow(TypedDict):
    """What becomes of the overlay on a host."""

    kind: ChangeKind
    before: OverlayDocument | None
    after: OverlayDocument | None
    reason: str
    commands: list[str]


class HostPlanDocument(TypedDict):
    """One host's plan, row by row."""

    host: str
    routes: list[RouteRow]
    names: list[NameRow]
    etc_hosts_problem: str | None
    files: list[FileRow]
    stated: list[StatedFileRow]
    persistence: PersistenceDocument | None
    forwarding: bool | None
    leftovers: list[str]
    switches: list[str]
    overlay: list[OverlayRow]
    own_pod_cidr_routed_away: RouteDocument | None
    inverse: list[str]


class HostKeyDocument(TypedDict):
    """A host key as it was presented; `fingerprint` begins with SHA256:."""

    type: str
    fingerprint: str


class AddressDocument(TypedDict):
    """An address of an interface, with its prefix length."""

    device: str
    address: str
    up: bool


class LinkDocument(TypedDict):
    """Which network manager has an interface."""

    device: str
    network_file: str | None
    networkd_state: str | None
    networkmanager_connection: str | None
    ifupdown: bool


class FileDigest(TypedDict):
    """A file that is not shown; `mode` is octal, as in 0644."""

    path: str
    mode: str
    sha256: str


class FileDocument(FileDigest):
    """A file that kthw-routes made."""

    text: str


class NetworkDocument(TypedDict):
    """How a host's network is configured, and the files that kthw-routes made there."""

    links: list[LinkDocument]
    links_beside: list[LinkDocument]
    systemd: bool
    netplan: bool
    netplan_problem: str | None
    files: list[FileDocument]
    folders: list[str]
    timer_enabled: bool
    timer_active: bool
    unit_states: dict[str, str]
    stated: list[StatedRouteDocument]
    overridden: list[str]
    etc_hosts_template: FileDigest | None
    leftovers: list[str]
    switches: list[str]


class PodDocument(TypedDict):
    """A pod's address in its network namespace."""

    namespace: str
    address: str


class CidrFilesDocument(TypedDict):
    """Where a pod CIDR was read on a host, and why a file that is there cannot be used."""

    cni: str | None
    kubelet: str | None
    problems: list[str]
    plugin: str | None


class FactsDocument(TypedDict):
    """Every reading of one host."""

    read_at: str
    host_key: HostKeyDocument
    user: str
    privilege: Privilege
    hostname: str
    iproute2: str
    addresses: list[AddressDocument]
    routes: list[RouteDocument]
    routes_within: str | None
    cni_cidr: str | None
    kubelet_cidr: str | None
    cidr_files: CidrFilesDocument
    ip_forward: bool
    network: NetworkDocument
    overlay: OverlayDocument | None
    etc_hosts: str | None
    etc_hosts_problem: str | None
    bridges: list[AddressDocument]
    bridge: str | None
    pods: list[PodDocument]


class CountersDocument(TypedDict):
    """How many packets one end counted for a pair's ping, or for those of all pairs at once."""

    requests_out: int
    requests_in: int
    replies_out: int
    replies_in: int


VerdictDocument = TypedDict("VerdictDocument", {"from": str, "to": str, "prefix": str, "forwards": bool, "words": str})
"""What one worker's kernel would do with a packet for another worker's pods."""

StandInDocument = TypedDict("StandInDocument", {"from": str, "to": str})
"""A pair, by its ends: the one that was tested by itself in place of others, or one of those with the same cause."""


class BetweenNodesDocument(TypedDict):
    """What reached the target's node itself, while its pair failed."""

    internal_answered: bool
    sent: int
    arrived: int | None


class LookupDocument(TypedDict):
    """What a kernel would do with a packet out to, or in from, another worker's pods."""

    way: Literal["out", "in"]
    worker: str
    words: str
    refused: bool


class PathDocument(TypedDict):
    """What was read of an end of a pair that fails: the rules of its firewall by table and chain, nat aside."""

    policy_rules: list[str]
    policy_tables: NotRequired[dict[str, list[str]]]
    lookups: list[LookupDocument]
    rp_filter: dict[str, int]
    firewall: dict[str, dict[str, list[str]]]
    unread: list[str]


class MasqueradingDocument(TypedDict):
    """Whether the source's node gives a request its own address (null: not known), and the nat rule that does."""

    happens: bool | None
    rule: str | None


PairDocument = TypedDict(
    "PairDocument",
    {
        "from": str,
        "to": str,
        "ok": bool,
        "tested": bool,
        "evidence": EvidenceWord,
        "from_address": str | None,
        "to_address": str | None,
        "sent": int,
        "received": int,
        "round_trip_ms": float | None,
        "words": str,
        "problem": str,
        "counters_from": CountersDocument | None,
        "counters_to": CountersDocument | None,
        "alone": bool,
        "same_as": StandInDocument | None,
        "silent_hop_back": str | None,
        "full_neighbour_table": str | None,
        "full_size": int | None,
        "full_size_lost": str | None,
        "only_pings": str | None,
        "between_nodes": BetweenNodesDocument | None,
        "masquerading": MasqueradingDocument | None,
    },
)
"""One ordered pair of workers: what was sent, what was answered.

The counters are those of both ends where it was tested alone; else it was tested while all others were. `same_as`: it
failed then, and was not tested alone, but this pair was. `masquerading` is of pods, null where it was not judged.
"""


class CauseDocument(TypedDict):
    """Why pairs of workers do not get through: the first layer that fails, alike for all of them."""

    pairs: list[StandInDocument]
    layer: str
    host: str | None
    what: str
    seen: str
    ruled_out: list[str]
    command: str
    fix: str | None


class CloudRuleDocument(TypedDict):
    """One rule of a firewall of the provider; `whole` is false where it names lists of addresses kept elsewhere."""

    accepts: bool
    protocol: str
    ports: str
    networks: list[str]
    whole: bool
    label: str


class CloudFirewallDocument(TypedDict):
    """A firewall of the provider in front of a node, as its API describes it. `…_accepts` is of what no rule fits."""

    label: str
    inbound: list[CloudRuleDocument]
    inbound_accepts: bool
    outbound: list[CloudRuleDocument]
    outbound_accepts: bool


class ProofDocument(TypedDict):
    """The proof with every reading that it rests on.

    `cloud_firewalls`: of the ends of pairs whose packets are lost between nodes, where the provider was asked.
    """

    headline: str
    proved: bool
    evidence: EvidenceWord
    caveat: str
    drift: bool
    unread: list[str]
    verdicts: list[VerdictDocument]
    pairs: list[PairDocument]
    causes: list[CauseDocument]
    paths: dict[str, PathDocument]
    cloud_firewalls: NotRequired[dict[str, list[CloudFirewallDocument]]]
    counters: dict[str, CountersDocument]
    hosts: dict[str, FactsDocument]


class OutcomeDocument(TypedDict):
    """How one host ended."""

    host: str
    state: HostState
    sentence: str
    hint: str
    changes_sent: int
    failed_rows: dict[str, str]


class RollbackDocument(TypedDict):
    """What became of a host's automatic rollback."""

    host: str
    fate: RollbackState
    sentence: str


class PlanDocument(TypedDict):
    """What `plan --json` prints."""

    version: Literal[1]
    cluster_cidr: str
    nodes: list[NodeDocument]
    findings: list[FindingDocument]
    hosts: list[HostPlanDocument]
    changes: int
    drift: bool


class CheckDocument(PlanDocument):
    """What `check --json` prints."""

    proof: ProofDocument


class ApplyDocument(PlanDocument):
    """What `apply --json` prints; `run` is the folder of the record, null where nothing was recorded."""

    outcomes: list[OutcomeDocument]
    run: str | None
    record_problem: str | None
    proof: ProofDocument | None
    commitments: list[RollbackDocument]


class UndoDocument(PlanDocument):
    """What `undo --json` prints; `undoes` is the run's name."""

    undoes: str | None
    outcomes: list[OutcomeDocument]
    run: str | None
    record_problem: NotRequired[str | None]


class HostOfRun(TypedDict):
    """What became of one host in a run."""

    host: str
    state: str | None
    undone_by: str | None
    by_itself: RollbackState | None
    fires_at: str | None


class RunDocument(TypedDict):
    """One run's record."""

    id: str
    folder: str
    sequence: int | None
    started: str | None
    kind: Literal["apply", "undo"]
    undoes: str | None
    source: str | None
    hosts: list[HostOfRun]
    changes: int
    ended: bool
    undone: bool
    outcome: str
    problem: str | None


class RunsDocument(TypedDict):
    """What `runs --json` prints."""

    version: Literal[1]
    runs: list[RunDocument]


class ErrorText(TypedDict):
    """Why a command ended."""

    sentence: str
    hint: str
    exit_code: int


class ErrorDocument(TypedDict):
    """What any command prints with `--json` where it ends with an error; with the plan where that was known."""

    version: Literal[1]
    error: ErrorText
    cluster_cidr: NotRequired[str]
    nodes: NotRequired[list[NodeDocument]]
    findings: NotRequired[list[FindingDocument]]
    hosts: NotRequired[list[HostPlanDocument]]
    changes: NotRequired[int]
    drift: NotRequired[bool]
