"""None of the managers: a systemd service that puts the routes back, and a timer that runs it every ten seconds.

Works with any of them, and brings the routes back within seconds when one of them wipes them (measured).
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import PROTOCOL, HostFile, NetworkSetup
from kthw_routes.overlay.model import DEVICE
from kthw_routes.persistence import overlay_script, scripts
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.persistence.text import content, heading, text_of

FOLDER: Final = PurePosixPath("/etc/kthw-routes")
BATCH: Final = FOLDER / "routes.batch"
SERVICE: Final = PurePosixPath("/etc/systemd/system/kthw-routes.service")
TIMER: Final = PurePosixPath("/etc/systemd/system/kthw-routes.timer")
PATHS: Final = (BATCH, SERVICE, TIMER)
"""In the order in which they are written: the timer when all that it starts is there."""
ALL_PATHS: Final = (overlay_script.PATH, *PATHS)
"""With the script of an overlay, likewise."""


def owns(path: PurePosixPath) -> bool:
    """Whether this is the path of a file that this module makes."""
    return path in ALL_PATHS


def render(routes: Sequence[PersistedRoute], network: NetworkSetup) -> tuple[HostFile, ...]:
    """Render the batch, the service and the timer. A route through the overlay is one of a host that has its script."""
    pairs = sorted({(route.prefix, route.next_hop, route.device == DEVICE) for route in routes})
    if not pairs:
        return ()
    batch = heading("The routes to the pods on other nodes: lines for `ip -force -batch`, run by kthw-routes.service.")
    for prefix, hop, is_overlaid in pairs:
        through = f" dev {DEVICE}" if is_overlaid else ""
        batch.append(f"route replace {prefix} via {hop}{through} proto {PROTOCOL}{' onlink' if is_overlaid else ''}")
    return (HostFile(BATCH, 0o644, content(batch)), *fixed(has_overlay=any(overlaid for *_, overlaid in pairs)))


def fixed(*, has_overlay: bool = False) -> tuple[HostFile, HostFile]:
    """Render the service and the timer, which are the same everywhere but for the overlay's script."""
    return HostFile(SERVICE, 0o644, content(_service(has_overlay))), HostFile(TIMER, 0o644, content(_timer()))


def runs_overlay(service: HostFile) -> bool:
    """Whether a service of ours runs the overlay's script."""
    return str(overlay_script.PATH) in text_of(service)


def _service(has_overlay: bool) -> list[str]:
    return [
        *heading("Puts the routes to the pods on other nodes back; kthw-routes.timer runs it."),
        "[Unit]",
        "Description=Routes to the pods on other nodes",
        "Wants=network-online.target",
        "After=network-online.target",
        "Before=kubelet.service",
        "",
        "[Service]",
        "Type=oneshot",
        *([f"ExecStart=-/bin/sh {overlay_script.PATH}"] if has_overlay else []),
        f"ExecStart=-/usr/bin/env ip -force -batch {BATCH}",
        "# What ip complains of is logged; that it ran, every ten seconds, is not.",
        "SyslogLevel=notice",
        "LogLevelMax=notice",
    ]


def _timer() -> list[str]:
    return [
        *heading("Runs kthw-routes.service after boot, and again and again: other programs may wipe the routes."),
        "[Unit]",
        "Description=Routes to the pods on other nodes, put back where they are gone",
        "",
        "[Timer]",
        "OnActiveSec=5s",
        "OnUnitInactiveSec=10s",
        "AccuracySec=1s",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]


def parse(file: HostFile, network: NetworkSetup | None = None) -> tuple[PersistedRoute, ...]:
    """Parse the routes of the batch; the service and the timer have none."""
    return scripts.parse(file) if file.path == BATCH else ()


def ignored_reason(file: HostFile, network: NetworkSetup) -> str | None:
    """Say why this host does not run the batch, as the end of a sentence; None where it does."""
    if not network.has_systemd:
        return "systemd is not the init there"
    service = network.file(SERVICE)
    needed = ALL_PATHS if service is not None and runs_overlay(service) else PATHS
    missing = next((path for path in needed if path != file.path and network.file(path) is None), None)
    if missing:
        return f"{missing} is missing"
    if not network.timer_is_enabled:
        return "systemd does not start kthw-routes.timer at boot (`systemctl enable --now kthw-routes.timer`)"
    return None


def unsupported_reason(devices: Iterable[str], network: NetworkSetup) -> str | None:
    """Say why it cannot keep routes, as the end of a sentence; None where it can."""
    return None if network.has_systemd else "systemd is not the init there"
