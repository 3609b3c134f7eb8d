"""The signals that end the work: heard once, in good order, and not at all where they were ignored before."""

import signal
from collections.abc import Iterator

import pytest

from kthw_routes.end_signals import end_signals

ENDS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_only_the_first_is_heard_and_the_end_is_not_disturbed_by_more(first: int, second: int) -> None:
    heard: list[int] = []
    with end_signals(heard.append):
        signal.raise_signal(first)
        signal.raise_signal(second)
    signal.raise_signal(second)
    assert heard == [first]


def test_without_one_all_is_as_before() -> None:
    before = [signal.getsignal(number) for number in ENDS]
    with end_signals(lambda _: None):
        pass
    assert [signal.getsignal(number) for number in ENDS] == before


def test_the_inner_one_hears_it_and_the_outer_one_does_not() -> None:
    outer: list[int] = []
    inner: list[int] = []
    with end_signals(outer.append):
        with end_signals(inner.append):
            signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
    assert (inner, outer) == ([signal.SIGHUP], [])


def test_what_was_ignored_stays_ignored() -> None:
    """As by nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    heard: list[int] = []
    with end_signals(heard.append):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]
