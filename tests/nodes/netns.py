"""Network namespaces: made and deleted by name, entered by one thread at a time."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

NETNS: Final = Path("/run/netns")
_CLONE_NEWNET: Final = 0x40000000
_libc: Final = ctypes.CDLL(None, use_errno=True)


def create(name: str) -> None:
    """Make a namespace with nothing but its own loopback, up."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    ip(name, "link set lo up")


def delete(name: str) -> None:
    """Delete a namespace; nothing happens where there is none."""
    with suppress(subprocess.CalledProcessError):
        subprocess.run(["ip", "netns", "delete", name], check=True, stderr=subprocess.DEVNULL)


def ip(name: str, *commands: str) -> None:
    """Run `ip` commands, such as `link set lo up`, in a namespace, all in one batch."""
    batch = "".join(f"{command}\n" for command in commands)
    try:
        subprocess.run(["ip", "-netns", name, "-batch", "-"], input=batch, text=True, check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        error.add_note(str(error.stderr))
        raise


def enter(name: str) -> None:
    """Put the calling thread into a namespace for good."""
    other = os.open(NETNS / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(other)
    finally:
        os.close(other)


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Put the calling thread into a namespace for a while.

    Threads that it starts meanwhile are born, and stay, in that namespace; so do subprocesses. Other threads, and the
    process as a whole, stay where they are.
    """
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(name)
        try:
            yield
        finally:
            _setns(own)
    finally:
        os.close(own)


def _setns(descriptor: int) -> None:
    # os.setns exists from Python 3.12 on only.
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "setns")
