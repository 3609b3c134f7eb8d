"""`ip route show` and `ip route flush`: which routes a selector means."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.demo.net.fib import FibRoute
from kthw_routes.demo.net.netlink import LOCAL, MAIN, PROTOCOL_NAMES, TABLE_NAMES, KernelError
from kthw_routes.demo.programs.iproute.arguments import (
    Arguments,
    IpError,
    matches,
    named_number,
    network_of,
    prefix,
    refused,
    wrong,
)
from kthw_routes.demo.programs.iproute.context import Context
from kthw_routes.demo.programs.iproute.route_printing import route_entry
from kthw_routes.demo.programs.iproute.usage import ROUTE_USAGE


@dataclass(slots=True)
class _Selector:
    table: int = MAIN  # 0 for all
    root: tuple[IPv4Address, int] | None = None
    match: tuple[IPv4Address, int] | None = None
    device: str | None = None
    via: tuple[IPv4Address, int] | None = None
    protocol: int | None = None
    hidden: set[str] = field(default_factory=set)

    def fits(self, route: FibRoute) -> bool:
        """Whether the selector means this route."""
        length = route.prefix.prefixlen
        base = route.prefix.network_address
        single = route.hops[0] if len(route.hops) == 1 else None
        if self.root and (length < self.root[1] or not _same(base, self.root[0], self.root[1])):
            return False
        if self.match and (length > self.match[1] or not _same(base, self.match[0], length)):
            return False
        if self.via and not (single and single.gateway and _same(single.gateway, *self.via)):
            return False
        return (self.device is None or (single is not None and single.device == self.device)) and (
            self.protocol is None or route.protocol == self.protocol
        )


def _same(one: IPv4Address, other: IPv4Address, length: int) -> bool:
    """Whether two addresses agree in their first `length` bits."""
    return length == 0 or int(one) >> (32 - length) == int(other) >> (32 - length)


def list_routes(context: Context, arguments: Arguments) -> None:
    """Print the routes that a selector means. Raises IpError."""
    selector = _parse(context, arguments)
    rows = [] if context.style.family == 6 else _selected(context, selector)
    context.print([route_entry(route, hidden=selector.hidden) for route in rows])


def flush_routes(context: Context, arguments: Arguments) -> None:
    """Delete the routes that a selector means. Raises IpError."""
    if not arguments.more:
        raise IpError('"ip route flush" requires arguments.\n', 1, ends_batch=False)
    selector = _parse(context, arguments)
    context.need_root()
    for route in _selected(context, selector):
        try:
            context.kernel.delete_route(route.prefix, route.tos, route.table, route.__eq__)
        except KernelError as error:
            raise refused(error) from None


def _selected(context: Context, selector: _Selector) -> list[FibRoute]:
    kernel = context.kernel
    if selector.table:
        try:
            rows = kernel.routes(selector.table)
        except KernelError as error:
            context.process.out("[" if context.style.json else "")
            raise IpError(f"{error.answer}\nDump terminated\n", 2, ends_batch=False) from None
    else:
        others = sorted(set(kernel.tables) - {LOCAL, MAIN})
        rows = tuple(row for table in (*others, MAIN, LOCAL) for row in kernel.routes(table))
    return [row for row in rows if selector.fits(row)]


def _parse(context: Context, arguments: Arguments) -> _Selector:
    selector = _Selector()
    while arguments.more:
        word = arguments.take()
        if matches(word, "table"):
            _table(arguments.take(), selector)
        elif word == "dev" or word in ("oif", "iif"):
            selector.device = arguments.take()
            selector.hidden.add("dev")
        elif matches(word, "protocol"):
            text = arguments.take()
            selector.protocol = None if text == "all" else named_number(text, PROTOCOL_NAMES)
            if selector.protocol is None and text != "all":
                raise wrong(text, 'invalid "protocol"\n')
            selector.hidden.add("proto")
        elif word == "via":
            selector.via = _prefix(context, arguments.take())
            selector.hidden.update({"via"} if selector.via and selector.via[1] == 32 else ())
        else:
            _destination(context, word, arguments, selector)
    if selector.device is not None:
        context.known_device(selector.device)
    if selector.table:
        selector.hidden.add("table")
    return selector


def _table(text: str, selector: _Selector) -> None:
    if text in ("all", "0"):
        selector.table = 0
    else:
        table = named_number(text, TABLE_NAMES, 0xFFFFFFFF)
        if table is None:
            raise wrong(text, "table id value is invalid\n")
        selector.table = table


def _destination(context: Context, word: str, arguments: Arguments, selector: _Selector) -> None:
    if word == "to":
        word = arguments.take()
    if matches(word, "root"):
        selector.root = _prefix(context, arguments.take())
    elif matches(word, "match"):
        selector.match = _prefix(context, arguments.take())
    else:
        if matches(word, "exact"):
            word = arguments.take()
        elif matches(word, "help"):
            raise IpError(ROUTE_USAGE, 255)
        selector.match = selector.root = _prefix(context, word)


def _prefix(context: Context, word: str) -> tuple[IPv4Address, int] | None:
    if word in ("any", "all") and context.style.family is None:
        return None  # no restriction; `default`, or either word after `ip -4`, means the default route alone
    ip, length, _ = prefix(word, context.prefix_kind)
    network: IPv4Network | None = network_of(ip, length)
    return (network.network_address if network else ip), length
