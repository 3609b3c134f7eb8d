"""`ip address`: show, add, replace, delete."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

from kthw_routes.demo.net.links import LinkAddress
from kthw_routes.demo.net.netlink import SCOPE_NAMES, KernelError, Scope
from kthw_routes.demo.programs.iproute.arguments import (
    Arguments,
    IpError,
    address,
    duplicate,
    matches,
    named_number,
    number,
    prefix,
    refused,
    wrong,
)
from kthw_routes.demo.programs.iproute.context import Context
from kthw_routes.demo.programs.iproute.link_printing import LinkSelector, address_entries
from kthw_routes.demo.programs.iproute.usage import ADDRESS_USAGE

FOREVER: Final = 0xFFFFFFFF

WILDCARD_WARNING: Final = """\
Warning: Executing wildcard deletion to stay compatible with old scripts.
         Explicitly specify the prefix length ({address}/32) to avoid this warning.
         This special behaviour is likely to disappear in further releases,
         fix your scripts!
"""


def address_command(context: Context, words: list[str]) -> None:
    """Run one `ip address` command. Raises IpError."""
    verb = words[0] if words else "list"
    arguments = Arguments(words[1:])
    if matches(verb, "add"):
        _modify(context, arguments, replace=False)
    elif matches(verb, "change", "chg", "replace"):
        _modify(context, arguments, replace=True)
    elif matches(verb, "delete"):
        _delete(context, arguments)
    elif matches(verb, "show", "lst", "list"):
        _show(context, arguments)
    elif matches(verb, "help"):
        raise IpError(ADDRESS_USAGE, 255)
    else:
        raise IpError(f'Command "{verb}" is unknown, try "ip address help".\n', 255)


@dataclass(slots=True)
class _Wanted:
    local: tuple[IPv4Address, int, bool] | None = None
    device: str | None = None
    broadcast: str | None = None
    scope: int | None = None
    valid: int = FOREVER
    preferred: int = FOREVER


def _parse(arguments: Arguments) -> _Wanted:
    wanted = _Wanted()
    while arguments.more:
        word = arguments.take()
        if matches(word, "broadcast", "brd"):
            wanted.broadcast = arguments.take()
        elif word == "scope":
            text = arguments.take()
            wanted.scope = named_number(text, SCOPE_NAMES)
            if wanted.scope is None:
                raise wrong(text, "invalid scope value.")
        elif word == "dev":
            wanted.device = arguments.take()
        elif matches(word, "valid_lft"):
            wanted.valid = _lifetime(arguments.take(), "valid_lft")
        elif matches(word, "preferred_lft"):
            wanted.preferred = _lifetime(arguments.take(), "preferred_lft")
        else:
            word = arguments.take() if word == "local" else word
            if matches(word, "help"):
                raise IpError(ADDRESS_USAGE, 255)
            if wanted.local:
                raise duplicate("local", word)
            wanted.local = prefix(word)
    if wanted.device is None:
        raise IpError('Not enough information: "dev" argument is required.\n', 1, ends_batch=False)
    return wanted


def _lifetime(text: str, name: str) -> int:
    if text == "forever":
        return FOREVER
    value = number(text)
    if value is None:
        raise wrong(text, f"{name} value")
    return value


def _check_lifetimes(wanted: _Wanted) -> None:
    if wanted.valid == 0:
        raise IpError("valid_lft is zero\n", 1, ends_batch=False)
    if wanted.valid < wanted.preferred:
        raise IpError("preferred_lft is greater than valid_lft\n", 1, ends_batch=False)


def _modify(context: Context, arguments: Arguments, *, replace: bool) -> None:
    wanted = _parse(arguments)
    device = context.known_device(wanted.device or "")
    _check_lifetimes(wanted)
    context.need_root()
    if wanted.local is None:
        raise IpError("RTNETLINK answers: Operation not supported\n", 2, ends_batch=False)
    ip, length, _ = wanted.local
    interface = IPv4Interface((int(ip), length))
    scope = wanted.scope
    if scope is None:
        scope = Scope.HOST if ip.is_loopback else Scope.GLOBAL
    now = context.kernel.clock.now()
    new = LinkAddress(
        interface,
        broadcast=_broadcast(wanted.broadcast, interface),
        scope=scope,
        valid_until=None if wanted.valid == FOREVER else now + wanted.valid,
        preferred_until=None if wanted.preferred == FOREVER else now + wanted.preferred,
    )
    try:
        context.kernel.add_address(device, new, replace_=replace)
    except KernelError as error:
        raise refused(error) from None


def _broadcast(text: str | None, interface: IPv4Interface) -> IPv4Address | None:
    if text is None:
        return None
    if text in ("+", "-"):
        if interface.network.prefixlen > 30:
            return None
        return interface.network.broadcast_address if text == "+" else interface.network.network_address
    return address(text)


def _delete(context: Context, arguments: Arguments) -> None:
    wanted = _parse(arguments)
    if wanted.local and not wanted.local[2]:
        context.process.err(WILDCARD_WARNING.format(address=wanted.local[0]))
    device = context.known_device(wanted.device or "")
    if wanted.local is None:
        context.need_root()
        raise IpError("RTNETLINK answers: Operation not supported\n", 2, ends_batch=False)
    ip, length, given = wanted.local
    _check_lifetimes(wanted)
    context.need_root()
    try:
        context.kernel.delete_address(device, IPv4Interface((int(ip), length)), any_length=not given)
    except KernelError as error:
        raise refused(error) from None


def _show(context: Context, arguments: Arguments) -> None:
    selector = LinkSelector()
    while arguments.more:
        word = arguments.take()
        if word == "to":
            ip, length, _ = prefix(arguments.take())
            selector.to = ip, length
        elif word == "scope":
            text = arguments.take()
            selector.scope = None if text == "all" else named_number(text, SCOPE_NAMES)
            if selector.scope is None and text != "all":
                raise wrong(text, 'invalid "scope"\n')
        elif not selector.take(word, arguments):
            if matches(word, "help"):
                raise IpError(ADDRESS_USAGE, 255)
            selector.device = arguments.take() if word == "dev" else word
    selector.require_device(context)
    context.print(address_entries(context, selector))
