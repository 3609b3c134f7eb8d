"""A script for POSIX sh, as the lab does it: an `ssh` per host, its commands in a here-document."""

import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from kthw_routes.errors import UsageError
from kthw_routes.export import batch, hosts_block
from kthw_routes.export.desired import Desired, DesiredHost, Login, SshAccess
from kthw_routes.export.document import BY, Document
from kthw_routes.overlay import table
from kthw_routes.persistence import overlay_script


def render(desired: Desired) -> tuple[Document, ...]:
    """Make the script. Raises UsageError where a host has no SSH address."""
    lines = [
        "#!/bin/sh",
        f"# {BY}: the pod routes of Kubernetes The Hard Way, lab 11, host by host.",
        "#",
        "# Run it where you run the tutorial's commands. It may run again: what is right stays as it is. It ends at",
        "# the first host that fails, and its exit code says so. These routes end at the next reboot.",
        "set -eu",
    ]
    commands = batch.Commands()
    for host in desired.busy:
        lines += ["", *_section(host, desired.reach, commands)]
    return (Document(PurePosixPath("kthw-routes.sh"), "".join(f"{line}\n" for line in lines), 0o755),)


def ssh(login: Login, reach: SshAccess, own_key: Path | None = None) -> str:
    """Make the words that begin a root shell on a host, which reads its commands from stdin.

    `own_key`: the private key of this host alone.
    """
    words = ["ssh"]
    if reach.ssh_config is not None:
        words += ["-F", str(reach.ssh_config)]
    if (identity := own_key or reach.identity) is not None:
        words += ["-i", str(identity)]
    if login.port is not None:
        words += ["-p", str(login.port)]
    words.append(f"{login.user}@{login.host}")
    if not login.is_root:
        words += ["sudo", "-n"]
    return shlex.join([*words, "sh", "-eu"])


def _section(host: DesiredHost, reach: SshAccess, commands: batch.Commands) -> Iterator[str]:
    if host.login is None:
        raise UsageError(f"{host.name} has no SSH address.", "Add one, or leave it out (--only).")
    yield f"# --- {host.name} ---"
    yield f"echo {host.name}"
    yield f"{ssh(host.login, reach, host.node.identity)} <<'EOF'"
    if host.overlay.accepts is not None:
        yield "nft -f - <<'END-OF-TABLE'"
        yield from table.render(host.overlay.accepts).splitlines()
        yield "END-OF-TABLE"
        yield from overlay_script.device_lines(host.overlay)
    for wanted in host.routes:
        yield f"ip {commands.line(wanted)}  # {wanted.worker}"
    if host.names:
        yield from hosts_block.script(host.names)
    yield "EOF"
