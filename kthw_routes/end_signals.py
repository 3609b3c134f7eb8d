"""SIGTERM, and SIGHUP of a terminal that is closed: received once, for work that ends in good order then."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_END_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def end_signals(handle: Callable[[int], None], *more: signal.Signals) -> Iterator[None]:
    """Call `handle` with the number of the first end signal, in the main thread; to be entered there.

    `more`: signals that end it, too.

    Further ones are ignored from then on, also after the block: a terminal that is closed sends several, `timeout`
    does, and none of them may disturb the end that is under way. One that was ignored at the start (nohup) stays so.
    """
    received = False

    def first(number: int, _frame: FrameType | None) -> None:
        nonlocal received
        received = True
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        handle(number)

    heard = (n for n in (*_END_SIGNALS, *more) if signal.getsignal(n) is not signal.SIG_IGN)
    before = {number: signal.signal(number, first) for number in heard}
    try:
        yield
    finally:
        if not received:
            for number, handler in before.items():
                signal.signal(number, handler)
