"""The kernel's numbers and their names: route types, scopes, protocols, tables; and how it refuses.

Names as in iproute2's `/etc/iproute2/rt_*` and `ip-route(8)`.
"""

import errno
import os
from enum import IntEnum
from typing import Final


class KernelError(Exception):
    """The kernel refused a request.

    Attributes:
        errno: the error number.
        text: the kernel's own sentence (extended acknowledgement), empty where it gives none.
    """

    def __init__(self, number: int, text: str = "") -> None:
        super().__init__(text or os.strerror(number))
        self.errno = number
        self.text = text

    @property
    def answer(self) -> str:
        """What iproute2 prints for it."""
        if self.text:
            return f"Error: {self.text}."
        return f"RTNETLINK answers: {STRERROR.get(self.errno, os.strerror(self.errno))}"


STRERROR: Final = {
    errno.EPERM: "Operation not permitted",
    errno.ENOENT: "No such file or directory",
    errno.ESRCH: "No such process",
    errno.EACCES: "Permission denied",
    errno.EEXIST: "File exists",
    errno.ENODEV: "No such device",
    errno.EINVAL: "Invalid argument",
    errno.ENETUNREACH: "Network is unreachable",
    errno.EHOSTUNREACH: "No route to host",
    errno.ENETDOWN: "Network is down",
    errno.EMSGSIZE: "Message too long",
    errno.EADDRNOTAVAIL: "Cannot assign requested address",
}
"""Linux's words, the same on every system that the lab runs on."""


class RouteType(IntEnum):
    """What a route does with a packet (`rtm_type`)."""

    UNICAST = 1
    LOCAL = 2
    BROADCAST = 3
    ANYCAST = 4
    MULTICAST = 5
    BLACKHOLE = 6
    UNREACHABLE = 7
    PROHIBIT = 8
    THROW = 9
    NAT = 10

    @property
    def label(self) -> str:
        """As `ip route` writes it."""
        return self.name.lower()


ROUTE_ERRORS: Final = {
    RouteType.BLACKHOLE: errno.EINVAL,
    RouteType.UNREACHABLE: errno.EHOSTUNREACH,
    RouteType.PROHIBIT: errno.EACCES,
    RouteType.THROW: errno.EAGAIN,
    RouteType.NAT: errno.EINVAL,
}
"""The error that a look-up ends with when it meets a route of this type."""


class Scope(IntEnum):
    """How far away a destination is (`rtm_scope`); a larger number is nearer."""

    GLOBAL = 0
    SITE = 200
    LINK = 253
    HOST = 254
    NOWHERE = 255


SCOPE_OF_TYPE: Final = {
    RouteType.LOCAL: Scope.HOST,
    RouteType.BROADCAST: Scope.LINK,
    RouteType.ANYCAST: Scope.LINK,
    RouteType.NAT: Scope.NOWHERE,
}
"""The widest scope that the kernel lets a route of this type have; GLOBAL for the others."""

SCOPE_NAMES: Final = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}

TABLE_NAMES: Final = {253: "default", 254: "main", 255: "local"}
MAIN: Final = 254
LOCAL: Final = 255

PROTOCOL_NAMES: Final = {
    0: "unspec",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    18: "keepalived",
    42: "babel",
    99: "openr",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}
KERNEL: Final = 2
BOOT: Final = 3


def name_of(number: int, names: dict[int, str]) -> str:
    """Return the name of a number, or the number itself where it has none."""
    return names.get(number, str(number))
