"""The modelled systemd: what systemctl and systemd-run say (measured on systemd 252), and that timers fire."""

import threading

import pytest

from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.linux.ini_files import command_line, parse, span
from kthw_routes.demo.pods import with_pods
from tests.model.accounts import add_user
from tests.model.clock import FastClock
from tests.model.hosts import Ran, cluster, run

TIMER = """\
[Unit]
Description=Pod routes

[Timer]
OnActiveSec=5s
OnUnitInactiveSec=10s
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
SERVICE = """\
[Service]
Type=oneshot
ExecStart=-/usr/bin/env ip -force -batch /etc/kthw-routes/routes.batch
"""
ROUTE = "10.200.1.0/24 via 192.168.145.107 dev eth0 proto 200 \n"
SHOW = "ip route show root 10.200.0.0/16"


@pytest.fixture
def host() -> ModelHost:
    """A worker with the unit and its timer, not yet enabled."""
    host = cluster().hosts["worker-0"]
    host.files.put("/etc/systemd/system/kthw-routes.timer", TIMER)
    host.files.put("/etc/systemd/system/kthw-routes.service", SERVICE)
    host.files.put("/etc/kthw-routes/routes.batch", "route replace 10.200.1.0/24 via 192.168.145.107 proto 200\n")
    return host


def later(host: ModelHost, seconds: float) -> None:
    """Let time pass."""
    assert isinstance(host.clock, FastClock)
    host.clock.advance(seconds)


def c(host: ModelHost, command: str, user: str = "root") -> Ran:
    """Run a command in the language of programs."""
    return run(host, f"export LC_ALL=C; {command}", user=user)


def test_a_timer_asserts_the_routes_again_and_again(host: ModelHost) -> None:
    """Never before its time, and at the latest when its accuracy is used up; on the clock of the lab."""
    assert c(host, "systemctl daemon-reload; systemctl enable --now kthw-routes.timer") == Ran(
        0,
        "",
        "Created symlink /etc/systemd/system/timers.target.wants/kthw-routes.timer -> "
        "/etc/systemd/system/kthw-routes.timer.\n",
    )
    assert c(host, "systemctl is-active kthw-routes.timer kthw-routes.service").out == "active\ninactive\n"
    later(host, 4.9)
    assert run(host, SHOW).out == ""
    later(host, 1.2)
    assert run(host, SHOW).out == ROUTE
    for _ in range(3):
        run(host, "ip route del 10.200.1.0/24")
        later(host, 9.9)
        assert run(host, SHOW).out == ""
        later(host, 1.2)
        assert run(host, SHOW).out == ROUTE
    c(host, "systemctl stop kthw-routes.timer; ip route del 10.200.1.0/24")
    later(host, 100)
    assert run(host, SHOW).out == ""
    assert c(host, "systemctl is-enabled kthw-routes.timer; systemctl is-active kthw-routes.timer") == Ran(
        3, "enabled\ninactive\n", ""
    )


def test_an_enabled_timer_starts_at_boot(host: ModelHost) -> None:
    """And one that is disabled does not; nothing of it is left then."""
    before = run(host, "find /etc/systemd/system").out
    c(host, "systemctl enable --now kthw-routes.timer")
    host.reboot()
    later(host, 7)
    assert run(host, SHOW).out == ROUTE
    assert c(host, "systemctl disable --now kthw-routes.timer") == Ran(
        0, "", 'Removed "/etc/systemd/system/timers.target.wants/kthw-routes.timer".\n'
    )
    assert run(host, "find /etc/systemd/system").out == before
    host.reboot()
    later(host, 100)
    assert run(host, SHOW).out == ""


def test_a_timer_that_was_only_started_is_over_at_a_reboot(host: ModelHost) -> None:
    """It has to be enabled as well."""
    c(host, "systemctl start kthw-routes.timer")
    host.reboot()
    later(host, 100)
    assert run(host, SHOW).out == ""


def test_a_timer_is_as_late_as_systemd_lets_it_be(host: ModelHost) -> None:
    """A minute, where its unit says nothing else."""
    host.files.put("/etc/systemd/system/kthw-routes.timer", TIMER.replace("AccuracySec=1s\n", ""))
    c(host, "systemctl start kthw-routes.timer")
    later(host, 64)
    assert run(host, SHOW).out == ""
    later(host, 2)
    assert run(host, SHOW).out == ROUTE


def test_a_ping_from_elsewhere_finds_what_was_due() -> None:
    """Time passes on every host, also where nobody looks."""
    topology = with_pods(cluster())
    zero, one = topology.hosts["worker-0"], topology.hosts["worker-1"]
    run(one, "ip route add 10.200.0.0/24 via 192.168.138.48")
    pod = run(one, "ip netns list").out.split()[0]
    ping = f"ip netns exec {pod} ping -n -c 1 -W 1 10.200.0.2"
    script = "systemd-run -q --on-active=30 --timer-property=AccuracySec=1s sysctl -q -w net.ipv4.ip_forward=0"
    run(zero, script)
    assert run(one, ping).status == 0
    later(zero, 32)
    assert run(one, ping).status == 1


ARM = "systemd-run --quiet --unit=way-back --on-active=20 --timer-property=AccuracySec=100ms sh /run/way-back.sh"


def test_a_way_back_fires_once_and_can_be_disarmed(host: ModelHost) -> None:
    """As root, from the top, whoever has gone meanwhile."""
    host.files.put("/run/way-back.sh", "ip route del 10.200.1.0/24\n{ id -un; pwd; } > /root/fired\n")
    run(host, "ip route add 10.200.1.0/24 via 192.168.145.107 proto 200")
    assert c(host, ARM) == Ran(0, "", "")
    assert c(host, "systemctl is-active way-back.timer; ls -1 /run/systemd/transient").out == (
        "active\nway-back.service\nway-back.timer\n"
    )
    later(host, 19)
    assert c(host, "systemctl stop way-back.timer; systemctl is-active way-back.timer") == Ran(3, "inactive\n", "")
    later(host, 100)
    assert run(host, SHOW).out == ROUTE
    c(host, ARM)
    later(host, 21)
    assert run(host, f"{SHOW}; cat /root/fired; ls /run/systemd/transient").out == "root\n/\n"
    assert c(host, "systemctl is-active way-back.timer").out == "inactive\n"
    assert c(host, "systemctl stop way-back.timer") == Ran(
        5, "", "Failed to stop way-back.timer: Unit way-back.timer not loaded.\n"
    )


def test_a_reboot_forgets_what_was_armed(host: ModelHost) -> None:
    """It was in memory only, as its script in /run."""
    c(host, ARM)
    host.reboot()
    later(host, 100)
    assert c(host, "systemctl is-active way-back.timer; ls -1 /run/systemd/transient").out == "inactive\n"


def test_a_name_is_taken_until_it_is_done(host: ModelHost) -> None:
    """Also by a service that failed."""
    c(host, ARM)
    taken = "Failed to start transient timer unit: Unit way-back.{} was already loaded or has a fragment file.\n"
    assert c(host, ARM) == Ran(1, "", taken.format("timer"))
    later(host, 21)
    assert c(host, "systemctl is-active way-back.service way-back.timer").out == "failed\ninactive\n"
    assert c(host, ARM) == Ran(1, "", taken.format("service"))


def test_who_may_not(host: ModelHost) -> None:
    """An ordinary user is refused, and may look."""
    add_user(host, "guest")
    assert c(host, "systemctl daemon-reload", "guest") == Ran(1, "", "Reload daemon failed: Access denied\n")
    assert c(host, "systemctl enable kthw-routes.timer", "guest").err == "Failed to enable unit: Access denied\n"
    assert c(host, "systemctl start kthw-routes.timer", "guest") == Ran(
        4,
        "",
        "Failed to start kthw-routes.timer: Access denied\n"
        "See system logs and 'systemctl status kthw-routes.timer' for details.\n",
    )
    assert c(host, ARM, "guest") == Ran(1, "", "Failed to start transient timer unit: Access denied\n")
    assert c(host, "systemctl is-enabled kthw-routes.timer", "guest") == Ran(1, "disabled\n", "")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("systemctl start nope.timer", Ran(5, "", "Failed to start nope.timer: Unit nope.timer not found.\n")),
        ("systemctl stop nope.timer", Ran(5, "", "Failed to stop nope.timer: Unit nope.timer not loaded.\n")),
        ("systemctl restart nope", Ran(5, "", "Failed to restart nope.service: Unit nope.service not found.\n")),
        ("systemctl enable --now nope.timer",
         Ran(1, "", "Failed to enable unit: Unit file nope.timer does not exist.\n")),
        ("systemctl disable --now nope.timer",
         Ran(1, "", "Failed to disable unit: Unit file nope.timer does not exist.\n")),
        ("systemctl is-enabled nope.timer",
         Ran(1, "", "Failed to get unit file state for nope.timer: No such file or directory\n")),
        ("systemctl is-active nope.timer", Ran(3, "inactive\n", "")),
        ("systemctl status nope.service", Ran(4, "", "Unit nope.service could not be found.\n")),
        ("systemctl is-enabled kthw-routes.service", Ran(0, "static\n", "")),
        ("systemctl is-enabled kthw-routes.timer", Ran(1, "disabled\n", "")),
        ("systemctl is-active systemd-networkd", Ran(0, "active\n", "")),
        ("systemctl show --property=Id,UnitFileState systemd-networkd timers.target kthw-routes.timer nope.service",
         Ran(0, "Id=systemd-networkd.service\nUnitFileState=enabled\n\nId=timers.target\nUnitFileState=static\n\n"
             "Id=kthw-routes.timer\nUnitFileState=disabled\n\nId=nope.service\nUnitFileState=\n", "")),
        ("systemctl frob", Ran(1, "", "Unknown command verb frob.\n")),
        ("systemctl disable kthw-routes.timer", Ran(0, "", "")),
        ("systemd-run", Ran(1, "", "Command line to execute required.\n")),
        ("systemd-run --on-active=1 nope",
         Ran(1, "", "Failed to find executable nope: No such file or directory\n")),
        ("systemd-run --on-active=bogus true", Ran(1, "", "Failed to parse OnActiveSec=bogus: Invalid argument\n")),
        ("systemd-run --unit=y --on-active=9 true",
         Ran(0, "", "Running timer as unit: y.timer\nWill run service as unit: y.service\n")),
    ],
)  # fmt: skip
def test_it_says_what_systemd_says(host: ModelHost, command: str, expected: Ran) -> None:
    """Status, stdout, stderr."""
    assert c(host, command) == expected


def test_status_tells_the_state(host: ModelHost) -> None:
    """Its first lines; the state is the exit status, too."""
    c(host, "systemctl start kthw-routes.timer")
    ran = c(host, "systemctl --no-pager status kthw-routes.timer")
    assert ran.status == 0
    assert ran.out.splitlines()[:2] == [
        "* kthw-routes.timer - Pod routes",
        "     Loaded: loaded (/etc/systemd/system/kthw-routes.timer; disabled)",
    ]
    assert "Active: active (waiting) since" in ran.out
    assert c(host, "systemctl status kthw-routes.service").status == 3


def test_a_file_that_changed_counts_after_a_reload(host: ModelHost) -> None:
    """Until then systemctl warns, and systemd does what it has read."""
    c(host, "systemctl enable --now kthw-routes.timer")
    host.files.put("/etc/systemd/system/kthw-routes.timer", TIMER.replace("=5s", "=100s"))
    warning = (
        "Warning: The unit file, source configuration file or drop-ins of kthw-routes.timer changed on disk. "
        "Run 'systemctl daemon-reload' to reload units.\n"
    )
    assert c(host, "systemctl restart kthw-routes.timer") == Ran(0, "", warning)
    later(host, 7)
    assert run(host, SHOW).out == ROUTE
    run(host, "ip route del 10.200.1.0/24")
    assert (
        c(host, "systemctl daemon-reload; systemctl stop kthw-routes.timer; systemctl start kthw-routes.timer").err
        == ""
    )
    host.files.put("/etc/systemd/system/kthw-routes.service", SERVICE.replace("ip -force", "true"))
    c(host, "systemctl daemon-reload")
    later(host, 12)
    assert run(host, SHOW).out == ""


def test_a_timer_without_its_service_does_not_start(host: ModelHost) -> None:
    """systemd says no more than that."""
    run(host, "rm /etc/systemd/system/kthw-routes.service")
    assert c(host, "systemctl start kthw-routes.timer") == Ran(1, "", 'Job failed. See "journalctl -xe" for details.\n')


def test_a_service_can_fail(host: ModelHost) -> None:
    """Unless a `-` says that it does not matter."""
    host.files.put("/etc/kthw-routes/routes.batch", "route replace 10.200.1.0/24 via 1.2.3.4\n")
    assert c(host, "systemctl start kthw-routes.service").status == 0
    host.files.put("/etc/systemd/system/kthw-routes.service", SERVICE.replace("=-", "="))
    c(host, "systemctl daemon-reload")
    ran = c(host, "systemctl start kthw-routes.service; systemctl is-active kthw-routes.service")
    assert ran.err.startswith("Job for kthw-routes.service failed because the control process exited with error code.")
    assert ran.out == "failed\n"


def test_a_timer_whose_file_goes_while_it_runs_has_failed(host: ModelHost) -> None:
    """So it is to be disabled before its file is taken away."""
    c(host, "systemctl enable --now kthw-routes.timer; rm /etc/systemd/system/kthw-routes.timer")
    assert c(host, "systemctl disable --now kthw-routes.timer").status == 0
    assert c(host, "systemctl is-active kthw-routes.timer").out == "failed\n"


def test_two_who_look_at_once(host: ModelHost) -> None:
    """What is due happens once, and nobody waits for another who is at it."""
    host.files.put("/run/way-back.sh", "echo once >> /root/fired\n")
    c(host, ARM)
    later(host, 25)
    threads = [threading.Thread(target=run, args=(host, "true")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run(host, "cat /root/fired").out == "once\n"


def test_how_its_files_are_read() -> None:
    """Sections, comments, continued lines, lists that begin anew, spans of time, marks before a command."""
    sections = parse("# c\n[A]\nx=1\n x = 2\n;y=3\n[B]\nz=a\\\n b\n[A]\nx=\nx=3\nnonsense\n")
    assert [(s.name, s.lines) for s in sections] == [
        ("A", [("x", "1"), ("x", "2")]),
        ("B", [("z", "a  b")]),
        ("A", [("x", ""), ("x", "3")]),
    ]
    assert (sections[0].values("x"), sections[2].values("x"), sections[0].value("y")) == (["1", "2"], ["3"], None)
    assert [span(text) for text in ("5", "5s", "1min 30s", "1.5h", "100ms", "bogus", "5 parsecs", "")] == [
        5, 5, 90, 5400, 0.1, None, None, None,
    ]  # fmt: skip
    assert command_line("-/bin/sh -c 'a b'") == (["/bin/sh", "-c", "a b"], False)
    assert command_line("/bin/true") == (["/bin/true"], True)
