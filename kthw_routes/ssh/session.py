"""The face of a connection to one host. The rest of the program knows this; only `ssh` knows fabric."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kthw_routes.facts import HostKey, Privilege
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import SecretEchoed
from kthw_routes.ssh.shell_line import Step

OnLine = Callable[[str, bool], None]
"""Takes one line that the host wrote, without its newline and free of control bytes, and whether it was stderr."""


@dataclass(frozen=True, slots=True)
class NewHostKey:
    """A host key that no known_hosts file holds."""

    node: str
    """The node's name (or the jump host's)."""
    host: str
    """As known_hosts names it: `address`, or `[address]:port`."""
    type: str
    fingerprint: str


class Asker(Protocol):
    """Asks the person. Called from worker threads; may block as long as the person thinks. None means: no answer."""

    def passphrase(self, key_file: str) -> str | None:
        """Ask for the passphrase of an encrypted private key."""

    def sudo_password(self, user: str, node: str) -> str | None:
        """Ask for the password that sudo wants, once for all hosts."""

    def accept_host_keys(self, keys: Sequence[NewHostKey]) -> bool:
        """Ask whether these keys, never seen before, may be trusted from now on, once for all hosts."""


class Watch(Protocol):
    """Hears what becomes of the steps of a script, in their order. Called by the thread that runs it."""

    def begins(self, step: Step) -> None:
        """Take it that this step runs from now on."""

    def line(self, text: str, is_error: bool) -> None:
        """Take one line of it, unless it is silent."""

    def ends(self, step: Step, result: Result | SecretEchoed) -> None:
        """Take what it left behind; SecretEchoed where that holds a password and is not to be used."""


class Session(Protocol):
    """One connection to one host, used by one thread at a time; `close` may come from any thread."""

    @property
    def node(self) -> str:
        """The node's name."""

    @property
    def user(self) -> str:
        """The user that is logged in, as far as known."""

    @property
    def host_key(self) -> HostKey:
        """The key that the host presented. Raises HostError before `open`."""

    privilege: Privilege
    """How root is reached; set by the first reading, used by every command that needs root."""

    def open(self) -> None:
        """Connect and log in, unless that is done; reopen, with the same key check, if the connection died.

        Raises HostError (see `ssh.errors`).
        """

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        """Run one command and wait for it. Lines reach `on_line` as they come, up to a bound.

        Raises:
            ConnectionLost: the connection ended; whether the command ran to its end is unknown.
            CommandTimedOut: the host did not reply for longer than it may, or did not come to an end.
        """

    def run_script(self, steps: Sequence[Step], watch: Watch, /) -> None:
        """Run commands one after the other in one exec; as root if one of them needs it.

        After a step that does not end as expected no other is run, and that is not an error.

        Raises what `run` raises; steps that had ended by then were reported to `watch`. A step that takes longer than
        it may ends with the status TIMED_OUT or KILLED, and the next one follows.
        """

    def close(self) -> None:
        """End the connection and any command in flight. Never blocks longer than 0.1 s, never raises."""
