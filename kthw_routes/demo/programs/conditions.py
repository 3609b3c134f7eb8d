"""`test`, also called `[`: conditions on files, strings and numbers."""

import re

from kthw_routes.demo.linux.files import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program


@program("test", "[")
def test(process: Process) -> int:
    """Conditions on files, strings and numbers."""
    words = process.arguments
    if process.name == "[":
        if not words or words[-1] != "]":
            return process.fail("missing ]", 2)
        words = words[:-1]
    return int(not _condition(process, words))


def _condition(process: Process, words: list[str]) -> bool:
    if "-o" in words:
        at = words.index("-o")
        return _condition(process, words[:at]) or _condition(process, words[at + 1 :])
    if "-a" in words:
        at = words.index("-a")
        return _condition(process, words[:at]) and _condition(process, words[at + 1 :])
    match words:
        case []:
            return False
        case [word]:
            return bool(word)
        case ["!", *rest]:
            return not _condition(process, rest)
        case ["-n", text]:
            return bool(text)
        case ["-z", text]:
            return not text
        case [flag, name] if re.fullmatch("-[a-zA-Z]", flag):
            return _file_condition(process, flag[1], name)
        case [one, "=" | "==", other]:
            return one == other
        case [one, "!=", other]:
            return one != other
        case [one, "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" as operator, other]:
            return _number_condition(one, operator, other)
        case _:
            return False


def _file_condition(process: Process, flag: str, name: str) -> bool:
    files = process.host.files
    if flag in "rwx":
        return files.may(name, process, {"r": 4, "w": 2, "x": 1}[flag])
    try:
        node = files.node(name, process, follow=flag not in "hL")
    except FileError:
        return False
    return {
        "f": node.type == "file",
        "d": node.type == "directory",
        "h": node.type == "link",
        "L": node.type == "link",
        "s": bool(node.data),
        "e": True,
    }.get(flag, False)


def _number_condition(one: str, operator: str, other: str) -> bool:
    try:
        left, right = int(one), int(other)
    except ValueError:
        return False
    return {
        "-eq": left == right,
        "-ne": left != right,
        "-lt": left < right,
        "-le": left <= right,
        "-gt": left > right,
        "-ge": left >= right,
    }[operator]
