"""Which files of ours a host should have: the routes over a reboot, forwarding. Pure.

Where a manager was asked for and can work, its files are written and those of other managers go. Else nothing new is
written, but what is there is kept right: a file that holds an old next hop would bring it back at the next boot.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.cluster import Node
from kthw_routes.facts import HostFacts, HostFile, NetworkSetup
from kthw_routes.options import Options
from kthw_routes.overlay.model import NOTHING, OverlayState
from kthw_routes.persistence import networkd, overlay_script, unit
from kthw_routes.persistence.choice import choose
from kthw_routes.persistence.managers import MODULES, NAMES, files_of, ignored_reason
from kthw_routes.persistence.model import Choice, Manager, Persist, PersistedRoute
from kthw_routes.persistence.paths import FORWARDING_FILE
from kthw_routes.plan.changes import ChangeKind, FileChange, ForwardingChange, StatedFile
from kthw_routes.plan.stated import nothing_to_write, to_write

_NOT_UNDERSTOOD: Final = "what it holds is not understood, and no route is to be held here; --prune removes it"


@dataclass(frozen=True, slots=True)
class FilesPlan:
    """What becomes of one host's files."""

    choice: Choice | None = None
    changes: tuple[FileChange, ...] = ()
    forwarding: tuple[ForwardingChange, ...] = ()
    """The row of net.ipv4.ip_forward, where that is set now."""


def of_host(
    node: Node,
    facts: HostFacts,
    wanted: Callable[[], Iterator[PersistedRoute]],
    drops: Callable[[IPv4Network], bool],
    options: Options,
    stated: Sequence[StatedFile] = (),
    overlay: OverlayState = NOTHING,
) -> FilesPlan:
    """Return what becomes of the files of ours on one host.

    Args:
        node: the host.
        facts: what was read there.
        wanted: lists the routes that should be kept after a reboot there; most hosts have no file that holds them.
        drops: whether a prefix that a file has, other than the wanted ones, is removed from it; else it stays.
        options: what was chosen.
        stated: what the host's own configuration states of its routes.
        overlay: what the host should have of the overlay.
    """
    network = facts.network
    asked = options.persist or Persist.NONE
    all_wanted = tuple(wanted()) if network.files or asked is not Persist.NONE else ()
    to_hold = to_write(all_wanted, stated, network, twice=asked.manager is not None) if stated else all_wanted
    prefixes = frozenset(route.prefix for route in all_wanted)
    holding = _Holding(
        facts=facts,
        wanted=to_hold,
        prefixes=prefixes,
        drops=drops,
        prune=options.prune,
        overlay=overlay_script.render(overlay),
    )
    choice = choose(asked, network, to_hold or [r for manager in Manager for r in holding.reachable(manager)])
    if all_wanted and not to_hold and choice.manager is None:
        choice = nothing_to_write(stated)
    if asked is Persist.NONE or choice.manager is None:
        rows = [row for manager in Manager for row in _kept_right(manager, holding)]
    else:
        rows = _brought_to(choice.manager, holding)
    starts = facts.network.timer_is_enabled or (asked is not Persist.NONE and choice.manager is Manager.UNIT)
    rows = [_starting(row, facts.network, starts) if row.path == unit.TIMER else row for row in rows]
    gets_routes = node.is_worker or options.routes_on.counts(node)
    is_off, row = _forwarding(facts, asked=options.ip_forward and gets_routes)
    is_routed = next(wanted(), None) is not None
    nothing_known = choice.manager is None and not choice.problem and not rows and not is_routed
    forwarding = (ForwardingChange(True, node.pod_cidr),) if is_off else ()
    return FilesPlan(None if nothing_known else choice, (*rows, *row), forwarding)


@dataclass(frozen=True, slots=True)
class _Holding:
    """What should be held on one host: the wanted routes, and what else its files hold and nobody asked to drop."""

    facts: HostFacts
    wanted: tuple[PersistedRoute, ...]
    prefixes: frozenset[IPv4Network]
    """All prefixes that are wanted, also those which the host's own configuration states."""
    drops: Callable[[IPv4Network], bool]
    prune: bool = False
    overlay: HostFile | None = None
    """The script that makes the overlay; None without one."""

    def render(self, manager: Manager, routes: Iterable[PersistedRoute]) -> tuple[HostFile, ...]:
        """Render the files of a manager that hold these routes."""
        files = MODULES[manager].render(tuple(routes), self.network)
        return (self.overlay, *files) if manager is Manager.UNIT and files and self.overlay is not None else files

    @property
    def network(self) -> NetworkSetup:
        return self.facts.network

    def kept(self, manager: Manager) -> tuple[PersistedRoute, ...]:
        """Return the routes other than the wanted ones that stay in the files of one manager."""
        return tuple(
            replace(route, device=self.facts.device_towards(route.next_hop) or route.device)
            for file in files_of(manager, self.network)
            for route in MODULES[manager].parse(file, self.network)
            if route.prefix not in self.prefixes and not self.drops(route.prefix)
        )

    def reachable(self, manager: Manager) -> tuple[PersistedRoute, ...]:
        """Return those with a next hop that this host reaches: no other is written into a file that had it not."""
        return tuple(r for r in self.kept(manager) if self.facts.device_towards(r.next_hop) is not None)

    def brought_to(self, manager: Manager) -> tuple[PersistedRoute, ...]:
        """Return what stays next to the wanted routes where one manager takes all: of a prefix held twice, its own."""
        own = self.kept(manager)
        seen = {route.prefix for route in own}
        moved: list[PersistedRoute] = []
        for route in (r for other in Manager if other is not manager for r in self.reachable(other)):
            if route.prefix not in seen:
                seen.add(route.prefix)
                moved.append(route)
        return self.fitting(manager, (*own, *moved))

    def fitting(self, manager: Manager, routes: Iterable[PersistedRoute]) -> tuple[PersistedRoute, ...]:
        """Return those of the routes that this manager can hold."""
        return tuple(r for r in routes if not MODULES[manager].unsupported_reason([r.device], self.network))


def _brought_to(manager: Manager, holding: _Holding) -> list[FileChange]:
    """Return the rows where one manager is to hold the routes, and no other."""
    network = holding.network
    after = holding.render(manager, (*holding.wanted, *holding.brought_to(manager)))
    rows = [_written(file, network) for file in after]
    for other in Manager:
        why = f"{NAMES[manager]} holds the routes" if other is not manager else "no route leads through it any more"
        gone = (file for file in files_of(other, network) if all(file.path != a.path for a in after))
        rows += [_removed(file, why) for file in gone]
    return rows


def _written(after: HostFile, network: NetworkSetup) -> FileChange:
    before = network.file(after.path)
    if before is None:
        reason = "keeps the routes after a reboot"
        return _change(ChangeKind.ADD, after, None, reason, folder_is_ours=after.path.parent not in network.folders)
    if before.content != after.content:
        return _change(ChangeKind.REPLACE, after, before, "is not as it should be")
    if before.mode == after.mode and after.path == unit.TIMER and not network.timer_is_enabled:
        return _change(ChangeKind.REPLACE, after, before, "is not enabled")
    if wrong := _wrong_otherwise(before, after, network):
        return _change(ChangeKind.REPLACE, after, before, wrong)
    return _change(ChangeKind.KEEP, after, before, "right as it is")


def _starting(row: FileChange, network: NetworkSetup, starts: bool) -> FileChange:
    """Return the row of our timer, with whether systemd started it at boot, and whether it will."""
    return replace(row, was_enabled=network.timer_is_enabled, is_enabled=starts and row.after is not None)


def _kept_right(manager: Manager, holding: _Holding) -> list[FileChange]:
    """Return the rows where nothing new is written: the files that are there hold what they should, or go."""
    network, module = holding.network, MODULES[manager]
    standing = files_of(manager, network)
    if not standing:
        return []
    routes = (*holding.wanted, *holding.kept(manager))
    if not routes and not holding.prune and any(_is_strange(manager, file) for file in standing):
        return [_change(ChangeKind.STALE, file, file, _NOT_UNDERSTOOD) for file in standing]
    if not routes:
        return [_removed(file, "no route is left to hold") for file in standing]
    fitting = holding.fitting(manager, routes)
    after = {file.path: file for file in holding.render(manager, fitting)}
    new = [file for path, file in after.items() if path == overlay_script.PATH and network.file(path) is None]
    rows = [_written(file, network) for file in new]
    for file in standing:
        # Without the batch nothing of the unit holds a route, but the timer still tries to.
        should_hold = module.parse(file) or (manager is Manager.UNIT and network.file(unit.BATCH) is None)
        unread = ignored_reason(file, network) if should_hold else None
        target = after.get(file.path)
        if target is not None and (wrong := _wrong(manager, file, target, network)):
            rows.append(_change(ChangeKind.REPLACE, target, file, wrong))
        elif unread:
            rows.append(_change(ChangeKind.STALE, file, file, f"this host does not read it: {unread}"))
        elif target is None and (len(fitting) == len(routes) or (holding.overlay is not None and not fitting)):
            rows.append(_removed(file, "no route leads through it any more"))
        elif target is None and module.parse(file):
            problem = module.unsupported_reason([route.device for route in routes], network)
            rows.append(_change(ChangeKind.STALE, file, file, f"it cannot be kept right: {problem}"))
        else:
            rows.append(_change(ChangeKind.KEEP, file, file, "keeps the routes after a reboot"))
    return rows


def _is_strange(manager: Manager, file: HostFile) -> bool:
    """Return whether a file that should hold routes holds none that is understood."""
    return file.path not in (unit.SERVICE, unit.TIMER, overlay_script.PATH) and not MODULES[manager].parse(file)


def _wrong(manager: Manager, file: HostFile, target: HostFile, network: NetworkSetup) -> str | None:
    """Return why a file that is there is rewritten, though nobody asked for files; None where it is right.

    Comments, and the order of the routes, are no matter. The interface is: the scripts go by its name.
    """
    module = MODULES[manager]
    holds, should = set(module.parse(file, network)), set(module.parse(target, network))
    if {(r.prefix, r.next_hop) for r in holds} != {(r.prefix, r.next_hop) for r in should}:
        return "holds other routes than it should"
    if holds != should:
        return "holds routes for another interface than it should"
    if file.path in (unit.SERVICE, unit.TIMER, overlay_script.PATH) and file.content != target.content:
        return "is not as it should be"
    return _wrong_otherwise(file, target, network)


def _wrong_otherwise(file: HostFile, target: HostFile, network: NetworkSetup) -> str | None:
    """Return why a file whose content is right is rewritten; None where it stays."""
    if file.mode != target.mode:
        return f"its mode is {file.mode:04o}"
    is_whole = all(network.file(path) is not None for path in unit.PATHS)
    rests = network.timer_is_enabled and not network.timer_is_active
    return "is not running" if file.path == unit.TIMER and is_whole and rests else None


def _forwarding(facts: HostFacts, *, asked: bool) -> tuple[bool, tuple[FileChange, ...]]:
    """Return whether forwarding is to be turned on now, and the row of the file that does so at each boot.

    Where that file is there, it was asked for.
    """
    after, before = FORWARDING_FILE, facts.network.file(FORWARDING_FILE.path)
    is_there = before is not None and before.content == after.content
    is_off = (asked or is_there) and not facts.ip_forward
    if before is None:
        made_for_it = after.path.parent not in facts.network.folders
        made = _change(ChangeKind.ADD, after, None, "forwarding is off", folder_is_ours=made_for_it)
        return is_off, (made,) if is_off else ()
    if asked and (before.content, before.mode) != (after.content, after.mode):
        return is_off, (_change(ChangeKind.REPLACE, after, before, "is not as it should be"),)
    reason = "turns forwarding on at each boot" if is_there else "left as it is"
    return is_off, (_change(ChangeKind.KEEP, before, before, reason),)


def _has_own_folder(path: PurePosixPath) -> bool:
    """Return whether nothing but files of ours is to be expected in its folder, or drop-ins of somebody's."""
    return path.parent == unit.FOLDER or networkd.owns(path)


def _removed(file: HostFile, why: str) -> FileChange:
    return FileChange(
        kind=ChangeKind.REMOVE,
        path=file.path,
        before=file.content,
        mode=file.mode,
        reason=why,
        before_mode=file.mode,
        folder_is_ours=_has_own_folder(file.path),
    )


def _change(
    kind: ChangeKind, after: HostFile, before: HostFile | None, reason: str, *, folder_is_ours: bool = False
) -> FileChange:
    return FileChange(
        kind=kind,
        path=after.path,
        before=before.content if before else None,
        after=after.content,
        mode=after.mode,
        reason=reason,
        before_mode=before.mode if before else None,
        folder_is_ours=folder_is_ours,
    )
