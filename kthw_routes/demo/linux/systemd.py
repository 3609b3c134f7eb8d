"""systemd on a modelled host: units are started, stopped and enabled, timers fire on the lab's clock.

Measured on systemd 252. A service runs to its end at once, in the thread that starts it. A timer fires as late as
its AccuracySec= lets it: real systemd chooses some moment until then.
"""

import posixpath
from typing import Final

from kthw_routes.demo.linux.ini_files import command_line
from kthw_routes.demo.linux.machine import Machine
from kthw_routes.demo.linux.networkd import Networkd
from kthw_routes.demo.linux.nodes import AS_ROOT, FileError
from kthw_routes.demo.linux.units import (
    ETC,
    RUNNING,
    TRANSIENT,
    Unit,
    UnitError,
    load,
    next_elapse,
    sections_of,
    unit_path,
    version_of,
)

NO_PROGRAM: Final = 203
"""The status that systemd gives a process whose program cannot be run (EXIT_EXEC)."""


class Systemd:
    """The service manager of one host."""

    def __init__(self, host: Machine, networkd: Networkd) -> None:
        self._host = host
        self._networkd = networkd
        self._units: dict[str, Unit] = {}
        self.booted = host.clock.now()

    # the whole

    def boot(self) -> None:
        """Begin again, with what is enabled."""
        self._units = {}
        self.booted = self._host.clock.now()
        for target in ("multi-user.target", "timers.target", "network-online.target", "default.target"):
            for kind in ("wants", "requires"):
                for name in self._names(f"{ETC}/{target}.{kind}"):
                    try:
                        self.start(name)
                    except UnitError:
                        continue  # a host comes up without it

    def reload(self) -> None:
        """Read all unit files again (`systemctl daemon-reload`)."""
        for name, unit in list(self._units.items()):
            path = unit_path(self._host.files, name)
            if path is not None:
                unit.path, unit.sections = path, sections_of(self._host.files, path, name)
                unit.version = version_of(self._host.files, path)
                if unit.kind == "timer" and unit.state == "active":
                    self._schedule(unit)
            elif unit.state == "active":
                self._forget_appointment(unit)
                unit.set("failed", self._host.clock)  # measured: its file is gone while it runs
            elif unit.state == "inactive":
                del self._units[name]

    # looking

    def find(self, name: str) -> Unit | None:
        """Find a unit that is loaded, or could be; None where there is no file of it.

        One that is loaded is as its file was then, until a reload.
        """
        unit = self._units.get(name)
        if unit is not None and self._stays(unit):
            return unit
        fresh = load(self._host.files, name)
        if fresh is not None and unit is not None:
            fresh.since, fresh.status = unit.since, unit.status
            fresh.activated, fresh.deactivated = unit.activated, unit.deactivated
        if fresh is None:
            self._units.pop(name, None)
        else:
            self._units[name] = fresh
        return fresh

    def _stays(self, unit: Unit) -> bool:
        """Whether systemd keeps a unit in memory: something needs it."""
        if unit.state != "inactive" or self._links(unit.name):
            return True
        timers = [u for u in self._units.values() if u.kind == "timer" and u.triggers == unit.name]
        return any(timer.state != "inactive" or self._links(timer.name) for timer in timers)

    def is_stale(self, name: str) -> bool:
        """Whether a unit is loaded and its file was changed since."""
        unit = self._units.get(name)
        return unit is not None and unit.version != version_of(self._host.files, unit.path)

    def state(self, name: str) -> str:
        """Return `active`, `inactive` or `failed`."""
        if name in RUNNING:
            return "active"
        unit = self.find(name)
        return unit.state if unit else "inactive"

    def enablement(self, name: str) -> str:
        """Return `enabled`, `disabled`, `static` or `transient`. Raises UnitError where there is no file."""
        unit = load(self._host.files, name)
        if unit is None:
            raise UnitError("No such file or directory")
        if unit.transient:
            return "transient"
        if self._links(name):
            return "enabled"
        return "disabled" if unit.wanted_by else "static"

    def _names(self, folder: str) -> list[str]:
        try:
            return self._host.files.names(folder, AS_ROOT)
        except FileError:
            return []

    def _links(self, name: str) -> list[str]:
        """Return the links that pull a unit in."""
        folders = [entry for entry in self._names(ETC) if entry.endswith((".wants", ".requires"))]
        return [f"{ETC}/{folder}/{name}" for folder in folders if name in self._names(f"{ETC}/{folder}")]

    # switching

    def enable(self, name: str) -> list[tuple[str, str]] | None:
        """Make the links that pull a unit in at boot.

        Returns:
            Each new link and its target; None where the unit has no [Install] section.

        Raises:
            UnitError: the file is missing.
        """
        unit = load(self._host.files, name)
        if unit is None or unit.transient:
            raise UnitError(f"Unit file {name} does not exist.")
        made = []
        for target in unit.wanted_by:
            link = f"{ETC}/{target}.wants/{name}"
            if link not in self._links(name):
                self._host.files.link(link, unit.path)
                made.append((link, unit.path))
        self.reload()
        return made if unit.wanted_by else None

    def disable(self, name: str) -> list[str]:
        """Take away the links that pull a unit in, and their folders where nothing is left in them.

        Returns:
            The links that were there.

        Raises:
            UnitError: there is neither a file nor a link.
        """
        links = self._links(name)
        if not links and load(self._host.files, name) is None:
            raise UnitError(f"Unit file {name} does not exist.")
        for link in links:
            self._host.files.remove(link, AS_ROOT)
            if not self._names(posixpath.dirname(link)):
                self._host.files.remove_directory(posixpath.dirname(link), AS_ROOT)
        self.reload()
        return links

    def start(self, name: str) -> int:
        """Start a unit, and return the status of the process that made a service fail, else 0.

        Raises:
            UnitError: the unit is missing.
        """
        if name in RUNNING:
            return 0
        unit = self._known(name, "not found")
        if unit.state == "active":
            return 0
        if unit.kind == "service":
            return self._run(unit)
        if unit.kind == "timer":
            if self.find(unit.triggers) is None:
                raise UnitError('Job failed. See "journalctl -xe" for details.', is_all=True)
            unit.triggered = None
        unit.set("active", self._host.clock)
        if unit.kind == "timer":
            self._schedule(unit)
        return 0

    def stop(self, name: str) -> None:
        """Stop a unit. Raises UnitError where it is not loaded."""
        if name in RUNNING:
            return
        unit = self._known(name, "not loaded")
        self._forget_appointment(unit)
        if unit.state == "active":
            unit.set("inactive", self._host.clock)
        if unit.transient:
            self._unload(unit)

    def restart(self, name: str) -> int:
        """Stop and start a unit; see `start`."""
        if name == "systemd-networkd.service":
            self._networkd.restart()
            return 0
        self._known(name, "not found")
        self.stop(name)
        return self.start(name)

    def run_later(self, name: str, timer: str, service: str) -> None:
        """Make a transient timer and its service of these texts, and start the timer (`systemd-run --on-active`).

        Raises:
            UnitError: a unit of that name is loaded already, or has a file.
        """
        for kind in ("timer", "service"):
            if self.find(f"{name}.{kind}") is not None:
                raise UnitError(f"Unit {name}.{kind} was already loaded or has a fragment file.")
        self._host.files.put(f"{TRANSIENT}/{name}.timer", timer)
        self._host.files.put(f"{TRANSIENT}/{name}.service", service)
        self.start(f"{name}.timer")

    def _known(self, name: str, otherwise: str) -> Unit:
        unit = self.find(name)
        if unit is None:
            raise UnitError(f"Unit {name} {otherwise}.", 5)
        return unit

    def _unload(self, unit: Unit) -> None:
        """Forget a transient unit; its timer takes its service along, unless that failed."""
        names = [unit.name]
        if unit.kind == "timer" and self.state(unit.triggers) == "inactive":
            names.append(unit.triggers)
        for name in names:
            self._units.pop(name, None)
            if name in self._names(TRANSIENT):
                self._host.files.remove(f"{TRANSIENT}/{name}", AS_ROOT)

    # running

    def _run(self, service: Unit) -> int:
        """Run a service to its end."""
        settings = service.section("Service")
        service.set("active", self._host.clock)
        service.status = 0
        for text in settings.values("ExecStart"):
            argv, counts = command_line(text)
            known = bool(argv) and self._host.has_program(argv[0])
            status = self._host.run_as_service(argv) if known else NO_PROGRAM
            if status and counts:
                service.status = status
                break
        if self._units.get(service.name) is not service:
            return 0  # the host went down meanwhile
        if service.status:
            service.set("failed", self._host.clock)
        elif settings.value("RemainAfterExit") not in ("yes", "true", "1", "on"):
            service.set("inactive", self._host.clock)
        for timer in [u for u in self._units.values() if u.kind == "timer" and u.triggers == service.name]:
            if timer.state == "active":
                self._schedule(timer)
        return service.status

    def _schedule(self, timer: Unit) -> None:
        """Say when a timer fires next. A transient one that never does again is gone."""
        self._forget_appointment(timer)
        now = self._host.clock.now()
        moment = next_elapse(timer, self._units.get(timer.triggers), now, self.booted)
        if moment is not None:
            timer.appointment = self._host.agenda.at(moment + timer.accuracy, lambda: self._fire(timer))
        elif timer.transient:
            self._unload(timer)

    def _fire(self, timer: Unit) -> None:
        if timer.state != "active":
            return
        timer.appointment, timer.triggered = None, self._host.clock.now()
        service = self.find(timer.triggers)
        if service is None:
            timer.set("failed", self._host.clock)
        elif service.state == "active":
            self._schedule(timer)
        else:
            self._run(service)

    def _forget_appointment(self, unit: Unit) -> None:
        if unit.appointment is not None:
            self._host.agenda.cancel(unit.appointment)
            unit.appointment = None
