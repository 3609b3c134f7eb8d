"""The private keys that are offered to hosts: each file is read once, each passphrase asked once, for all hosts."""

import base64
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from paramiko.agent import Agent, AgentKey

from kthw_routes.hosts.echoes import Echoes
from kthw_routes.hosts.errors import KeyUnusable, PassphraseNeeded
from kthw_routes.hosts.session import Asker
from kthw_routes.secret import Secret
from kthw_routes.untrusted import clean_line

MOST_KEYS: Final = 5
"""Keys offered to one host; OpenSSH hangs up at the sixth failure (MaxAuthTries)."""
KUBERNETES_KEY: Final = Path("kubernetes.ed25519")
"""The key that Kubernetes The Hard Way makes; taken where it lies in the current folder."""
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
    ) -> None:
        """
        Args:
            identity: the key that the person named. None: `kubernetes.ed25519` in `folder`, if there is one.
            asker: whom to ask for a passphrase.
            only_identity: never look for an agent, or for keys in the home folder.
            home, folder: the person's home and the current folder, by default.
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
        self._agent: Agent | None = None
        self._agent_keys: list[Key] | None = None

    def offered(
        self, node: str, identity_files: Iterable[Path] = (), *, identities_only: bool = False
    ) -> Iterator[Key]:
        """The keys for one host, in the order in which they are tried, one by one as they are needed.

        A key that the person named is the only one. Else those that the SSH configuration names, those of the
        agent, and ssh's own defaults; at most MOST_KEYS. A key that needs a passphrase comes last and is only
        then asked for.

        Raises:
            KeyUnusable: the named key is missing, unreadable, readable by others, or of no known kind.
            PassphraseNeeded: a key is encrypted, and no or a wrong passphrase was given.
        """
        if self.identity is not None:
            yield self._from_agent(self.identity) or Key(self.identity.name, self._load(self.identity, node))
            return
        for count, key in enumerate(self._searched(node, tuple(identity_files), identities_only)):
            if count == MOST_KEYS:
                return
            yield key

    def forget_refusals(self) -> None:
        """Read again next time what could not be used: for another look after a mistyped passphrase."""
        with self._lock:
            self._loaded = {file: key for file, key in self._loaded.items() if isinstance(key, paramiko.PKey)}

    def close(self) -> None:
        """Let go of the agent. Never waits: whoever still stands at the question for a passphrase holds the lock."""
        if not self._lock.acquire(timeout=0.1):
            return
        try:
            if self._agent is not None:
                self._agent.close()
            self._agent, self._agent_keys = None, None
        finally:
            self._lock.release()

    def _searched(self, node: str, files: tuple[Path, ...], identities_only: bool) -> Iterator[Key]:
        if self._only_identity:
            return
        defaults = () if identities_only else tuple(self._home / ".ssh" / name for name in _OWN_KEYS)
        seen: set[bytes] = set()
        encrypted: list[Path] = []
        for file in files:
            if key := self._from_agent(file):
                seen.add(key.pkey.asbytes())
                yield key
            elif file.is_file():
                if is_encrypted(file):
                    encrypted.append(file)
                else:
                    yield from self._usable(file, node, seen)
        for key in () if identities_only else self._agents():
            if key.pkey.asbytes() not in seen:
                seen.add(key.pkey.asbytes())
                yield key
        for file in defaults:
            if file in files or not file.is_file():
                continue
            if is_encrypted(file):
                if not self._from_agent(file):
                    encrypted.append(file)
            else:
                yield from self._usable(file, node, seen)
        for file in encrypted:
            yield Key(file.name, self._load(file, node))

    def _usable(self, file: Path, node: str, seen: set[bytes]) -> Iterator[Key]:
        """The key of a file that nobody named on the command line: passed over where it cannot be used, as ssh does."""
        try:
            key = Key(file.name, self._load(file, node))
        except KeyUnusable:
            return
        if key.pkey.asbytes() not in seen:
            seen.add(key.pkey.asbytes())
            yield key

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
        content = _private_bytes(file, node, shown)
        if not _is_encrypted(content):
            return _parse(content, None, node, shown)
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
            return _parse(content, passphrase, node, shown)
        except KeyUnusable:
            raise PassphraseNeeded(
                node, f"that is not the passphrase of the private key {shown}.", "Try again with the right one."
            ) from None

    def _agents(self) -> list[Key]:
        """The keys that an agent holds."""
        with self._lock:
            if self._agent_keys is None:
                self._agent_keys = []
                if not self._only_identity and os.environ.get("SSH_AUTH_SOCK"):
                    self._agent, self._agent_keys = _ask_agent()
            return self._agent_keys

    def _from_agent(self, file: Path) -> Key | None:
        """The agent's key of this file, so that nobody is asked for the passphrase of a key that is unlocked."""
        try:
            blob = base64.b64decode(file.with_name(file.name + ".pub").read_text("ascii").split()[1])
        except (OSError, ValueError, IndexError):
            return None
        return next((Key(file.name, k.pkey) for k in self._agents() if k.pkey.asbytes() == blob), None)


class SharedAgentKey(AgentKey):
    """An agent's key for many threads: an agent connection answers one question at a time."""

    def __init__(self, agent: Agent, blob: bytes, comment: str, lock: threading.Lock) -> None:
        super().__init__(agent, blob, comment)
        self._one_at_a_time = lock

    def sign_ssh_data(self, data: Any, algorithm: str | None = None) -> Any:
        """Have the agent sign."""
        with self._one_at_a_time:
            return super().sign_ssh_data(data, algorithm)


def is_encrypted(file: Path) -> bool:
    """Whether a private key file needs a passphrase; False where it cannot be read."""
    try:
        return _is_encrypted(file.read_bytes())
    except OSError:
        return False


def _ask_agent() -> tuple[Agent | None, list[Key]]:
    try:
        agent = Agent()
        lock = threading.Lock()
        keys = [
            Key(
                clean_line(f"agent: {key.comment or key.get_name()}"),
                SharedAgentKey(agent, key.blob, key.comment, lock),
            )
            for key in agent.get_keys()
        ]
    except (OSError, paramiko.SSHException, ValueError):  # an agent that is gone, or talks nonsense
        return None, []
    return agent, keys


def _private_bytes(file: Path, node: str, shown: str) -> bytes:
    try:
        with file.open("rb") as handle:
            status = os.fstat(handle.fileno())
            content = handle.read(1024 * 1024)
    except OSError as error:
        raise KeyUnusable(
            node, f"the private key {shown} cannot be read: {error.strerror}.", "Name another one with -i FILE."
        ) from error
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid == os.getuid() and mode & 0o077:
        raise KeyUnusable(
            node, f"the private key {shown} can be read by others (mode {mode:04o}).", f"Run: chmod 600 {shown}"
        )
    return content


def _is_encrypted(content: bytes) -> bool:
    if b"BEGIN OPENSSH PRIVATE KEY" in content:
        body = b"".join(line for line in content.splitlines() if b"-----" not in line)
        try:
            raw = base64.b64decode(body)
        except ValueError:
            return False
        magic = b"openssh-key-v1\0"
        return raw.startswith(magic) and raw[len(magic) : len(magic) + 8] != b"\0\0\0\x04none"
    return b"ENCRYPTED" in content[:500]


def _parse(content: bytes, passphrase: Secret | None, node: str, shown: str) -> paramiko.PKey:
    """The key; whatever is wrong with it, a wrong passphrase included, is KeyUnusable."""
    password = passphrase.reveal().encode() if passphrase else None
    load = (
        serialization.load_ssh_private_key
        if b"BEGIN OPENSSH PRIVATE KEY" in content
        else serialization.load_pem_private_key
    )
    try:
        loaded = load(content, password)
        kind: type[paramiko.PKey]
        if isinstance(loaded, ed25519.Ed25519PrivateKey):
            kind = paramiko.Ed25519Key
        elif isinstance(loaded, ec.EllipticCurvePrivateKey):
            kind = paramiko.ECDSAKey
        elif isinstance(loaded, rsa.RSAPrivateKey):
            kind = paramiko.RSAKey
        else:
            raise ValueError("a kind of key that is not supported")
        plain = loaded.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        return kind.from_private_key(StringIO(plain.decode()))
    # cryptography and paramiko raise many unrelated types here (ValueError, TypeError, UnsupportedAlgorithm,
    # SSHException, struct.error); to the person they are all the same thing.
    except Exception:
        raise KeyUnusable(
            node,
            f"{shown} is no private key that can be used here (Ed25519, ECDSA or RSA, in OpenSSH or PEM format).",
            "Name another one with -i FILE.",
        ) from None
