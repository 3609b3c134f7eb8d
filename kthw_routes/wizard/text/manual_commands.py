"""What one would type by hand for each step: shown by *Commands*, to read, copy and learn from."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.hosts import write_files
from kthw_routes.options import Settings
from kthw_routes.persistence import paths as own_paths
from kthw_routes.persistence import unit
from kthw_routes.persistence.managers import manager_of
from kthw_routes.persistence.model import Manager
from kthw_routes.plan.changes import FileChange, HostPlan
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.linode.token import DEFAULT_URL
from kthw_routes.undo.by_hand import here_document, manual_undo
from kthw_routes.wizard.state import SourceChoice, SourceKind
from kthw_routes.workflow.results import Report, Review

_GENERATE: Final = "sudo netplan generate    # never apply or try: they take the network down and up"
_RELOAD: Final = "sudo systemctl daemon-reload"
_EXAMPLE = """\
# nodes.toml
[[nodes]]
name = "worker-0"
role = "worker"
ssh = "root@192.168.8.20"
"""


def finding(source: SourceChoice) -> Iterator[str]:
    """How to ask for the nodes."""
    if source.kind is SourceKind.INVENTORY:
        path = shlex.quote(clean_line(source.path) or "nodes.toml")
        yield "# The nodes of an inventory file:"
        yield f"cat {path}"
        yield f"kthw-routes plan --inventory {path}    # what would change; changes nothing"
        return
    if source.kind is SourceKind.TYPED:
        yield "# The addresses of machines of your own, on each of them:"
        yield "hostname; ip -brief -4 address"
        yield ""
        yield "# As a file, for the next run (Save in the next step writes it):"
        yield from _EXAMPLE.splitlines()
        return
    yield "# The nodes of a Linode account, from its API:"
    yield "export LINODE_TOKEN=…    # scope linodes:read_only"
    yield f"curl -H \"Authorization: Bearer $LINODE_TOKEN\" '{DEFAULT_URL}/linode/instances?page_size=500'"
    yield f"curl '{DEFAULT_URL}/regions'"
    yield ""
    yield "# The same with linode-cli, as the tutorial does it, per worker:"
    yield "linode-cli linodes list --label worker-0 --json --format ipv4"
    if source.kind is SourceKind.LAB:
        yield ""
        yield "# The practice lab, kept open for a second terminal:"
        yield f"kthw-routes demo --keep --region {source.lab_region}"


def nodes(cluster: Cluster, settings: Settings) -> Iterator[str]:
    """How to log in to each node."""
    yield "# Each node, by SSH:"
    for node in cluster.visited:
        if node.ssh is not None:
            yield f"{_ssh(settings, node)}    # {node.name}"


def ran(title: str, hosts: Mapping[str, Sequence[str]], cluster: Cluster, settings: Settings) -> Iterator[str]:
    """What was run on each host, under a title. `hosts`: host -> its commands."""
    yield f"# {title}:"
    if not hosts:
        yield "# Nothing was run yet."
    for name, commands in hosts.items():
        node = next((n for n in cluster if n.name == name), None)
        yield ""
        yield f"# {name}"
        yield _ssh(settings, node) if node is not None and node.ssh is not None else f"ssh {name}"
        yield from dict.fromkeys(commands)


def planned(review: Review, report: Report | None, settings: Settings) -> Iterator[str]:
    """The commands of the plan, host by host; after a run, what undoes it too."""
    cluster = review.inspection.cluster
    if review.plan.is_empty:
        yield "# Nothing to do."
    for host in review.plan.hosts:
        if host.is_empty:
            continue
        yield f"# {host.node}"
        yield _ssh(settings, cluster.node(host.node))
        yield from on_host(host)
        yield ""
    if report is not None:
        if report.folder is not None:
            yield f"kthw-routes undo {report.folder.name}"
        for way in manual_undo(report.review.plan, report.outcomes):
            yield f"# To undo on {way.host}, as root:"
            yield from way.lines
            yield ""


def on_host(host: HostPlan) -> Iterator[str]:
    """The commands on one host, in the order in which the run sends them."""
    for run in host.rollbacks:
        yield f"sudo systemctl stop {own_paths.rollback_unit(run)}.timer"
        yield f"sudo rm {own_paths.rollback_script(run)}"
    written, removed = write_files.ordered(host.files)
    timer = next((f for f in host.files if f.path == unit.TIMER), None)
    if write_files.timer_must_pause(
        host.files
    ):  # while its files are there: of a unit without one systemd knows nothing
        goes = timer is not None and (timer.after is None or not timer.is_enabled)
        yield f"sudo systemctl {'disable --now' if goes else 'stop'} {unit.TIMER.name}"
    yield from (str(command) for command in host.commands)
    for file in written:
        yield from _write(file)
    if _is_of(Manager.NETPLAN, written):
        yield _GENERATE
    if _is_of(Manager.UNIT, written):
        yield _RELOAD
        if timer is None:
            yield f"systemctl -q is-enabled {unit.TIMER.name} && sudo systemctl start {unit.TIMER.name}"
        elif timer.after is not None and timer.is_enabled:
            yield f"sudo systemctl enable --now {unit.TIMER.name}"
    for file in removed:
        yield f"sudo rm {shlex.quote(str(file.path))}"
        if file.folder_is_ours:
            yield f"sudo rmdir --ignore-fail-on-non-empty {shlex.quote(str(file.path.parent))}"
    if _is_of(Manager.NETPLAN, removed):
        yield _GENERATE
    if _is_of(Manager.UNIT, removed):
        yield _RELOAD
    for left in host.leftovers:
        yield f"sudo {'rmdir' if left.is_folder else 'rm'} {shlex.quote(str(left.path))}"
    for name in host.names:
        if name.kind.is_change:
            line = f"{name.address} {name.name}" if name.address else name.name
            yield f"#   /etc/hosts: {name.kind} “{line}” ({name.reason})"
    if host.forwarding is not None:
        yield f"sudo sysctl -w net.ipv4.ip_forward={int(host.forwarding)}"


def _write(change: FileChange) -> Iterator[str]:
    """How to write a file. Its mode comes first: nobody is to read it for a moment who may not later."""
    path = shlex.quote(str(change.path))
    if change.before is None:
        yield f"sudo install -D -m {change.mode:04o} /dev/null {path}"
    elif change.mode != change.before_mode:
        yield f"sudo chmod {change.mode:04o} {path}"
    yield from here_document(f"sudo tee {path} >/dev/null", change.path, change.after or b"")


def _is_of(manager: Manager, changes: Iterable[FileChange]) -> bool:
    return any(manager_of(c.path) is manager for c in changes)


def _ssh(settings: Settings, node: Node) -> str:
    words = ["ssh"]
    if settings.ssh_config is not None:
        words += ["-F", str(settings.ssh_config)]
    if settings.identity is not None and settings.personal:
        words += ["-i", str(settings.identity)]
    port = node.ssh.port if node.ssh and node.ssh.port else settings.port
    if port:
        words += ["-p", str(port)]
    user = (node.ssh.user if node.ssh else None) or settings.user or "root"
    return shlex.join([*words, f"{user}@{node.ssh.host if node.ssh else node.name}"])
