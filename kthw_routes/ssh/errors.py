"""What can go wrong between us and a host, a class per kind, each with its sentence and its hint."""

from kthw_routes.errors import KthwRoutesError


class HostError(KthwRoutesError):
    """Something failed on, or on the way to, one host. `node` is its name, `complaint` the sentence without it."""

    nothing_ran: bool = False
    """Whether it is certain that the command in question never ran on the host."""

    def __init__(self, node: str, sentence: str, hint: str = "", *, nothing_ran: bool = False) -> None:
        super().__init__(f"{node}: {sentence}", hint)
        self.node = node
        self.complaint = sentence
        self.nothing_ran = nothing_ran or type(self).nothing_ran

    def of(self, node: str) -> "HostError":
        """Return the same error of another host, for what is shared between them."""
        error = type(self).__new__(type(self))
        error.__dict__ |= self.__dict__
        HostError.__init__(error, node, self.complaint, self.hint, nothing_ran=self.nothing_ran)
        return error


class CannotConnect(HostError):
    """No logged-in connection came about; nothing was changed on the host."""

    nothing_ran = True


class Unreachable(CannotConnect):
    """No route to the host, or its name does not resolve."""


class ConnectionRefused(CannotConnect):
    """The host answers, but nothing listens on the port."""


class ConnectTimedOut(CannotConnect):
    """No answer in time."""


class NotSsh(CannotConnect):
    """What answers does not speak SSH, or hung up at once."""


class KeyRejected(CannotConnect):
    """The host rejected all offered keys."""


class KeyUnusable(CannotConnect):
    """The private key that was named is missing, cannot be read, can be read by others, or is of no known kind."""


class PassphraseNeeded(CannotConnect):
    """The private key is encrypted, and no passphrase was given or the given one was wrong."""


class HostKeyUnknown(CannotConnect):
    """The host's key is in no known_hosts file, and it may not be accepted without asking.

    Attributes:
        host: the name of the host, or of the jump host, in known_hosts.
        key_type, blob, fingerprint: what it presented. `KnownHosts.add(host, key_type, blob)` accepts it.
    """

    def __init__(
        self, node: str, sentence: str, hint: str, *, key_type: str, fingerprint: str, host: str = "", blob: bytes = b""
    ) -> None:
        super().__init__(node, sentence, hint)
        self.host = host
        self.key_type = key_type
        self.blob = blob
        self.fingerprint = fingerprint


class HostKeyChanged(CannotConnect):
    """The host's key is not the one that is known. Never accepted, in any mode.

    Attributes:
        old, new: the fingerprints.
    """

    def __init__(self, node: str, sentence: str, hint: str, *, old: str, new: str) -> None:
        super().__init__(node, sentence, hint)
        self.old = old
        self.new = new


class ConnectionLost(HostError):
    """The connection ended while it was in use; what the host did last is unknown."""


class ChannelRefused(HostError):
    """The server opens no further channel on an open connection: the command was not sent."""

    nothing_ran = True


class CommandRefused(HostError):
    """The server opened a channel and refused to run the command in it."""

    nothing_ran = True


class CommandTimedOut(HostError):
    """The host did not reply for longer than it may, or went on writing for longer."""


class CommandNotRun(HostError):
    """The login ran something else, or nothing, instead of our command, or keeps its output to itself."""


class SecretEchoed(HostError):
    """What the host answered contains a password or passphrase, so it was not used."""


class TookTooLong(HostError):
    """A program ran longer than it may, and was ended on the host. The connection is as good as before."""


class OutputCut(HostError):
    """A program answered with more than is read of it, so that its answer is not known whole. Nothing is wrong else."""


class FileTooLarge(HostError):
    """A file that would have to be read whole is larger than what is read. The connection is as good as before."""


class NoRoot(HostError):
    """The login is not root and sudo does not help."""

    nothing_ran = True


class WrongSudoPassword(NoRoot):
    """sudo refused the password; it was tried once."""


class NoIproute(HostError):
    """The host has no `ip` of iproute2."""
