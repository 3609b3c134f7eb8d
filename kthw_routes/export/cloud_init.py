"""cloud-init: user data per host, for nodes that are rebuilt.

The routes come by the systemd timer, as only that outlives the first boot; the names once, at the first boot.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from kthw_routes.export import batch, hosts_block, timer
from kthw_routes.export.desired import Desired, DesiredHost
from kthw_routes.export.document import BY, Document, indented, quoted
from kthw_routes.persistence.unit import TIMER


def render(desired: Desired) -> tuple[Document, ...]:
    """Make one `#cloud-config` per host. Raises UsageError for a way of persisting routes that it does not know."""
    is_held, commands = timer.is_wanted(desired.options.persist, "cloud-init's user data"), batch.Commands()
    return tuple(Document(PurePosixPath(f"{h.name}.yaml"), _user_data(h, is_held, commands)) for h in desired.busy)


def _user_data(host: DesiredHost, is_held: bool, commands: batch.Commands) -> str:
    lines = ["#cloud-config", f"# {BY} for {host.name}: the pod routes of Kubernetes The Hard Way, lab 11."]
    files = timer.files(host) if is_held else ()
    if files:
        lines.append("write_files:")
    for file in files:
        lines += [
            f"  - path: {quoted(file.path)}",
            f'    permissions: "0{file.mode:o}"',
            "    content: |",
            *indented(file.content.decode().splitlines(), 6),
        ]
    lines += ["runcmd:", *(_by_timer() if files else _at_once(host, commands)), *_names(host)]
    return "".join(f"{line}\n" for line in lines)


def _by_timer() -> Iterator[str]:
    yield "  - [systemctl, daemon-reload]"
    yield f"  - [systemctl, enable, --now, {TIMER.name}]"


def _at_once(host: DesiredHost, commands: batch.Commands) -> Iterator[str]:
    if host.routes:
        yield "  # These routes end at the next reboot."
    for wanted in host.routes:
        yield f"  - [{', '.join(map(quoted, ('ip', *commands.line(wanted).split())))}]"


def _names(host: DesiredHost) -> Iterator[str]:
    if host.names:
        yield "  # With manage_etc_hosts, cloud-init rewrites /etc/hosts at each boot, and the names are gone again."
        yield "  - - sh"
        yield "    - -euc"
        yield "    - |"
        yield from indented(hosts_block.script(host.names), 6)
