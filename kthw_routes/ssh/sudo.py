"""How a login reaches root, and the password that sudo wants: asked once, tried on one host first, never shown."""

import threading
from collections.abc import Callable
from typing import Final

from kthw_routes.facts import Privilege
from kthw_routes.secret import Secret
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.echoes import Echoes
from kthw_routes.ssh.errors import WrongSudoPassword
from kthw_routes.ssh.refusals import no_root, wants_password, wrong_password
from kthw_routes.ssh.session import Asker, Session

_WHO: Final = Command(("id", "-u"))
_SUDO_WITHOUT_PASSWORD: Final = Command(("sudo", "-k", "-n", "true"))
_AS_ROOT: Final = Command(("true",), needs_root=True)


class SudoPassword:
    """The password of one run, shared by all hosts. Safe to use from many threads."""

    def __init__(self, asker: Asker | None, echoes: Echoes | None = None) -> None:
        """Have `echoes` hide each password that was given, right or wrong, in what hosts say."""
        self._asker = asker
        self._echoes = echoes or Echoes()
        self._lock = threading.Lock()
        self._password: Secret | None = None
        self._was_asked = False
        self._is_proved = False
        self.refused_on: str | None = None
        """The host that refused the password; None while none did."""

    def known(self) -> Secret | None:
        """Return the password, if one was given."""
        return self._password

    def forget_refusal(self) -> None:
        """Ask again next time, unless the password was right somewhere: for another look after a mistyped one."""
        with self._lock:
            if not self._is_proved:
                self._password, self._was_asked, self.refused_on = None, False, None

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
                self.refused_on = None if self._is_proved else node
                return self._is_proved
        return attempt()


def detect_privilege(session: Session, sudo: SudoPassword) -> Privilege:
    """Find out how root is reached, and set `session.privilege` to it: never NONE.

    A password is asked for once for all hosts, tried on one host first, and once per host.

    Raises:
        NoRoot: the login is not root, and sudo does not help; its own words are in it.
        WrongSudoPassword: sudo refused the password, here or on the host that tried it first.
        CommandNotRun: the login runs no commands.
        ConnectionLost, CommandTimedOut: as `Session.run`.
    """
    session.privilege = Privilege.NONE
    if session.run(_WHO).out.strip() == "0":
        session.privilege = Privilege.ROOT
    elif (answer := session.run(_SUDO_WITHOUT_PASSWORD)).ok:
        session.privilege = Privilege.SUDO
    elif wants_password(answer):
        session.privilege = _with_password(session, sudo, answer)
    else:
        raise no_root(session.node, session.user, answer.status, answer.stderr)
    return session.privilege


def _with_password(session: Session, sudo: SudoPassword, refusal: Result) -> Privilege:
    def attempt() -> bool:
        session.privilege = Privilege.SUDO_PASSWORD
        try:
            session.run(_AS_ROOT)
        except WrongSudoPassword:
            return False
        return True

    right: bool | None = None
    try:
        right = sudo.try_on(session.user, session.node, attempt)
    finally:
        if not right:  # a right password of a user who may not all the same raises NoRoot
            session.privilege = Privilege.NONE
    if right is None:
        raise no_root(session.node, session.user, refusal.status, refusal.stderr)
    if not right:
        raise wrong_password(session.node, session.user, sudo.refused_on)
    return Privilege.SUDO_PASSWORD
