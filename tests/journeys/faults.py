"""What a test can break on a node: the same on modelled hosts and on real ones, each by its own means."""

from typing import Final, Literal, Protocol

PATIENCE: Final = 30.0
"""Seconds to wait for a program to come to a point."""


class Hold(Protocol):
    """A program that waits on a node."""

    def wait(self, timeout: float = PATIENCE) -> None:
        """Wait until it has come to the point."""

    def release(self) -> None:
        """Let it go on."""


class Faults(Protocol):
    """What can be broken. `Stage`'s fixture takes all of it back."""

    def cut_off(self, node: str) -> None:
        """End every SSH connection of a node, and take no new one."""

    def connect(self, node: str) -> None:
        """Let SSH work again; what the kernel of the node holds is as it was."""

    def hold(self, node: str, program: str, argument: str, when: Literal["before", "after"], *, nth: int = 1) -> Hold:
        """Let the nth call of a program with that argument wait before it does anything, or after it has done all."""

    def wrap(
        self,
        node: str,
        program: str,
        argument: str = "",
        *,
        out: bytes = b"",
        err: bytes = b"",
        seconds: float = 0,
        status: int | None = None,
    ) -> None:
        """Let each call of a program with that argument first write this and take that long.

        With a `status` that is all it does.
        """

    def flood(self, node: str, program: str, argument: str, *, is_error: bool = False) -> None:
        """Let each call of a program with that argument write `x` and a newline for ever."""

    def remove(self, node: str, program: str) -> None:
        """Take a program away."""

    def refuse_keys(self, node: str) -> None:
        """Let nobody's key in."""

    def limit_sessions(self, node: str, count: int) -> None:
        """Let it run at most so many commands at once for one connection (MaxSessions)."""

    def change_host_key(self, node: str) -> None:
        """Give it another host key, as a rebuilt machine has."""

    def share_host_key(self, node: str, other: str) -> None:
        """Give it the host key of another node."""

    def fill_disk(self, node: str) -> None:
        """Leave no room on its disk."""

    def make_read_only(self, node: str) -> None:
        """Mount its root read-only."""

    def bind_hosts_file(self, node: str) -> None:
        """Mount a file over its /etc/hosts."""

    def protect_hosts_file(self, node: str) -> None:
        """chattr +i /etc/hosts."""

    def link_hosts_file(self, node: str) -> None:
        """Make its /etc/hosts a symbolic link."""

    def greet(self, node: str, banner: str, noise: bytes) -> None:
        """Show a banner before each login, and let .bashrc write `noise` to both streams."""

    def force_login(self, node: str, words: str, status: int) -> None:
        """Let root's login say this and end with that status instead of running commands, as cloud images have it."""

    def freeze(self, node: str) -> None:
        """Let it take connections, and say nothing."""

    def speak_german(self, node: str) -> None:
        """Let it speak German to whoever does not ask for another language."""

    def mute_next_hop(self, node: str) -> None:
        """Let nobody answer for its internal address on the wire; SSH goes by the public one."""

    def failed_sudo(self, node: str) -> int:
        """How many wrong passwords sudo was given on a node."""

    def is_running(self, node: str, words: str) -> bool:
        """Whether a program with these words in its command line runs on a node."""
