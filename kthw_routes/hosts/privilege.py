"""How a login reaches root, found out once per host."""

from kthw_routes.hosts.command import Command
from kthw_routes.hosts.errors import NoRoot, WrongSudoPassword
from kthw_routes.hosts.ssh import SshSession
from kthw_routes.hosts.sudo import wrong_password
from kthw_routes.observed import Privilege

_WHO = Command(("id", "-u"))
_SUDO_WITHOUT_PASSWORD = Command(("sudo", "-k", "-n", "true"))
_AS_ROOT = Command(("true",), needs_root=True)


def probe_privilege(session: SshSession) -> Privilege:
    """Find out how root is reached, and set `session.privilege` to it.

    A password is asked for once for all hosts, tried on one host first, and once per host.

    Raises:
        WrongSudoPassword: sudo refused the password, here or on the host that tried it first.
        ConnectionLost, CommandTimedOut: as `Session.run`.
    """
    session.privilege = Privilege.NONE
    if session.run(_WHO).out.strip() == "0":
        session.privilege = Privilege.ROOT
    elif (answer := session.run(_SUDO_WITHOUT_PASSWORD)).ok:
        session.privilege = Privilege.SUDO
    elif answer.status not in (126, 127) and "password" in answer.err:
        session.privilege = _with_password(session)
    return session.privilege


def _with_password(session: SshSession) -> Privilege:
    def attempt() -> bool:
        session.privilege = Privilege.SUDO_PASSWORD
        try:
            session.run(_AS_ROOT)
        except WrongSudoPassword:
            session.privilege = Privilege.NONE
            return False
        return True

    try:
        right = session.access.sudo.try_on(session.user, session.node, attempt)
    except NoRoot:  # the password is right, and this user may not all the same
        return Privilege.NONE
    if right is None:
        return Privilege.NONE
    if not right:
        session.privilege = Privilege.NONE
        raise wrong_password(session.node, session.user, session.access.sudo.refused_on)
    return Privilege.SUDO_PASSWORD
