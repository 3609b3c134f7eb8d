"""SSH keys for the lab: made when they are needed, kept nowhere."""

from io import StringIO

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def new_key() -> paramiko.PKey:
    """Make a fresh Ed25519 key."""
    return paramiko.Ed25519Key.from_private_key(StringIO(private_text(Ed25519PrivateKey.generate())))


def private_text(key: Ed25519PrivateKey) -> str:
    """Write the key as OpenSSH does to a file, unencrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()
