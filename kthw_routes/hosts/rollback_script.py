"""The script with which a host takes a change back by itself: plain sh, everything that it needs within it. Pure.

What somebody changed meanwhile is left alone here too: a file goes back only while it is as the run wrote it, the
routes of a prefix only while the route is there that the run put there. A route that it removed is added, never put in
the place of another. Forwarding stays on where pods need it by then.
"""

import base64
import shlex
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import PurePosixPath

from kthw_routes.hosts import programs
from kthw_routes.iproute2.commands import batch
from kthw_routes.iproute2.edits import outcome
from kthw_routes.persistence import netplan, unit
from kthw_routes.persistence import paths as own_paths
from kthw_routes.plan.changes import FileChange, HostPlan, RouteChange


def script(todo: HostPlan, path: PurePosixPath, pods: IPv4Network | None) -> bytes:
    """The script.

    Args:
        todo: what is done on the host.
        path: where it lies. It renames itself first, or does nothing where it was called off meanwhile; that it is gone
            is the sign that it ran.
        pods: the host's pod CIDR; None where it has none.
    """
    mine = own_paths.claimed(path)
    lines = [
        "#!/bin/sh",
        "# kthw-routes: takes back what was changed here, because nobody said in time that it is well.",
        "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C",
        f"{programs.rename_over(path, mine)} 2>/dev/null || exit 0",
        f"rm -f {mine}",
        *_back(todo, pods),
        "exit 0",
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _back(plan: HostPlan, pods: IPv4Network | None) -> Iterator[str]:
    files = [f for f in plan.files if f.kind.is_change]
    units = [f for f in files if f.path in unit.PATHS]
    if any(f.after is not None for f in units):
        yield str(programs.stop_timer())
    for row in reversed(plan.routes):
        yield from _routes(row)
    if any(f.path == unit.TIMER and f.after is not None and not _ran(f) for f in units):
        yield str(programs.disable_timer())
    for change in reversed(files):
        new = own_paths.beside(change.path)
        yield from _file(change.path, new, change.after, change.before, _mode(change), change.folder_is_ours)
    if any(f.path == netplan.PATH for f in files):
        yield str(programs.generate_netplan())
    if units:
        yield str(programs.reload_units())
        timer = next((f for f in plan.files if f.path == unit.TIMER), None)  # it rested, also if it stays as it is
        if timer is None:
            yield f"{programs.timer_is_enabled()} && {programs.enable_timer()}"
        elif _ran(timer):
            yield str(programs.enable_timer())
    edit = plan.hosts_file
    if edit is not None and not edit.is_empty:
        yield from _file(own_paths.ETC_HOSTS, own_paths.NEW_ETC_HOSTS, edit.after, edit.before, None, False)
    if plan.forwarding is not None:
        yield from _forwarding(not plan.forwarding, pods)


def _ran(timer: FileChange) -> bool:
    """Whether systemd started our timer at boot, before the run."""
    return timer.before is not None and timer.was_enabled


def _forwarding(on: bool, pods: IPv4Network | None) -> Iterator[str]:
    """Back to what it was; not off where there is a network namespace, or an interface into the pods' network."""
    if not on:
        bridge = f"$(ip route show root {pods} proto kernel)" if pods is not None else ""
        yield f'if [ -z "$({programs.namespaces()}){bridge}" ]; then'
    yield str(programs.set_ip_forward(on))
    if not on:
        yield "fi"


def _routes(change: RouteChange) -> Iterator[str]:
    if not change.inverse:
        return
    mine = [r for r in outcome(change.commands, change.has) if r not in change.has]
    tests = (f'[ -n "$({programs.routes_like(route)})" ]' for route in mine)
    if mine:
        yield f"if {' || '.join(tests)}; then"
    yield "ip -force -batch - <<'END-OF-ROUTES'"
    yield from batch(change.inverse).decode("ascii").splitlines()
    yield "END-OF-ROUTES"
    if mine:
        yield "fi"


def _mode(change: FileChange) -> int | None:
    """The permission bits that it had; None where it keeps its own, which is not one of ours."""
    if not change.is_ours:
        return None
    return change.before_mode if change.before_mode is not None else change.mode


def _file(
    path: PurePosixPath, new: PurePosixPath, now: bytes | None, back: bytes | None, mode: int | None, folder: bool
) -> Iterator[str]:
    name, beside = shlex.quote(str(path)), shlex.quote(str(new))
    if now is None:
        yield f"if [ ! -e {name} ]; then"
    else:
        yield f'if [ "$(base64 -w 0 < {name})" = {shlex.quote(_base64(now))} ]; then'
    if back is None:
        yield f"rm -f {name}"
        if folder:
            yield f"rmdir {shlex.quote(str(path.parent))}"
    else:
        if now is None:
            yield str(programs.make_folder(path.parent))
        yield f"rm -f {beside}"
        yield str(programs.copy_attributes(path, new) if mode is None else programs.make_empty(new, mode))
        yield f"printf %s {shlex.quote(_base64(back))} | base64 -d > {beside} && {programs.rename_over(new, path)}"
    yield "fi"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
