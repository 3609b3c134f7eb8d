"""`find`: paths below directories, by name and kind."""

import fnmatch
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass

from kthw_routes.demo.linux.files import FileError, Node
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import quoted

Test = Callable[[str, Node], bool]


class _Refused(Exception):
    """The command line makes no sense."""


@dataclass(slots=True)
class _Search:
    """What is looked for."""

    deepest: float = float("inf")
    shallowest: int = 0
    alternatives: tuple[tuple[Test, ...], ...] = ((),)
    """Joined by -o; the tests of each by -a."""
    end: str = "\n"


@program("find")
def find(process: Process) -> int:
    """`find [PATHS] [-maxdepth N] [-mindepth N] [-name GLOB] [-type fdl] [! TEST] [TEST -o TEST] [-print|-print0]`."""
    words = process.arguments
    first = next((i for i, word in enumerate(words) if word.startswith("-") or word in ("!", "(")), len(words))
    try:
        search = _parse(process, words[first:])
    except _Refused as refused:
        return process.fail(str(refused))
    status = 0
    for path in words[:first] or ["."]:
        try:
            node = process.host.files.node(path, process, follow=False)
        except FileError as error:
            status = process.fail(f"{quoted(process, path)}: {error.reason}")
            continue
        status |= _visit(process, search, path, node, 0)
    return status


def _parse(process: Process, words: list[str]) -> _Search:
    search = _Search()
    wanted = True
    tests: list[Test] = []
    alternatives: list[tuple[Test, ...]] = []
    words = list(words)
    while words:
        word = words.pop(0)
        if word in ("-maxdepth", "-mindepth", "-name", "-iname", "-path", "-type") and not words:
            raise _Refused(f"missing argument to `{word}'")
        match word:
            case "-maxdepth":
                search.deepest = _depth(process, word, words.pop(0))
            case "-mindepth":
                search.shallowest = _depth(process, word, words.pop(0))
            case "-name" | "-iname" | "-path":
                tests.append(_pattern(word, words.pop(0), wanted))
            case "-type":
                tests.append(_kind(words.pop(0), wanted))
            case "-print0":
                search.end = "\0"
            case "-o" | "-or":
                alternatives.append(tuple(tests))
                tests = []
            case "-print" | "-a" | "-and" | "-xdev":
                pass
            case "!" | "-not":
                wanted = not wanted
                continue
            case _ if word.startswith("-"):
                raise _Refused(f"unknown predicate `{word}'")
            case _:
                raise _Refused(f"paths must precede expression: `{word}'")
        wanted = True
    search.alternatives = (*alternatives, tuple(tests))
    return search


def _depth(process: Process, option: str, text: str) -> int:
    if not re.fullmatch("[0-9]+", text):
        raise _Refused(f"Expected a positive decimal integer argument to {option}, but got {quoted(process, text)}")
    return int(text)


def _pattern(option: str, pattern: str, wanted: bool) -> Test:
    compiled = re.compile(fnmatch.translate(pattern), re.IGNORECASE if option == "-iname" else 0)
    if option == "-path":
        return lambda path, _node: bool(compiled.match(path)) is wanted
    return lambda path, _node: bool(compiled.match(posixpath.basename(path.rstrip("/")) or "/")) is wanted


def _kind(letters: str, wanted: bool) -> Test:
    names = {"f": "file", "d": "directory", "l": "link", "c": "device"}
    unknown = next((letter for letter in letters.split(",") if letter not in names), None)
    if unknown is not None:
        raise _Refused(f"Unknown argument to -type: {unknown}")
    kinds = {names[letter] for letter in letters.split(",")}
    return lambda _path, node: (node.type in kinds) is wanted


def _visit(process: Process, search: _Search, path: str, node: Node, depth: int) -> int:
    process.check()
    if depth >= search.shallowest and any(all(test(path, node) for test in tests) for tests in search.alternatives):
        process.out(f"{path}{search.end}")
    if node.type != "directory" or depth >= search.deepest:
        return 0
    try:
        names = process.host.files.names(path, process)
    except FileError as error:
        return process.fail(f"{quoted(process, path)}: {error.reason}")
    status = 0
    for name in names:
        below = posixpath.join(path, name)
        try:
            child = process.host.files.node(below, process, follow=False)
        except FileError as error:
            status = process.fail(f"{quoted(process, below)}: {error.reason}")
            continue
        status |= _visit(process, search, below, child, depth + 1)
    return status
