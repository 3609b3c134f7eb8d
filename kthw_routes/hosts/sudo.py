"""The password that sudo wants: asked once, tried on one host before any other, never shown."""

import re
import threading
from collections.abc import Callable
from typing import Final

from kthw_routes.hosts.errors import NoRoot, WrongSudoPassword
from kthw_routes.hosts.session import Asker
from kthw_routes.secret import Secret
from kthw_routes.untrusted import clean, clean_line

_WRONG: Final = re.compile(r"incorrect password|incorrect authentication|try again|no password was provided", re.I)


class SudoPassword:
    """The password of one run, shared by all hosts. Safe to use from many threads."""

    def __init__(self, asker: Asker | None) -> None:
        self._asker = asker
        self._lock = threading.Lock()
        self._password: Secret | None = None
        self._was_asked = False
        self._is_proved = False
        self.refused_on = ""
        """The host that refused the password; empty while none did."""

    def known(self) -> Secret | None:
        """The password, if one was given."""
        return self._password

    def hidden_in(self, text: str) -> str:
        """`text` from a host, without the password that the host may have echoed."""
        return text if self._password is None else self._password.hidden_in(text)

    def forget_refusal(self) -> None:
        """Ask again next time, unless the password was right somewhere: for another look after a mistyped one."""
        with self._lock:
            if not self._is_proved:
                self._password, self._was_asked, self.refused_on = None, False, ""

    def try_on(self, user: str, node: str, attempt: Callable[[], bool]) -> bool | None:
        """Ask for the password unless that was done, and see whether it is right on this host.

        `attempt` tries it there, once. Until it was right on some host, one host tries at a time; after it was
        wrong on one, no other tries, so that no account is locked.

        Returns:
            Whether it is right; None where none was given.
        """
        with self._lock:
            if not self._was_asked:
                self._was_asked = True
                answer = self._asker.sudo_password(user, node) if self._asker else None
                self._password = None if answer is None else Secret(answer)
            if self._password is None:
                return None
            if self.refused_on:
                return False
            if not self._is_proved:
                self._is_proved = attempt()
                self.refused_on = "" if self._is_proved else node
                return self._is_proved
        return attempt()


def wrong_password(node: str, user: str, refused_on: str = "") -> WrongSudoPassword:
    """The error for a password that sudo refused here, or on the host `refused_on` that tried it first."""
    if refused_on and refused_on != node:
        return WrongSudoPassword(
            node,
            f"sudo refused the password of {user} on {refused_on}, so it was not tried here.",
            "Try again with the right one.",
        )
    return WrongSudoPassword(
        node, f"sudo refused the password of {user}.", "It was tried once. Try again with the right one."
    )


def sudo_refusal(node: str, user: str, said: bytes, hide: Callable[[str], str]) -> NoRoot:
    """The error for what sudo wrote to stderr instead of running a command. `hide` masks the password in it."""
    text = clean(said.decode("utf-8", "replace"))
    if _WRONG.search(text):
        return wrong_password(node, user)
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
    return NoRoot(
        node, f"sudo refused {user}: {clean_line(hide(last))}", "Log in as root (--user), or allow it in sudoers."
    )
