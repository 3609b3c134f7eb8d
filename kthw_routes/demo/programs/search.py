"""`find`: paths below directories, by name and kind; `grep`: lines that match, also of all files below a directory."""

import errno
import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from kthw_routes.demo.linux.nodes import FileError, Node
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import is_directory, quoted

_KINDS: Final = {"f": "file", "d": "directory", "l": "link"}


@dataclass(slots=True)
class _Search:
    """What is looked for."""

    deepest: float = float("inf")
    tests: list[Callable[[str, Node], bool]] = field(default_factory=list)


@program("find")
def find(process: Process) -> int:
    """Print paths: `find [PATHS] [-maxdepth N] [-name GLOB] [-path GLOB] [-type fdl]`."""
    words = process.arguments
    first = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    paths, words, search = words[:first] or ["."], words[first:], _Search()
    for option, value in zip(words[::2], [*words[1::2], None], strict=False):
        if value is None:
            return process.fail(f"missing argument to `{option}'")
        if option == "-maxdepth" and value.isdigit():
            search.deepest = int(value)
        elif option in ("-name", "-path"):
            search.tests.append(_pattern(option, value))
        elif option == "-type" and value in _KINDS:
            search.tests.append(lambda _path, node, kind=_KINDS[value]: node.type == kind)  # type: ignore[misc]
        else:
            return process.fail(f"unknown predicate `{option}'")
    status = 0
    for path in paths:
        status |= _visit(process, search, path, 0)
    return status


def _pattern(option: str, pattern: str) -> Callable[[str, Node], bool]:
    if option == "-path":
        return lambda path, _node: fnmatch.fnmatchcase(path, pattern)
    return lambda path, _node: fnmatch.fnmatchcase(posixpath.basename(path.rstrip("/")) or "/", pattern)


def _visit(process: Process, search: _Search, path: str, depth: int) -> int:
    process.check()
    try:
        node = process.host.files.node(path, process, follow=False)
        if all(test(path, node) for test in search.tests):
            process.out(f"{path}\n")
        if node.type != "directory" or depth >= search.deepest:
            return 0
        names = process.host.files.names(path, process)
    except FileError as error:
        return process.fail(f"{quoted(process, path)}: {error.reason}")
    status = 0
    for name in names:
        status |= _visit(process, search, posixpath.join(path, name), depth + 1)
    return status


@program("grep")
def grep(process: Process) -> int:
    """Print lines that match; -i -v -n -c -q -l -h -H -r -s -E -F, -e PATTERN."""
    letters, words, patterns = "", list[str](), list[str]()
    arguments = process.arguments
    while arguments:
        word, arguments = arguments[0], arguments[1:]
        if word == "--":
            words += arguments
            break
        if word == "-e" and arguments:
            patterns.append(arguments.pop(0))
        elif word.startswith("-") and len(word) > 1:
            letters += word[1:]
        else:
            words.append(word)
    if not patterns and not words:
        process.err("Usage: grep [OPTION]... PATTERNS [FILE]...\n")
        return 2
    if not patterns:
        patterns, words = words[:1], words[1:]
    translate = re.escape if "F" in letters else str if "E" in letters else _basic
    expression = "|".join(f"(?:{translate(pattern)})" for pattern in patterns)
    try:
        compiled = re.compile(expression.encode("utf-8", "surrogateescape"), re.IGNORECASE if "i" in letters else 0)
    except re.error:
        return process.fail("Invalid regular expression", 2)
    return _grep_files(process, compiled, letters, words)


def _basic(pattern: str) -> str:
    """Translate a basic regular expression: `+ ? | ( ) {` are plain unless escaped."""
    return re.sub(r"\\([+?|(){}])|([+?|(){}])", lambda match: match[1] if match[1] else "\\" + match[2], pattern)


def _grep_files(process: Process, pattern: re.Pattern[bytes], letters: str, names: list[str]) -> int:
    found, status = False, 0
    recursive = bool(set(letters) & set("rR"))
    below = recursive and (not names or is_directory(process, names[0]))
    labelled = (len(names) > 1 or below or "H" in letters) and "h" not in letters
    for name, data in _contents(process, names or ["." if recursive else "-"], letters):
        if data is None:
            status = 2
            continue
        label = f"{name}:".encode() if labelled else b""
        rows = [
            (number, line)
            for number, line in enumerate(data.splitlines(), start=1)
            if bool(pattern.search(line)) is not ("v" in letters)
        ]
        found |= bool(rows)
        if "q" in letters:
            continue
        if "l" in letters:
            process.out(f"{name}\n" if rows else "")
        elif "c" in letters:
            process.stdout(label + f"{len(rows)}\n".encode())
        else:
            for number, line in rows:
                place = label + (f"{number}:".encode() if "n" in letters else b"")
                process.stdout(place + line + b"\n")
    if "q" in letters and found:
        return 0
    return status or int(not found)


def _contents(process: Process, names: list[str], letters: str) -> Iterator[tuple[str, bytes | None]]:
    """Yield the files with their bytes; None, with a complaint unless `-s`, where one cannot be read."""
    files = process.host.files
    for name in names:
        try:
            if name == "-":
                yield name, process.read()
            elif files.node(name, process).type != "directory":
                yield name, files.read(name, process)
            elif set(letters) & set("rR"):
                inside = [posixpath.join(name, entry) for entry in files.names(name, process)]
                kinds = [(path, files.node(path, process, follow=False).type) for path in inside]
                followed = "R" in letters
                yield from _contents(process, [path for path, kind in kinds if kind != "link" or followed], letters)
            else:
                raise FileError(errno.EISDIR)
        except FileError as error:
            if "s" not in letters:
                process.fail(f"{name}: {error.reason}")
            yield name, None
