"""The files of keys: read where they are files, and classified: public or private, encrypted or not."""

import base64
import binascii
import os
import stat
from io import StringIO
from pathlib import Path
from typing import Final

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kthw_routes.local_files import read_file
from kthw_routes.secret import Secret
from kthw_routes.ssh.errors import KeyUnusable

MAX_KEY_FILE: Final = 1024 * 1024
"""Bytes."""
_MAGIC: Final = b"openssh-key-v1\0"


def is_encrypted(file: Path) -> bool:
    """Whether a private key file needs a passphrase; False where it cannot be read."""
    try:
        return _is_encrypted(read_file(file, MAX_KEY_FILE))
    except (OSError, ValueError):
        return False


def public_halves(file: Path) -> set[bytes]:
    """Return what says which key a file is of: the file itself, or the public file next to it."""
    found = set()
    for place in (file, file.with_name(file.name + ".pub")):
        try:
            content = read_file(place, MAX_KEY_FILE)
        except (OSError, ValueError):
            continue
        blob = _public_blob(content) or _blob_within(content)
        if blob:
            found.add(blob)
    return found


def is_public(file: Path) -> bool:
    """Whether a file holds the public half of a key, and nothing else."""
    try:
        return _public_blob(read_file(file, MAX_KEY_FILE)) is not None
    except (OSError, ValueError):
        return False


def _public_blob(content: bytes) -> bytes | None:
    """Return the key of a public file, `TYPE BASE64 COMMENT`; None for another file."""
    fields = content.split(None, 2)
    try:
        blob = base64.b64decode(fields[1], validate=True)
    except (IndexError, binascii.Error):
        return None
    return blob if blob[4 : 4 + int.from_bytes(blob[:4], "big")] == fields[0] else None


def _blob_within(content: bytes) -> bytes | None:
    """Return the public half that is in clear in a private file of OpenSSH's format, an encrypted one too."""
    raw = _openssh_body(content)
    if raw is None:
        return None
    message = paramiko.Message(raw[len(_MAGIC) :])
    for _ in ("cipher", "key derivation", "its options"):
        message.get_binary()
    message.get_int()
    return message.get_binary() or None


def private_bytes(file: Path, node: str, shown: str) -> bytes:
    """Read a private key file. Raises KeyUnusable: it cannot be read, or others can read it."""
    try:
        content = read_file(file, MAX_KEY_FILE)
        status = file.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise KeyUnusable(
            node, f"the private key {shown} cannot be read: {reason}.", "Name another one with -i FILE."
        ) from error
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid == os.getuid() and mode & 0o077:
        raise KeyUnusable(
            node, f"the private key {shown} can be read by others (mode {mode:04o}).", f"Run: chmod 600 {shown}"
        )
    return content


def _is_encrypted(content: bytes) -> bool:
    raw = _openssh_body(content)
    if raw is not None:
        return raw[len(_MAGIC) : len(_MAGIC) + 8] != b"\0\0\0\x04none"
    return b"ENCRYPTED" in content[:500] and b"BEGIN OPENSSH PRIVATE KEY" not in content


def _openssh_body(content: bytes) -> bytes | None:
    """Decode what is between the lines of a private file of OpenSSH's format; None for another file."""
    if b"BEGIN OPENSSH PRIVATE KEY" not in content:
        return None
    try:
        raw = base64.b64decode(b"".join(line for line in content.splitlines() if b"-----" not in line))
    except ValueError:
        return None
    return raw if raw.startswith(_MAGIC) else None


def parse(content: bytes, passphrase: Secret | None, node: str, shown: str) -> paramiko.PKey:
    """Parse a key; whatever is wrong with it, a wrong passphrase included, is KeyUnusable."""
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
            f"{shown} is not a private key that can be used here (Ed25519, ECDSA or RSA, in OpenSSH or PEM format).",
            "Name another one with -i FILE.",
        ) from None
