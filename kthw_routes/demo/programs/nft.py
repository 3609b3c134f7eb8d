"""`nft`: lists the ruleset or a table, makes tables from a file, and deletes them; no rule by itself."""

import re
from typing import Final

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.net.firewall import Firewall
from kthw_routes.demo.programs import program

_NAMED: Final = re.compile(r"(add |delete |list )?table (ip|inet) ([A-Za-z0-9_./-]{1,64})( \{)?")
_PRIORITY: Final = re.compile(r"priority (-?[0-9]{1,5});")
_NEAR: Final = 10
"""Of a priority this near to a named one, nft prints the name."""


class _Refused(Exception):
    """nft gives up."""


@program("nft")
def nft(process: Process) -> int:
    """List or change tables of nftables; see nft(8)."""
    if not process.user.is_root:
        process.err("Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed\n")
        return 1
    words = process.arguments
    firewall = process.net.firewall
    try:
        with process.net.lock:
            if words == ["list", "ruleset"]:
                process.out("".join(f"{line}\n" for line in firewall.ruleset(process.net.masquerade)))
            elif words[:1] == ["-f"] and len(words) == 2:
                _run_file(firewall, _text(process, words[1]))
            else:
                process.out(_run(firewall, " ".join(words)))
    except _Refused as refused:
        process.err(f"Error: {refused}\n")
        return 1
    return 0


def _text(process: Process, name: str) -> str:
    try:
        data = process.read() if name == "-" else process.host.files.read(name, process)
    except FileError as error:
        raise _Refused(f'Could not open file "{name}": {error.reason}') from None
    return data.decode("utf-8", "replace")


def _run_file(firewall: Firewall, text: str) -> None:
    """Run the statements of a file, all of them or none."""
    before = dict(firewall.native)
    lines = [line.strip() for line in text.splitlines()]
    rest = [line for line in lines if line and not line.startswith("#")]
    try:
        while rest:
            line = rest.pop(0)
            match = _NAMED.fullmatch(line)
            if match is None or match[4] is None:
                _run(firewall, line)
                continue
            body: list[str] = []
            depth = 1
            while rest:
                depth += rest[0].endswith("{") - rest[0].startswith("}")
                line = rest.pop(0)
                if depth == 0:
                    break
                body.append(_PRIORITY.sub(_named_priority, line))
            if depth:
                raise _Refused("syntax error, unexpected end of file")
            firewall.native[match[2], match[3]] = (*firewall.native.get((match[2], match[3]), ()), *body)
    except _Refused:
        firewall.native = before
        raise


def _run(firewall: Firewall, line: str) -> str:
    """Run one statement on a whole table, and return what it prints."""
    match = _NAMED.fullmatch(line)
    if match is None or match[4]:
        raise _Refused(f"syntax error: in this lab nft knows whole tables only: {line}")
    verb, table = (match[1] or "add ").strip(), (match[2], match[3])
    if verb == "add":
        firewall.native.setdefault(table, ())
        return ""
    if table not in firewall.native:
        words = "Could not process rule: No such file or directory" if verb == "delete" else "No such file or directory"
        raise _Refused(f"{words}\n{line}\n{' ' * line.index(table[1])}{'^' * len(table[1])}")
    if verb == "delete":
        del firewall.native[table]
        return ""
    return "".join(f"{line}\n" for line in firewall.native_table(*table))


def _named_priority(match: re.Match[str]) -> str:
    number = int(match[1])
    if abs(number) > _NEAR:
        return match[0]
    if not number:
        return "priority filter;"
    return f"priority filter {'-' if number < 0 else '+'} {abs(number)};"
