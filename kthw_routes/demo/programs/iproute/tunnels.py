"""`ip link add … type vxlan`, `ip neigh replace`, `bridge fdb`: what makes an end of VXLAN tunnels."""

import errno
from ipaddress import IPv4Address

from kthw_routes.demo.net.links import Link, Vxlan
from kthw_routes.demo.net.netlink import KernelError
from kthw_routes.demo.programs.iproute.arguments import Arguments, IpError, address, duplicate, number, refused, wrong
from kthw_routes.demo.programs.iproute.context import Context, Entry

_DEFAULT_PORT = 8472


def add_link(context: Context, arguments: Arguments) -> None:
    """Make a VXLAN device, the only kind of interface that can be made here. Raises IpError."""
    name, mac, mtu, values = "", "", 1500 - 50, dict[str, str]()
    learns = True
    while arguments.more:
        word = arguments.take()
        if word == "address":
            mac = arguments.take()
        elif word == "mtu":
            mtu = number(arguments.take()) or mtu
        elif word in ("type", "id", "dstport", "local"):
            values[word] = arguments.take()
        elif word in ("learning", "nolearning"):
            learns = word == "learning"
        elif word == "dev" or not name:
            name = arguments.take() if word == "dev" else word
        else:
            raise duplicate("name", word)
    if values.get("type") != "vxlan" or "id" not in values:
        raise IpError("in this lab ip makes VXLAN devices only: ip link add NAME type vxlan id NUMBER\n", 255)
    context.need_root()
    made = Vxlan(
        vni=number(values["id"]) or 0,
        port=number(values["dstport"]) or 0 if "dstport" in values else _DEFAULT_PORT,
        local=address(values["local"]) if "local" in values else None,
        learns=learns,
    )
    kernel = context.kernel
    with kernel.lock:
        if any(link.name == name for link in kernel.links):
            raise refused(KernelError(errno.EEXIST))
        if any(
            link.vxlan is not None and (link.vxlan.vni, link.vxlan.port) == (made.vni, made.port)
            for link in kernel.links
        ):
            raise refused(KernelError(errno.EEXIST, "A VXLAN device with the specified VNI already exists"))
        link = kernel.add_link(name, kind="vxlan", mac=mac or "02:00:00:00:00:01", mtu=mtu)
        link.up = False
        link.vxlan = made


def delete_link(context: Context, arguments: Arguments) -> None:
    """Remove a VXLAN device. Raises IpError."""
    word = arguments.take()
    name = context.known_device(arguments.take() if word == "dev" else word)
    context.need_root()
    with context.kernel.lock:
        if context.kernel.link(name).vxlan is None:
            raise IpError("RTNETLINK answers: Operation not supported\n", 2, ends_batch=False)
        context.kernel.delete_link(name)


def change_neighbour(context: Context, verb: str, arguments: Arguments) -> None:
    """Add, replace or delete a permanent neighbour. Raises IpError."""
    ip: IPv4Address | None = None
    mac, device, state = None, None, "permanent"
    while arguments.more:
        word = arguments.take()
        if word == "lladdr":
            mac = arguments.take()
        elif word == "dev":
            device = context.known_device(arguments.take())
        elif word == "nud":
            state = arguments.take()
        elif ip is None:
            ip = address(arguments.take() if word == "to" else word)
        else:
            raise duplicate("to", word)
    if state != "permanent":
        raise wrong(state, "nud state is bad: in this lab neighbours are permanent")
    if ip is None or device is None:
        raise IpError("Device and destination are required arguments.\n", 255)
    context.need_root()
    try:
        if verb == "delete":
            context.kernel.delete_neighbour(device, ip)
            return
        if verb == "add" and (device, ip) in context.kernel.neighbours:
            raise KernelError(errno.EEXIST)
        if mac is None:
            raise KernelError(errno.EINVAL)
        context.kernel.set_neighbour(device, ip, mac)
    except KernelError as error:
        raise refused(error) from None


def bridge_object(context: Context, words: list[str]) -> None:
    """Run one `bridge fdb` command. Raises IpError."""
    if words[:1] != ["fdb"]:
        raise IpError(f'Object "{words[0]}" is unknown, try "bridge help".\n', 255)
    verb = words[1] if len(words) > 1 else "show"
    arguments = Arguments(words[2:])
    if verb in ("show", "list", "lst"):
        _show(context, arguments)
    elif verb in ("add", "append", "replace", "del", "delete"):
        _change(context, verb, arguments)
    else:
        raise IpError(f'Command "{verb}" is unknown, try "bridge fdb help".\n', 255)


def _show(context: Context, arguments: Arguments) -> None:
    wanted = None
    while arguments.more:
        word = arguments.take()
        if word not in ("dev", "br", "brport"):
            raise wrong(word, "in this lab: bridge fdb show [dev NAME]")
        wanted = context.known_device(arguments.take())
    entries = []
    for link in context.kernel.links:
        if wanted in (None, link.name):
            place = "" if wanted else f"dev {link.name} "
            for mac, remote in link.remotes.items():
                text = f"{mac} {place}dst {remote} self permanent\n"
                entries.append(Entry(text, {"mac": mac, "dst": str(remote), "flags": ["self"], "state": "permanent"}))
    context.print(entries)


def _change(context: Context, verb: str, arguments: Arguments) -> None:
    mac, device, remote = "", "", None
    while arguments.more:
        word = arguments.take()
        if word == "dev":
            device = context.known_device(arguments.take())
        elif word == "dst":
            remote = address(arguments.take())
        elif word not in ("self", "permanent", "static") and not mac:
            mac = word
        elif word not in ("self", "permanent", "static"):
            raise duplicate("addr", word)
    if not mac or not device:
        raise IpError("Device and address are required arguments.\n", 255)
    context.need_root()
    link = _tunnel(context, device)
    if verb in ("del", "delete"):
        if link.remotes.get(mac) is None or remote not in (None, link.remotes[mac]):
            raise refused(KernelError(errno.ENOENT))
        del link.remotes[mac]
    elif verb == "add" and mac in link.remotes:
        raise refused(KernelError(errno.EEXIST))
    elif remote is None:
        raise refused(KernelError(errno.EINVAL))
    else:
        link.remotes[mac] = remote


def _tunnel(context: Context, device: str) -> Link:
    link = context.kernel.link(device)
    if link.vxlan is None:
        raise IpError("RTNETLINK answers: Operation not supported\n", 2, ends_batch=False)
    return link
