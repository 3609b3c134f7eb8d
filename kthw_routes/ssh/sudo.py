"""The password that sudo wants: asked once, tried on one host before any other, never shown."""

import threading
from collections.abc import Callable

from kthw_routes.secret import Secret
from kthw_routes.ssh.echoes import Echoes
from kthw_routes.ssh.session import Asker


class SudoPassword:
    """The password of one run, shared by all hosts. Safe to use from many threads."""

    def __init__(self, asker: Asker | None, echoes: Echoes | None = None) -> None:
        """`echoes`: hides each password that was given, right or wrong, in what hosts say."""
        self._asker = asker
        self._echoes = echoes or Echoes()
        self._lock = threading.Lock()
        self._password: Secret | None = None
        self._was_asked = False
        self._is_proved = False
        self.refused_on = ""
        """The host that refused the password; empty while none did."""

    def known(self) -> Secret | None:
        """The password, if one was given."""
        return self._password

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
                if self._password is not None:
                    self._echoes.hide(self._password)
            if self._password is None:
                return None
            if self.refused_on:
                return False
            if not self._is_proved:
                self._is_proved = attempt()
                self.refused_on = "" if self._is_proved else node
                return self._is_proved
        return attempt()
