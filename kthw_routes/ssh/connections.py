"""The sessions of one person's run, over SSH: one per node, and what all of them share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kthw_routes.cluster import Endpoint, Node
from kthw_routes.errors import RecordError
from kthw_routes.local_files import make_private
from kthw_routes.options import AS_USUAL, SshOptions
from kthw_routes.ssh.access import Access
from kthw_routes.ssh.agent import Report
from kthw_routes.ssh.config import SYSTEM_CONFIG, SshConfig
from kthw_routes.ssh.errors import HostKeyUnknown, Unreachable
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.keys import Keys
from kthw_routes.ssh.known_hosts import HostKeyMode, KnownHosts
from kthw_routes.ssh.session import Asker, NewHostKey, Session
from kthw_routes.ssh.sudo import detect_privilege

CONNECT_TIMEOUT: Final = 10.0
"""Seconds for a TCP connection; less where a host has less time to reply."""


@dataclass(frozen=True, slots=True)
class SshChoices:
    """How the person wants hosts reached."""

    ssh: SshOptions = AS_USUAL
    host_keys: HostKeyMode = HostKeyMode.ACCEPT_NEW
    silence: float = 30.0
    """Seconds without a reply after which a host counts as dead."""
    rebuilt: frozenset[str] = frozenset()
    """Names of nodes that were rebuilt: a changed host key of theirs is taken for a new one, once."""
    personal: bool = True
    """Whether the person's agent, keys and known_hosts count; the embedded lab leaves them alone."""


class SshConnections:
    """Makes the sessions, and what all of them share."""

    def __init__(self, choices: SshChoices, state: Path, asker: Asker) -> None:
        """Keep our known_hosts file in `state`, the state folder. Raises UsageError for a bad configuration."""
        home = Path.home()
        also = [home / ".ssh" / "known_hosts"] if choices.personal else []
        known = KnownHosts(make_private(state) / "known_hosts", also)
        ssh = choices.ssh
        config = ssh.ssh_config or home / ".ssh" / "config"
        system = SYSTEM_CONFIG if choices.personal and ssh.ssh_config is None else None
        connect_timeout = min(CONNECT_TIMEOUT, choices.silence)
        self._asker = asker
        self._access = Access(
            known,
            keys=Keys(
                ssh.identity,
                asker=asker,
                only_identity=not choices.personal,
                folder=ssh.folder,
                agent_timeout=connect_timeout,
            ),
            ssh_config=SshConfig(config, system=system, folder=ssh.folder),
            host_keys=choices.host_keys,
            user=ssh.user,
            port=ssh.port,
            connect_timeout=connect_timeout,
            silence=choices.silence,
            asker=asker,
        )
        self._access.rebuilt |= choices.rebuilt
        self._sessions: dict[tuple[str, Endpoint, Path | None], SshSession] = {}
        self._described = replace(ssh, identity=self._access.keys.identity).record

    @property
    def described(self) -> Mapping[str, str | int | None]:
        """What a later run needs to reach the hosts in the same way, for the record; never a secret."""
        return self._described

    def session(self, node: Node) -> Session:
        """Return the session for a node; the same one again while the node is reached at the same place.

        Raises Unreachable where the node has no SSH address.
        """
        if node.ssh is None:
            raise Unreachable(node.name, "has no SSH address.", "Type one, or leave it out.")
        key = (node.name, node.ssh, node.identity)
        if key not in self._sessions:
            if node.identity is not None:
                self._access.identities[node.name] = node.identity
            else:
                self._access.identities.pop(node.name, None)
            self._sessions[key] = SshSession(node.name, node.ssh, self._access)
        return self._sessions[key]

    def accept_host_keys(self, unknown: Sequence[HostKeyUnknown]) -> bool:
        """Ask once whether these keys may be trusted; if so, record them. Raises RecordError."""
        keys = [NewHostKey(e.node, e.host, e.key_type, e.fingerprint) for e in unknown]
        if not self._asker.accept_host_keys(keys):
            return False
        known = self._access.known_hosts
        try:
            for error in unknown:
                known.add(error.host, error.key_type, error.blob)
        except OSError as failure:
            raise RecordError(
                f"Host keys cannot be recorded in {known.file}: {failure.strerror}.", "Set XDG_STATE_HOME."
            ) from failure
        return True

    def was_rebuilt(self, node: str) -> None:
        """Take a node for rebuilt, as the person says: a changed host key is taken for a new one, once."""
        self._access.rebuilt.add(node)

    def forget_refusals(self) -> None:
        """Ask again for a passphrase or password that was wrong, or that nobody gave."""
        self._access.keys.forget_refusals()
        self._access.sudo.forget_refusal()

    def detect_privilege(self, session: Session) -> None:
        """Find out how root is reached there. Raises HostError."""
        if isinstance(session, SshSession):
            detect_privilege(session, session.access.sudo)

    def report_to(self, report: Report) -> None:
        """Report to `report`, from many threads, what happens outside the hosts (an agent that does not reply)."""
        self._access.keys.report = report

    def close(self) -> None:
        """Close the jump hosts."""
        self._access.close()
