"""Trust and login, once a transport is up: the host's key is checked, then our keys are offered."""

import threading
import time
from typing import Final

import paramiko

from kthw_routes.facts import HostKey
from kthw_routes.sanitize import clean_line
from kthw_routes.ssh.agent import LoginKey
from kthw_routes.ssh.config import Resolved
from kthw_routes.ssh.errors import CannotConnect, HostKeyChanged, HostKeyUnknown, KeyRejected
from kthw_routes.ssh.keys import MAX_KEYS, Keys
from kthw_routes.ssh.known_hosts import HostKeyMatch, HostKeyMode, HostKeyStatus, KnownHosts, fingerprint

_SLICE: Final = 0.1
"""Seconds between two checks whether the host has hung up while an agent signs."""
_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class HostKeyCheck(paramiko.MissingHostKeyPolicy):
    """Our rules for a host's key, on every hop. It replaces paramiko's whole check: its own lists stay empty."""

    def __init__(
        self,
        node: str,
        target: Resolved,
        known: KnownHosts,
        mode: HostKeyMode,
        seen: dict[str, bytes],
        rebuilt: set[str] | None = None,
    ) -> None:
        """Allow no change of the keys in `seen`, which hosts presented earlier in this run, in any mode.

        `rebuilt`: names of nodes that the person named as rebuilt: each goes from it as its old key is forgotten.
        None: no such word counts for this host.
        """
        self._node = node
        self._target = target
        self._known = known
        self._mode = mode
        self._seen = seen
        self._rebuilt = rebuilt
        self.key: HostKey | None = None
        """What was presented, once it was accepted."""

    def prefer_known_type(self, transport: paramiko.Transport) -> None:
        """Ask the host for a key of a type that is known of it, so that a second key does not look like a change."""
        try:
            types = self._known.types(self._target.known_as, self._target.known_hosts_files)
        except OSError as error:  # nothing can be checked, so nothing is trusted
            raise CannotConnect(
                self._node,
                f"the known host keys in {clean_line(str(error.filename))} cannot be read: {error.strerror}.",
                "Put a file in its place, or name another one in the SSH configuration (UserKnownHostsFile).",
            ) from error
        options = transport.get_security_options()
        wanted = [a for t in types for a in _ALGORITHMS.get(t, (t,)) if a in options.key_types]
        options.key_types = [*wanted, *(a for a in options.key_types if a not in wanted)]

    def missing_host_key(self, _client: paramiko.SSHClient, _hostname: str, key: paramiko.PKey) -> None:
        """Accept the presented key or not; paramiko calls this. Raises HostKeyChanged or HostKeyUnknown."""
        self.accept(key.get_name(), key.asbytes())

    def accept(self, key_type: str, blob: bytes) -> None:
        """Accept this key of the host or not. Raises HostKeyChanged or HostKeyUnknown."""
        target, name = self._target, self._target.known_as
        reading = self._known.look_up(name, key_type, blob, target.known_hosts_files)
        if reading.verdict is HostKeyStatus.CHANGED and self._rebuilt is not None and self._node in self._rebuilt:
            self._forget(name)
            self._rebuilt.discard(self._node)
            reading = self._known.look_up(name, key_type, blob, target.known_hosts_files)
        if reading.verdict is HostKeyStatus.UNKNOWN and self._mode is HostKeyMode.ACCEPT_NEW:
            reading = self._recorded(name, key_type, blob)
        new = fingerprint(blob)
        before = self._seen.get(name)
        if reading.verdict is HostKeyStatus.REVOKED and reading.line:
            raise HostKeyChanged(
                self._node,
                f"the key of {target} is marked as revoked in {reading.line.file}.",
                "Somebody holds a key that must no longer be trusted. Do not connect before this is explained.",
                old=new,
                new=new,
            )
        if reading.verdict is HostKeyStatus.CHANGED and reading.line:
            line = reading.line
            cure = f"run: ssh-keygen -R '{name}' -f '{line.file}'"
            if self._rebuilt is not None:
                cure = f"say so with --rebuilt {self._node}, or {cure}"
            raise self._changed(fingerprint(line.blob), new, cure)
        if before is not None and before != blob:
            raise self._changed(fingerprint(before), new, "start again")
        if reading.verdict is HostKeyStatus.UNKNOWN and self._mode in (HostKeyMode.ASK, HostKeyMode.STRICT):
            raise self._unknown(key_type, blob)
        self._seen[name] = blob
        self.key = HostKey(clean_line(key_type), new, is_new=reading.is_new)

    def _forget(self, name: str) -> None:
        try:
            self._known.forget(name)
        except OSError as error:
            raise self._unwritable(error) from error
        self._seen.pop(name, None)

    def _recorded(self, name: str, key_type: str, blob: bytes) -> HostKeyMatch:
        try:
            return self._known.add(name, key_type, blob)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> CannotConnect:
        return CannotConnect(
            self._node,
            f"its host key cannot be recorded in {self._known.file}: {error.strerror}.",
            "Correct that, or set XDG_STATE_HOME to another folder.",
        )

    def _changed(self, old: str, new: str, cure: str) -> HostKeyChanged:
        return HostKeyChanged(
            self._node,
            f"the host key of {self._target} has changed: it was {old}, now it is {new}.",
            "Either the node was rebuilt, or something between you and it answers in its place. Compare the new "
            f"fingerprint with the node's own console; if it was rebuilt, {cure}, and try again.",
            old=old,
            new=new,
        )

    def _unknown(self, key_type: str, blob: bytes) -> HostKeyUnknown:
        name, shown = self._target.known_as, clean_line(key_type)
        return HostKeyUnknown(
            self._node,
            f"the host key of {self._target} is not known: {shown} {fingerprint(blob)}.",
            "Compare it with the node's own console. Accept it when asked, or with --host-keys accept-new.",
            host=name,
            key_type=key_type,
            blob=blob,
            fingerprint=fingerprint(blob),
        )


class KeysInTurn:
    """Offers keys one by one. paramiko's own ways to log in ask on the terminal, or wait an hour: neither is used."""

    def __init__(self, node: str, target: Resolved, keys: Keys) -> None:
        self._node = node
        self._target = target
        self._keys = keys

    def authenticate(self, transport: paramiko.Transport) -> list[str]:
        """Log in; paramiko calls this as an authentication strategy. Raises KeyRejected, and what `keys` raises."""
        target, offered = self._target, list[str]()
        keys = self._keys.offered(
            self._node,
            target.identity_files,
            identities_only=target.identities_only,
            identity_agent=target.identity_agent,
            identity=target.identity,
        )
        for key in keys:
            offered.append(key.name)
            try:
                further = self._offer(transport, key.pkey)
            except paramiko.BadAuthenticationType as error:
                raise self._rejected(offered, ", ".join(error.allowed_types)) from error
            except paramiko.AuthenticationException as error:
                if not transport.is_active() or "timeout" in str(error).lower():
                    raise self._hung_up(offered, transport) from error
                if isinstance(key.pkey, LoginKey) and key.pkey.unsigned:
                    offered[-1] = f"{key.name} ({key.pkey.unsigned})"
                continue
            if further:
                raise self._second_factor(key.name, further)
            return []
        raise self._rejected(offered)

    def _offer(self, transport: paramiko.Transport, key: paramiko.PKey) -> list[str]:
        """Offer one key; return what else the host wants. The time that an agent takes to sign is not the host's."""
        if not isinstance(key, LoginKey):
            return transport.auth_publickey(self._target.user, key)
        answered = threading.Event()
        transport.auth_publickey(self._target.user, key, event=answered)
        begun = time.monotonic()
        while transport.is_active() and not (key.asked.is_set() or answered.is_set()):
            if time.monotonic() - begun > transport.auth_timeout:
                raise paramiko.AuthenticationException("Authentication timeout.")
            key.asked.wait(_SLICE)
        while key.asked.is_set() and transport.is_active() and not key.answered.wait(_SLICE):
            pass  # the agent has limits of its own
        handler = transport.auth_handler
        if handler is None:
            raise paramiko.AuthenticationException("the login was cancelled")
        return list(handler.wait_for_response(answered))

    def _rejected(self, offered: list[str], allowed: str | None = None) -> KeyRejected:
        who = f"{self._target.user} at {self._target}"
        error = self._keys.agent_error(self._target.identity_agent)
        because_of_agent = f" {error}" if error else ""
        if not offered:
            return KeyRejected(
                self._node,
                f"there is no private key to offer to {who}.",
                f"Name one with -i FILE, or load one into an agent with ssh-add.{because_of_agent}",
            )
        if allowed:
            return KeyRejected(
                self._node,
                f"{who} accepts no keys, only: {clean_line(allowed)}.",
                "Allow public keys in its sshd_config (PubkeyAuthentication yes), or log in as another user.",
            )
        return KeyRejected(
            self._node,
            f"{who} rejected all offered keys: {', '.join(offered)}.",
            "Is the public key in that user's ~/.ssh/authorized_keys there? Another key: -i FILE; another user: --user."
            + (f" Only {MAX_KEYS} keys are tried: name the right one." if len(offered) == MAX_KEYS else "")
            + because_of_agent,
        )

    def _hung_up(self, offered: list[str], transport: paramiko.Transport) -> KeyRejected:
        what = f"did not reply within {transport.auth_timeout:g} s" if transport.is_active() else "hung up"
        return KeyRejected(
            self._node,
            f"{self._target} {what} during the login as {self._target.user} (offered: {', '.join(offered)}).",
            "It may count too many failures, or refuse this address for a while. Wait a minute, name one key with -i.",
        )

    def _second_factor(self, key: str, further: list[str]) -> KeyRejected:
        return KeyRejected(
            self._node,
            f"{self._target} accepted the key {key} for {self._target.user}, and wants more: "
            f"{clean_line(', '.join(further))}.",
            "A second factor cannot be given here. Log in as a user for whom the key is enough (--user).",
        )
