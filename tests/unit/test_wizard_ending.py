"""The end of the wizard's process from outside: it comes in time, whatever fails on the way."""

import os
import signal
import subprocess
import sys

import pytest

CHILD = """
import signal, sys, time
from kthw_routes.wizard.ending import Ending

class App:
    def end_work(self, patience):
        assert sys.argv[1] != "end_work", "broken"
    def discard_labs(self):
        assert sys.argv[1] != "discard_labs", "broken"
    def call_later(self, callback):
        assert sys.argv[1] != "call_later", "broken"
    async def end(self):
        pass

with Ending(App()):
    print("ready", flush=True)
    while True:  # as an interface that waits for a terminal which nobody reads
        time.sleep(3600)
"""


@pytest.mark.parametrize("broken", ["end_work", "discard_labs", "call_later"])
def test_the_process_ends_though_its_own_clearing_up_fails(broken: str) -> None:
    """Else it stays for good, and reads the end of a terminal that is gone as fast as it can."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, broken], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            os.kill(child.pid, signal.SIGTERM)
            assert child.wait(timeout=60) == 130
        finally:
            child.kill()
