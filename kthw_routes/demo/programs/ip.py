"""`ip`: options, objects, batch files, network namespaces."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.net.netlink import KernelError
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.iproute.address import address_command
from kthw_routes.demo.programs.iproute.arguments import Arguments, IpError, matches, network_of, number, prefix, refused
from kthw_routes.demo.programs.iproute.context import Context, Entry, Json, Style
from kthw_routes.demo.programs.iproute.link_printing import LinkSelector, link_entries
from kthw_routes.demo.programs.iproute.route import route
from kthw_routes.demo.programs.iproute.tunnels import add_link, bridge_object, change_neighbour, delete_link
from kthw_routes.demo.programs.iproute.usage import IP_USAGE, LINK_USAGE, NETNS_USAGE

VERSION: Final = "6.1.0, libbpf 1.1.0"
Run = Callable[[Context, list[str]], int]
"""Runs one command, of `ip` or of `bridge`, and returns its status."""
OBJECTS: Final = ("address", "route", "rule", "neighbor", "neighbour", "link", "netns", "help")
"""In iproute2's order, as the first that an abbreviation fits is taken."""


@program("ip")
def ip(process: Process) -> int:
    """Run `ip`; see ip(8)."""
    try:
        return _options(process, run=_object)
    except IpError as error:
        process.err(error.text)
        return error.status


def _options(process: Process, run: Run) -> int:
    arguments = Arguments(process.arguments)
    style, force, batch = Style(), False, None
    kernel = process.net
    while arguments.more and (arguments.peek() or "").startswith("-"):
        option = arguments.take()
        option = option[1:] if option.startswith("--") else option
        if matches(option, "-family"):
            style = replace(style, family={"inet": 4, "inet6": 6}.get(arguments.take()))
        elif option in ("-4", "-6"):
            style = replace(style, family=int(option[1]))
        elif matches(option, "-oneline"):
            style = replace(style, oneline=True)
        elif option in ("-V", "-Version"):
            process.out(f"ip utility, iproute2-{VERSION}\n")
            return 0
        elif matches(option, "-force"):
            force = True
        elif matches(option, "-batch"):
            batch = arguments.take()
        elif matches(option, "-brief"):
            style = replace(style, brief=True)
        elif option in ("-d", "-details"):
            style = replace(style, details=True)
        elif matches(option, "-json"):
            style = replace(style, json=True)
        elif matches(option, "-netns"):
            name = arguments.take()
            _may_enter(process, name)
            kernel = process.host.namespaces[name]
        elif matches(option, "-help"):
            raise IpError(IP_USAGE, 255)
        elif not matches(option, "-color", "-Numeric"):
            raise IpError(f'Option "{option}" is unknown, try "ip -help".\n', 255)
    context = Context(process, kernel, style)
    if batch is not None:
        return _batch(context, batch, force=force, run=run)
    if not arguments.more:
        raise IpError(IP_USAGE, 255)
    return run(context, arguments.rest())


@program("bridge")
def bridge(process: Process) -> int:
    """Run `bridge`; see bridge(8)."""
    try:
        return _options(process, run=_bridge)
    except IpError as error:
        process.err(error.text)
        return error.status


def _bridge(context: Context, words: list[str]) -> int:
    bridge_object(context, words)
    return 0


def _object(context: Context, words: list[str]) -> int:
    kind = next((name for name in OBJECTS if matches(words[0], name)), None)
    rest = words[1:]
    match kind:
        case "address":
            address_command(context, rest)
        case "route":
            route(context, rest)
        case "link":
            _link(context, rest)
        case "netns":
            return _netns(context, rest)
        case "rule":
            _rule(context)
        case "neighbor" | "neighbour":
            _neighbours(context, rest)
        case "help":
            raise IpError(IP_USAGE, 255)
        case _:
            raise IpError(f'Object "{words[0]}" is unknown, try "ip help".\n', 1, ends_batch=False)
    return 0


def _batch(context: Context, name: str, *, force: bool, run: Run) -> int:
    process = context.process
    if name == "-":
        text = process.read()
    else:
        try:
            text = process.host.files.read(name, process)
        except FileError as error:
            raise IpError(f'Cannot open file "{name}" for reading: {error.reason}\n', 1) from None
    status = 0
    for line_number, line in enumerate(text.decode("utf-8", "replace").splitlines(), start=1):
        process.check()
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            words = line.split()
        if not words:
            continue
        try:
            failed = run(context, words) != 0
        except IpError as error:
            process.err(error.text)
            if error.ends_batch:
                return error.status
            failed = True
        if failed:
            process.err(f"Command failed {name}:{line_number}\n")
            status = 1
            if not force:
                break
    return status


def _link(context: Context, words: list[str]) -> None:
    verb = words[0] if words else "show"
    arguments = Arguments(words[1:])
    if matches(verb, "add"):
        add_link(context, arguments)
    elif matches(verb, "delete"):
        delete_link(context, arguments)
    elif matches(verb, "set"):
        _link_set(context, arguments)
    elif matches(verb, "show", "lst", "list"):
        selector = LinkSelector()
        while arguments.more:
            word = arguments.take()
            if not selector.take(word, arguments):
                selector.device = arguments.take() if word == "dev" else word
        selector.require_device(context)
        context.print(link_entries(context, selector))
    elif matches(verb, "help"):
        raise IpError(LINK_USAGE, 255)
    else:
        raise IpError(f'Command "{verb}" is unknown, try "ip link help".\n', 255)


def _link_set(context: Context, arguments: Arguments) -> None:
    device, up, mtu, mac = None, None, None, None
    while arguments.more:
        word = arguments.take()
        if word in ("up", "down"):
            up = word == "up"
        elif word == "mtu":
            mtu = number(arguments.take())
        elif word == "address":
            mac = arguments.take()
        elif word == "dev" or device is None:
            device = arguments.take() if word == "dev" else word
        else:
            raise IpError(f'Error: either "dev" is duplicate, or "{word}" is a garbage.\n', 255)
    if device is None:
        raise IpError('Not enough of information: "dev" argument is required.\n', 255)
    context.known_device(device)
    context.need_root()
    try:
        if mtu is not None:
            context.kernel.link(device).mtu = mtu
        if mac is not None:
            context.kernel.set_mac(device, mac)
        if up is not None:
            context.kernel.set_up(device, up)
            if up and context.kernel is context.process.host.kernel:
                context.process.host.networkd.gained_carrier(device)
    except KernelError as error:
        raise refused(error) from None


def _rule(context: Context) -> None:
    rules = ((0, "local"), (32766, "main"), (32767, "default"))
    context.print(
        [
            Entry(f"{priority}:\tfrom all lookup {table}\n", {"priority": priority, "src": "all", "table": table})
            for priority, table in rules
        ]
    )


def _neighbours(context: Context, words: list[str]) -> None:
    changes = next((verb for verb in ("add", "replace", "delete") if words and matches(words[0], verb)), None)
    arguments = Arguments(words[1:])
    if changes is not None:
        change_neighbour(context, changes, arguments)
        return
    if words and not matches(words[0], "show", "list", "lst"):
        raise IpError(f'Command "{words[0]}" is unknown, try "ip neigh help".\n', 255)
    wanted, on, only = None, None, None
    while arguments.more:
        word = arguments.take()
        if word == "dev":
            on = context.known_device(arguments.take())
        elif word == "nud":
            only = arguments.take().upper()
        else:
            ip_address, length, _ = prefix(arguments.take() if word == "to" else word)
            wanted = network_of(ip_address, length)
    entries = []
    for (device, neighbour), mac in sorted(context.kernel.neighbours.items(), key=lambda item: item[0][1]):
        if (on and device != on) or (wanted and neighbour not in wanted):
            continue
        state = "PERMANENT" if (device, neighbour) in context.kernel.permanent else "REACHABLE" if mac else "FAILED"
        if only not in (None, "ALL", state):
            continue
        words_shown = [str(neighbour), *([] if on else ["dev", device]), *(["lladdr", mac] if mac else []), state]
        record: dict[str, Json] = {"dst": str(neighbour), **({} if on else {"dev": device})}
        record |= {"lladdr": mac, "state": [state]} if mac else {"state": [state]}
        entries.append(Entry(" ".join(words_shown) + " \n", record))
    context.print(entries)


def _may_enter(process: Process, name: str) -> None:
    if name not in process.host.namespaces:
        raise IpError(f'Cannot open network namespace "{name}": No such file or directory\n', 255)
    if not process.user.is_root:
        raise IpError(f'setting the network namespace "{name}" failed: Operation not permitted\n', 255)


def _netns(context: Context, words: list[str]) -> int:
    process = context.process
    verb = words[0] if words else "list"
    if matches(verb, "list", "show", "lst"):
        names = list(reversed(process.host.namespaces))
        context.print([Entry(f"{name}\n", {"name": name}) for name in names])
        return 0
    if matches(verb, "exec"):
        if len(words) < 2:
            raise IpError("No netns name specified\n", 255)
        if len(words) < 3:
            raise IpError("No command specified\n", 255)
        _may_enter(process, words[1])
        if not process.host.has_program(words[2]):
            raise IpError(f'exec of "{words[2]}" failed: No such file or directory\n', 1)
        return process.run(words[2:], net=process.host.namespaces[words[1]])
    if matches(verb, "help"):
        raise IpError(NETNS_USAGE, 255)
    raise IpError(f'Command "{verb}" is unknown, try "ip netns help".\n', 255)
