"""export: the wanted routes and names, taken elsewhere. Nothing is contacted that the format does not need."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kthw_routes.cli.command import RunningCommand
from kthw_routes.cluster import Cluster
from kthw_routes.errors import Cancelled, ExitCode, UsageError
from kthw_routes.events import Phase
from kthw_routes.export import required as readings
from kthw_routes.export.desired import Login, SshAccess, desired
from kthw_routes.export.document import Document, together
from kthw_routes.export.formats import FORMATS, Format, Network
from kthw_routes.export.save import write_file, write_folder
from kthw_routes.findings import cluster as cluster_findings
from kthw_routes.findings import model as finding_model
from kthw_routes.findings.model import Finding
from kthw_routes.options import Options, RoutesOn, Settings
from kthw_routes.overlay.model import Overlay
from kthw_routes.sanitize import clean_line, is_plain_name
from kthw_routes.workflow.results import Inspection

_STDOUT: Final = Path("-")
_WHO_KNOWS_PERSIST: Final = (
    f"Formats that know it: {', '.join(f.name for f in FORMATS.values() if f.knows_persist)}. The formats netplan and "
    "networkd are what --persist netplan and networkd write."
)


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for."""

    format: Format
    interface: str | None
    offline: bool


def export(
    settings: Settings,
    format_name: str,
    output: Path | None = None,
    *,
    interface: str | None = None,
    offline: bool = False,
) -> ExitCode:
    """Write the wanted routes and names in a format.

    Args:
        settings: where the nodes come from, and what is wanted.
        format_name: one of `FORMATS`.
        output: a file, or a folder for a format that makes several files; None or `-`: stdout.
        interface: for netplan its id of the interface, for networkd the name of the `.network` file that rules it, on
            all hosts alike, so that no host is asked.
        offline: whether nothing may be contacted.

    Returns: FAILED where a host that had to be asked could not be; what is known is written all the same.

    Raises:
        UsageError: what is asked for cannot be; with `offline`, what is missing; a *stop* finding.
        KthwRoutesError: the source cannot be read.
    """
    request = _Request(FORMATS[format_name], interface, offline)
    _check(settings, request)
    command = RunningCommand(settings, as_json=True, live=frozenset({Phase.FIND}), offline=offline)
    with command.running():
        inspection, networks = _know(command, request)
    settings = command.settings
    wanted = desired(
        replace(inspection.cluster, has_overlay=settings.options.overlay is Overlay.VXLAN),
        settings.options,
        logins=_logins(inspection.cluster, settings),
        reach=_reach(settings),
        networks=networks,
    )
    made = request.format.render(wanted)
    if not made:
        raise UsageError("There is nothing to export: no host gets a route or a name.")
    remarks = (*_unsupported(settings, request.format), *_of_overlay(settings), *request.format.remarks(wanted))
    for remark in remarks:
        command.progress.say(remark, "yellow")
    _deliver(made, request.format, output, command)
    return ExitCode.FAILED if inspection.troubles else ExitCode.DONE


def _check(settings: Settings, request: _Request) -> None:
    """Raises UsageError for options that do not go together."""
    options, wanted, interface = settings.options, request.format, request.interface
    for is_set, name in (
        (options.prune, "--prune"),
        (options.repair, "--repair"),
        (options.ip_forward, "--ip-forward"),
        (options.hosts_template, "--cloud-template"),
    ):
        if is_set:
            raise UsageError(f"export has no use for {name}: it says what should be, not what is to change.")
    _check_overlay(options, wanted)
    if options.persist is not None and not wanted.supports(options.persist):
        raise UsageError(f"The format {wanted.name} has no use for --persist {options.persist}.", _WHO_KNOWS_PERSIST)
    if request.offline and settings.inventory is None:
        raise UsageError("--offline needs the nodes from a file.", "Name it: --inventory FILE.")
    if interface is None:
        return
    if wanted.network is Network.NOTHING:
        raise UsageError(f"The format {wanted.name} has no use for --interface.")
    if not is_plain_name(interface):
        raise UsageError(f"--interface: {clean_line(interface)!r} is not the name of an interface or a file.")
    if wanted.network is Network.NETWORK_FILE and not interface.endswith(".network"):
        raise UsageError(
            f"--interface {interface}: systemd-networkd's drop-in goes by the file that rules the interface.",
            "`networkctl status` calls it Network File. Give its name, such as 05-eth0.network where Linode's Network "
            "Helper writes it, or 10-netplan-eth0.network under netplan.",
        )


def _check_overlay(options: Options, wanted: Format) -> None:
    """Raises UsageError for an overlay, be it the inventory's, that cannot be in the format: its routes need it."""
    if options.overlay is not Overlay.VXLAN:
        return
    if not wanted.knows_overlay:
        knowing = ", ".join(f.name for f in FORMATS.values() if f.knows_overlay)
        raise UsageError(
            f"The format {wanted.name} cannot carry an overlay.",
            f"Formats that can: {knowing}. `apply --overlay vxlan --persist auto` makes it on the hosts, and keeps it; "
            "--overlay none exports without it.",
        )
    if options.routes_on is RoutesOn.ALL:
        raise UsageError("Controllers cannot be in the overlay.", "Leave out --routes-on all, or the overlay.")


def _unsupported(settings: Settings, wanted: Format) -> tuple[str, ...]:
    """Return what the inventory asks for and the format has no part in; what was typed is refused before."""
    persist = settings.options.persist
    if persist is None or wanted.supports(persist):
        return ()
    return (f'The inventory\'s persist = "{persist}" has no part in the format {wanted.name}.',)


def _of_overlay(settings: Settings) -> tuple[str, ...]:
    """Return what is to be known of an overlay that is taken elsewhere."""
    if settings.options.overlay is not Overlay.VXLAN:
        return ()
    return (
        "The overlay does not encrypt. It takes packets of up to 1450 bytes, as is right where the interfaces of nodes "
        'have an MTU of 1500; pods need `"mtu": 1450` in the CNI configuration.',
    )


def _know(command: RunningCommand, request: _Request) -> tuple[Inspection, readings.Networks]:
    """Return all that the format needs. Raises UsageError where it may not be, or cannot be, known."""
    options, wanted = command.settings.options, request.format
    _check_overlay(options, wanted)
    discovery = command.workflow.find(command.source)
    cluster = discovery.cluster
    _apply_options((*discovery.findings, *cluster_findings.before_visit(cluster)), command, wanted)
    missing = readings.missing_facts(cluster, wanted, request.interface, options.routes_on)
    if missing and request.offline:
        raise UsageError(
            f"The format {wanted.name} needs what is not known offline:",
            "\n".join(
                [*missing.values(), readings.how_to_supply(cluster, wanted, request.interface, options.routes_on)]
            ),
        )
    inspection = Inspection(cluster=cluster, facts={}, troubles={}, routes_on=options.routes_on)
    asked = cluster.with_selection(missing)
    if asked.visited:
        inspection = command.inspect(asked)
        if command.workflow.stop.requested:
            raise Cancelled("Interrupted. Nothing was exported.")
        command.print_new_host_keys(inspection)
        inspection = replace(inspection, cluster=readings.with_observed_pod_cidrs(cluster, inspection.cluster))
    _apply_options((*discovery.findings, *inspection.findings), command, wanted, aloud=True)
    return _with_networks(inspection, request, options)


def _with_networks(inspection: Inspection, request: _Request, options: Options) -> tuple[Inspection, readings.Networks]:
    """Return the networks too, where the format goes by them; a host that could not be asked is left out then."""
    if request.format.network is Network.NOTHING:
        return inspection, {}
    cluster = inspection.cluster
    if request.interface is not None:
        return inspection, readings.from_option(cluster, request.format, request.interface, options.routes_on)
    read = [n.name for n in cluster.visited if n.name not in inspection.troubles]
    networks = readings.from_hosts(cluster, inspection.facts, inspection.routes_on)
    return replace(inspection, cluster=cluster.with_selection(read)), networks


def _apply_options(
    findings: tuple[Finding, ...], command: RunningCommand, wanted: Format, *, aloud: bool = False
) -> None:
    """Print the findings, and raise UsageError where one of them stops everything."""
    may_lack = cluster_findings.FILLED_IN_LATER if wanted.may_lack else frozenset[str]()
    stops = tuple(f for f in finding_model.stops(findings) if f.code not in may_lack)
    if stops or aloud:
        command.printer.findings(findings)
    if stops:
        raise UsageError(f"Nothing is exported: {stops[0].sentence}", stops[0].hint)


def _logins(cluster: Cluster, settings: Settings) -> Mapping[str, Login]:
    """Node name -> how it is reached, the person's SSH configuration asked."""
    from kthw_routes.ssh.config import SYSTEM_CONFIG, SshConfig

    config = SshConfig(
        settings.ssh_config or Path.home() / ".ssh" / "config", system=None if settings.ssh_config else SYSTEM_CONFIG
    )
    return {
        node.name: Login(
            node.ssh.host,
            config.resolve(node.ssh, user=settings.user, port=settings.port).user,
            node.ssh.port or settings.port,
        )
        for node in cluster.visited
        if node.ssh is not None
    }


def _reach(settings: Settings) -> SshAccess:
    from kthw_routes.options import KUBERNETES_KEY

    identity = settings.identity.expanduser() if settings.identity else None
    if identity is None and KUBERNETES_KEY.is_file():
        identity = KUBERNETES_KEY
    return SshAccess(identity=identity, ssh_config=settings.ssh_config, user=settings.user, folder=Path.cwd())


def _deliver(made: tuple[Document, ...], wanted: Format, output: Path | None, command: RunningCommand) -> None:
    if output is None or output == _STDOUT:
        sys.stdout.write(together(made))
        sys.stdout.flush()
        return
    if wanted.is_folder:
        write_folder(output, made)
    else:
        write_file(output, made[0])
    for document in made if wanted.is_folder else ():
        command.progress.say(f"Written: {output / document.path}")
    if not wanted.is_folder:
        command.progress.say(f"Written: {output}")
