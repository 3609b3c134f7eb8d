"""What a terminal shows while hosts are under way: those that are busy, and nothing of it afterwards."""

from io import StringIO

from rich.console import Console

from kthw_routes.cli.display import HostDisplay
from kthw_routes.events import Event, EventKind, HostState, Phase


def state(host: str, state: HostState) -> Event:
    return Event(Phase.RUN, EventKind.STATE, str(state), host, state)


def drawn(display: HostDisplay, height: int = 24) -> list[str]:
    """What the display shows now, line by line."""
    console = Console(file=StringIO(), width=60, height=height)
    display._console = console  # type: ignore[misc]  # another terminal
    with console.capture() as capture:
        console.print(display._draw())
    return [line.rstrip() for line in capture.get().splitlines()]


def terminal() -> tuple[HostDisplay, StringIO]:
    stream = StringIO()
    return HostDisplay(Console(file=stream, force_terminal=True, width=60, height=24, legacy_windows=False)), stream


def test_busy_hosts_have_a_line_each_and_those_that_ended_are_counted() -> None:
    display, _ = terminal()
    with display.showing("Changing", 50):
        for host in ("worker-0", "worker-1", "worker-2", "worker-3"):
            display.take(state(host, HostState.WAITING))
        assert drawn(display)[0][2:] == "Changing: 0 of 50 hosts."
        display.take(state("worker-0", HostState.CHANGING))
        display.take(state("worker-1", HostState.CONNECTING))
        display.take(Event(Phase.RUN, EventKind.COMMAND, "ip -force -batch -", "worker-0"))
        display.take(Event(Phase.RUN, EventKind.OUTPUT, "secret of nobody", "worker-0"))
        display.take(state("worker-2", HostState.CHANGING))
        display.take(state("worker-2", HostState.DONE))
        display.take(Event(Phase.RUN, EventKind.NOTE, "too late", "worker-2"))
        first, *lines = drawn(display)
        assert first[2:] == "Changing: 1 of 50 hosts."
        assert lines == ["  worker-0       $ ip -force -batch -", "  worker-1       connecting"]


def test_no_more_hosts_than_the_terminal_has_lines() -> None:
    display, _ = terminal()
    with display.showing("Reading", 100):
        for number in range(100):
            display.take(state(f"worker-{number}", HostState.READING))
        assert len(drawn(display, height=10)) == 1 + 7
        assert "  worker-99      reading" in drawn(display, height=10), "of which something was heard last"


def test_nothing_of_it_stays_and_a_question_has_the_terminal_for_itself() -> None:
    display, stream = terminal()
    with display.showing("Reading", 2):
        display.take(state("worker-0", HostState.READING))
        with display.suspended():
            assert not display._live or not display._live.is_started
        assert display._live is not None
        assert display._live.is_started
    assert not display.is_shown
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert stream.getvalue().count(hide) == stream.getvalue().count(show) == 2, "the cursor is back"
    with display.suspended():
        pass
    assert not display.is_shown


def test_a_question_that_outlives_the_display_does_not_bring_it_back() -> None:
    """Ctrl-C ends the work while a thread asks for a passphrase."""
    display, _ = terminal()
    with display.showing("Reading", 2):
        asking = display.suspended()
        asking.__enter__()
        live = display._live
    asking.__exit__(None, None, None)
    assert live is not None
    assert not live.is_started
