"""The accounts of a modelled host, and what sudo lets them do."""

from dataclasses import dataclass
from enum import StrEnum


class SudoPolicy(StrEnum):
    """What happens when an account calls sudo."""

    ABSENT = "sudo is not installed"
    DENIED = "not in the sudoers file"
    PASSWORD = "asks for the password"  # noqa: S105 - a description, not a password
    NOPASSWD = "asks for nothing"


@dataclass(frozen=True, slots=True)
class User:
    """An account."""

    name: str
    uid: int
    gid: int
    home: str
    sudo: SudoPolicy = SudoPolicy.NOPASSWD
    password: str = ""
    """What sudo asks for; login is by key only."""

    @property
    def is_root(self) -> bool:
        """Whether the account may do anything."""
        return self.uid == 0


ROOT = User("root", 0, 0, "/root")
