"""What one would type by hand for each step: shown by *Commands*, to read, copy and learn from."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.options import Settings
from kthw_routes.persistence.paths import ETC_HOSTS
from kthw_routes.plan import shell
from kthw_routes.plan.changes import HostPlan
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.linode.token import DEFAULT_URL
from kthw_routes.undo.by_hand import manual_undo
from kthw_routes.wizard.state import SourceChoice, SourceKind
from kthw_routes.workflow.results import Report, Review

_NEVER_APPLY: Final = "    # never apply or try: they take the network down and up"
_EXAMPLE = """\
# nodes.toml
[[nodes]]
name = "worker-0"
role = "worker"
ssh = "root@192.168.8.20"
"""


def finding(source: SourceChoice) -> Iterator[str]:
    """Yield how to ask for the nodes."""
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
    """Yield how to log in to each node."""
    yield "# Each node, by SSH:"
    for node in cluster.visited:
        if node.ssh is not None:
            yield f"{log_in(settings, node)}    # {node.name}"


def ran(title: str, hosts: Mapping[str, Sequence[str]], cluster: Cluster, settings: Settings) -> Iterator[str]:
    """Yield what was run on each host, under a title. `hosts`: host -> its commands."""
    yield f"# {title}:"
    if not hosts:
        yield "# Nothing was run yet."
    for name, commands in hosts.items():
        node = next((n for n in cluster if n.name == name), None)
        yield ""
        yield f"# {name}"
        yield log_in(settings, node) if node is not None and node.ssh is not None else f"ssh {name}"
        yield from dict.fromkeys(commands)


def planned(review: Review, report: Report | None, settings: Settings) -> Iterator[str]:
    """Yield the commands of the plan, host by host; after a run, what undoes it too."""
    cluster = review.inspection.cluster
    if review.plan.is_empty:
        yield "# Nothing to do."
    for host in review.plan.hosts:
        if host.is_empty:
            continue
        yield f"# {host.node}"
        yield log_in(settings, cluster.node(host.node))
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
    """Yield the commands on one host, in the order in which the run does it; /etc/hosts is written whole."""
    commands = [command for command in host.commands if not command.startswith("#   /etc/hosts")]
    if host.hosts_file is not None and not host.hosts_file.is_empty:
        commands += shell.write_file(ETC_HOSTS, host.hosts_file.after)
    for line in shell.lines(shell.with_sudo(commands)):
        yield f"{line}{_NEVER_APPLY}" if line == "sudo netplan generate" else line


def log_in(settings: Settings, node: Node) -> str:
    """Return the command that logs in to a node."""
    words = ["ssh"]
    if settings.ssh_config is not None:
        words += ["-F", str(settings.ssh_config)]
    if (identity := node.identity or settings.identity) is not None and settings.personal:
        words += ["-i", str(identity)]
    port = node.ssh.port if node.ssh and node.ssh.port else settings.port
    if port:
        words += ["-p", str(port)]
    user = (node.ssh.user if node.ssh else None) or settings.user or "root"
    return shlex.join([*words, f"{user}@{node.ssh.host if node.ssh else node.name}"])
