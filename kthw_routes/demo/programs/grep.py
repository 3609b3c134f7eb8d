"""`grep`: lines that match, also of all files below a directory."""

import errno
import posixpath
import re
from collections.abc import Iterator

from kthw_routes.demo.linux.files import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import is_directory


@program("grep", "egrep", "fgrep")
def grep(process: Process) -> int:
    """Lines that match; -i -v -n -c -q -l -h -H -o -r -s -E -F -w."""
    letters, words = "", []
    pattern: str | None = "" if not process.arguments else None
    arguments = process.arguments
    while arguments:
        word, arguments = arguments[0], arguments[1:]
        if word == "-e" and arguments:
            pattern, arguments = arguments[0], arguments[1:]
        elif word == "--":
            words += arguments
            break
        elif word.startswith("-") and len(word) > 1:
            letters += word[1:]
        else:
            words.append(word)
    if pattern is None:
        if not words:
            process.err("Usage: grep [OPTION]... PATTERNS [FILE]...\n")
            return 2
        pattern, words = words[0], words[1:]
    expression = re.escape(pattern) if "F" in letters else pattern if "E" in letters else _basic(pattern)
    expression = rf"\b(?:{expression})\b" if "w" in letters else expression
    try:
        compiled = re.compile(expression.encode("utf-8", "surrogateescape"), re.IGNORECASE if "i" in letters else 0)
    except re.error:
        return process.fail("Invalid regular expression", 2)
    return _grep_files(process, compiled, letters, words)


def _basic(pattern: str) -> str:
    """A basic regular expression in Python's words: `+ ? | ( ) {` are plain unless escaped."""
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
                hits = [match[0] for match in pattern.finditer(line)] if "o" in letters else [line]
                process.stdout(b"".join(place + hit + b"\n" for hit in hits))
    if "q" in letters and found:
        return 0
    return status or int(not found)


def _contents(process: Process, names: list[str], letters: str) -> Iterator[tuple[str, bytes | None]]:
    """The files with their bytes; None, with a complaint unless `-s`, where one cannot be read."""
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
