"""The private keys that are offered to hosts: each file is read once, each passphrase asked once, for all hosts."""

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import paramiko

from kthw_routes.options import KUBERNETES_KEY
from kthw_routes.sanitize import clean_line
from kthw_routes.secret import Secret
from kthw_routes.ssh.agent import Agent, LoginKey, Report
from kthw_routes.ssh.config_options import NO_AGENT
from kthw_routes.ssh.echoes import Echoes
from kthw_routes.ssh.errors import KeyUnusable, PassphraseNeeded
from kthw_routes.ssh.key_files import is_encrypted, is_public, parse, private_bytes, public_halves
from kthw_routes.ssh.session import Asker

MAX_KEYS: Final = 5
"""Keys offered to one host; OpenSSH hangs up at the sixth failure (MaxAuthTries)."""
_OWN_KEYS: Final = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True, slots=True)
class Key:
    """A key that can sign, and what people call it."""

    name: str
    pkey: paramiko.PKey


class Keys:
    """The keys of one run, shared by all hosts. Safe to use from many threads."""

    def __init__(
        self,
        identity: Path | None = None,
        *,
        asker: Asker | None = None,
        only_identity: bool = False,
        home: Path | None = None,
        folder: Path | None = None,
        agent_timeout: float = 10.0,
    ) -> None:
        """
        Args:
            identity: the key that the person named. None: `kubernetes.ed25519` in `folder`, if there is one.
            asker: whom to ask for a passphrase.
            only_identity: never look for an agent, or for keys in the home folder.
            home, folder: the person's home and the current folder, by default.
            agent_timeout: seconds that an agent may take to list its keys.
        """
        self._home = home or Path.home()
        default = (folder or Path.cwd()) / KUBERNETES_KEY
        self.identity: Final = identity.expanduser() if identity else default if default.is_file() else None
        """The only key that is offered; None: those that the SSH configuration, the agent and the home folder have."""
        self.echoes: Final = Echoes()
        """The passphrases that were typed, and whatever else hosts may not say back."""
        self._only_identity = only_identity
        self._asker = asker
        self._lock = threading.Lock()
        self._loaded: dict[Path, paramiko.PKey | KeyUnusable | PassphraseNeeded] = {}
        self.report: Report = lambda _sentence: None
        """Takes what the person should know of an agent that does not reply; called from many threads."""
        self._agent_timeout = agent_timeout
        self._agents: dict[Path, Agent] = {}

    def offered(
        self,
        node: str,
        identity_files: Iterable[Path] | None = None,
        *,
        identities_only: bool = False,
        identity_agent: Path | None = None,
        identity: Path | None = None,
    ) -> Iterator[Key]:
        """Yield the keys for one host, in the order in which they are tried, one by one as they are needed.

        A key that the person named is the only one. Else those that the SSH configuration names, those of the
        agent, and, where it names none, ssh's own; at most MAX_KEYS. A key that needs a passphrase comes last and
        is only then asked for. An agent is asked only where it may have what the files do not give.

        Args:
            node: the host's name, for the errors.
            identity_files: those of the SSH configuration; None for ssh's own.
            identities_only: whether of an agent's keys only those of the files are offered.
            identity_agent: the agent's socket; None for that of SSH_AUTH_SOCK, NO_AGENT for none.
            identity: the key that the nodes' source names for this host alone; it is the only one then.

        Raises:
            KeyUnusable: the named key is missing, unreadable, readable by others, or of no known kind.
            PassphraseNeeded: a key is encrypted, and no or a wrong passphrase was given.
        """
        agent = self._agent(identity_agent)
        named = identity or self.identity
        if named is not None:
            yield self._named(named, node, agent)
            return
        files = None if identity_files is None else tuple(identity_files)
        for count, key in enumerate(self._searched(node, files, identities_only, agent)):
            if count == MAX_KEYS:
                return
            yield key

    def agent_error(self, identity_agent: Path | None = None) -> str | None:
        """Return why the agent gave no keys, as a sentence; None where it did, or was not asked."""
        agent = self._agent(identity_agent)
        return agent.error if agent else None

    def forget_refusals(self) -> None:
        """Try again next time what could not be used: for another look after a mistyped passphrase, or a new agent."""
        with self._lock:
            self._loaded = {file: key for file, key in self._loaded.items() if isinstance(key, paramiko.PKey)}
            self._agents = {}

    def _agent(self, path: Path | None) -> Agent | None:
        if path is None:
            path = Path(os.environ.get("SSH_AUTH_SOCK") or NO_AGENT)
        if self._only_identity or path == NO_AGENT:
            return None
        with self._lock:
            if path not in self._agents:
                self._agents[path] = Agent(path, self._agent_timeout, lambda sentence: self.report(sentence))
            return self._agents[path]

    def _named(self, file: Path, node: str, agent: Agent | None) -> Key:
        """Return the key that the person named: of the file, or of the agent where the file alone is not enough."""
        if not is_public(file) and not is_encrypted(file):
            return Key(clean_line(file.name), self._load(file, node))
        if key := _of_agent(agent, file):
            return key
        if is_public(file):
            shown = clean_line(str(file))
            private = clean_line(str(file.with_suffix("")))
            raise KeyUnusable(
                node,
                f"{shown} is the public half of a key, and no SSH agent holds its private half.",
                f"Load that into an agent (ssh-add {private}), or name the private key with -i FILE."
                + (f" {agent.error}" if agent and agent.error else ""),
            )
        return Key(clean_line(file.name), self._load(file, node))

    def _searched(
        self, node: str, files: tuple[Path, ...] | None, identities_only: bool, agent: Agent | None
    ) -> Iterator[Key]:
        if self._only_identity:
            return
        own = tuple(self._home / ".ssh" / name for name in _OWN_KEYS)
        seen: set[bytes] = set()
        encrypted: list[Path] = []
        if files is not None or identities_only:
            yield from self._of_files(own if files is None else files, node, agent, seen, encrypted)
        if not identities_only and agent is not None:
            yield from _new(_all_of(agent), seen)
        if files is None and not identities_only:
            yield from self._of_files(own, node, agent, seen, encrypted)
        for file in encrypted:
            yield Key(clean_line(file.name), self._load(file, node))

    def _of_files(
        self, files: Iterable[Path], node: str, agent: Agent | None, seen: set[bytes], encrypted: list[Path]
    ) -> Iterator[Key]:
        """Yield the keys of files not named on the command line; those that need a passphrase go to `encrypted`."""
        for file in files:
            if file.is_file() and not is_public(file) and not is_encrypted(file):
                try:
                    yield from _new([Key(clean_line(file.name), self._load(file, node))], seen)
                    continue
                except KeyUnusable:
                    pass  # the agent may have it all the same; else it is passed over, as ssh does
            if key := _of_agent(agent, file):
                yield from _new([key], seen)
            elif file.is_file() and is_encrypted(file) and file not in encrypted:
                encrypted.append(file)

    def _load(self, file: Path, node: str) -> paramiko.PKey:
        with self._lock:  # held while the person is asked: the other hosts wait for the same answer
            if file not in self._loaded:
                try:
                    self._loaded[file] = self._read(file, node)
                except (KeyUnusable, PassphraseNeeded) as error:
                    self._loaded[file] = error
            found = self._loaded[file]
        if isinstance(found, paramiko.PKey):
            return found
        raise type(found)(node, found.complaint, found.hint)

    def _read(self, file: Path, node: str) -> paramiko.PKey:
        shown = clean_line(str(file))
        content = private_bytes(file, node, shown)
        if not is_encrypted(file):
            return parse(content, None, node, shown)
        answer = self._asker.passphrase(shown) if self._asker else None
        if answer is None:
            raise PassphraseNeeded(
                node,
                f"the private key {shown} is encrypted, and there is no passphrase for it.",
                f"Load it into an agent (ssh-add {shown}), or run this in a terminal that can ask.",
            )
        passphrase = Secret(answer)
        self.echoes.hide(passphrase)
        try:
            return parse(content, passphrase, node, shown)
        except KeyUnusable:
            raise PassphraseNeeded(
                node, f"that is not the passphrase of the private key {shown}.", "Try again with the right one."
            ) from None


def _new(keys: Iterable[Key], seen: set[bytes]) -> Iterator[Key]:
    """Yield those of the keys that were not offered before."""
    for key in keys:
        if key.pkey.asbytes() not in seen:
            seen.add(key.pkey.asbytes())
            yield key


def _all_of(agent: Agent) -> Iterator[Key]:
    """Yield the keys of an agent, as long as it answers."""
    for identity in agent.identities():
        if agent.error:
            return
        try:
            key = LoginKey(agent, identity)
        except ValueError:
            continue
        yield Key(f"agent: {identity.comment or clean_line(key.get_name())}", key)


def _of_agent(agent: Agent | None, file: Path) -> Key | None:
    """Return the agent's key of this file, so that nobody is asked for the passphrase of a key that is unlocked."""
    if agent is None or not (blobs := public_halves(file)):
        return None
    found = next((key for key in _all_of(agent) if key.pkey.asbytes() in blobs), None)
    return Key(clean_line(file.name), found.pkey) if found else None
