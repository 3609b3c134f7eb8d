"""How a login reaches root, found out once per host."""

from kthw_routes.facts import Privilege
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import WrongSudoPassword
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.refusals import no_root, wants_password, wrong_password

_WHO = Command(("id", "-u"))
_SUDO_WITHOUT_PASSWORD = Command(("sudo", "-k", "-n", "true"))
_AS_ROOT = Command(("true",), needs_root=True)


def probe_privilege(session: SshSession) -> Privilege:
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
        session.privilege = _with_password(session, answer)
    else:
        raise no_root(session.node, session.user, answer.status, answer.stderr)
    return session.privilege


def _with_password(session: SshSession, refusal: Result) -> Privilege:
    def attempt() -> bool:
        session.privilege = Privilege.SUDO_PASSWORD
        try:
            session.run(_AS_ROOT)
        except WrongSudoPassword:
            return False
        return True

    right: bool | None = None
    try:
        right = session.access.sudo.try_on(session.user, session.node, attempt)
    finally:
        if not right:  # a right password of a user who may not all the same raises NoRoot
            session.privilege = Privilege.NONE
    if right is None:
        raise no_root(session.node, session.user, refusal.status, refusal.stderr)
    if not right:
        raise wrong_password(session.node, session.user, session.access.sudo.refused_on)
    return Privilege.SUDO_PASSWORD
