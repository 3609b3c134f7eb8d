"""`ip route get`: the kernel's decision for one destination."""

from ipaddress import IPv4Address

from kthw_routes.demo.net.forwarding import input_route, output_route
from kthw_routes.demo.net.netlink import KernelError
from kthw_routes.demo.programs.iproute.arguments import Arguments, IpError, matches, prefix, refused
from kthw_routes.demo.programs.iproute.context import Context
from kthw_routes.demo.programs.iproute.route_printing import decision_entry
from kthw_routes.demo.programs.iproute.usage import ROUTE_USAGE


def get_route(context: Context, arguments: Arguments) -> None:
    """Ask the kernel and print its answer. Raises IpError."""
    destination: IPv4Address | None = None
    source: IPv4Address | None = None
    arriving: str | None = None
    leaving: str | None = None
    while arguments.more:
        word = arguments.take()
        if word == "from":
            text = arguments.take()
            text = arguments.take() if matches(text, "help") else text
            source, length, _ = prefix(text, context.prefix_kind)
            source = _host_only(context, source, length)
        elif matches(word, "iif"):
            arriving = arguments.take()
        elif matches(word, "oif") or word == "dev":
            leaving = arguments.take()
        else:
            if word == "to":
                word = arguments.take()
            if matches(word, "help"):
                raise IpError(ROUTE_USAGE, 255)
            ip, length, _ = prefix(word, context.prefix_kind)
            destination = _host_only(context, ip, length)
    if destination is None:
        raise context.complain("need at least a destination address")
    for device in (arriving, leaving):
        if device:
            context.known_device(device)
    try:
        if arriving:
            decision = input_route(context.kernel, destination, source or IPv4Address(0), arriving)
        else:
            decision = output_route(context.kernel, destination, source=source, device=leaving)
    except KernelError as error:
        raise refused(error) from None
    entry = decision_entry(
        decision,
        str(destination),
        source=str(source) if source else None,
        arriving=arriving,
        uid=context.process.user.uid,
    )
    context.print([entry])


def _host_only(context: Context, ip: IPv4Address, length: int) -> IPv4Address:
    if length not in (0, 32):
        context.process.err(f"Warning: /{length} as prefix is invalid, only /32 (or none) is supported.\n")
    return ip
