"""Programs that read and write text: cat, echo, printf, head, tail, wc, sort, tee, cmp."""

import re
from typing import Final

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Process, Write
from kthw_routes.demo.programs import program

_ESCAPES: Final = {
    "n": b"\n",
    "t": b"\t",
    "r": b"\r",
    "a": b"\a",
    "b": b"\b",
    "f": b"\f",
    "v": b"\v",
    "e": b"\x1b",
    "\\": b"\\",
    '"': b'"',
    "'": b"'",
}
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{1,2}|0?[0-7]{1,3}|.)", re.DOTALL)
_DIRECTIVE: Final = re.compile("%([sdb%])")


def encoded(text: str) -> bytes:
    """Encode text as the bytes that it came from."""
    return text.encode("utf-8", "surrogateescape")


def _unescaped(text: str) -> bytes:
    out = bytearray()
    at = 0
    for match in _ESCAPE.finditer(text):
        out += encoded(text[at : match.start()])
        code = match[1]
        if code[0] == "x" and len(code) > 1:
            out.append(int(code[1:], 16))
        elif code[0] in "01234567":
            out.append(int(code, 8) & 0xFF)
        else:
            out += _ESCAPES.get(code, encoded("\\" + code))
        at = match.end()
    return bytes(out + encoded(text[at:]))


@program("printf")
def printf(process: Process) -> int:
    """Print by a format, used again until the arguments are used up: `printf FORMAT [ARGUMENTS]`."""
    if not process.arguments:
        process.err("printf: usage: printf [-v var] format [arguments]\n")
        return 2
    words = process.arguments[1:] if process.arguments[0] == "--" else process.arguments
    template, values = words[0], words[1:]
    status = 0
    while True:
        values, failed = _print_once(process, template, values)
        status = status or failed
        if not values or not _DIRECTIVE.search(template.replace("%%", "")):
            return status


def _print_once(process: Process, template: str, values: list[str]) -> tuple[list[str], int]:
    out = bytearray()
    at, status = 0, 0
    for match in _DIRECTIVE.finditer(template):
        out += _unescaped(template[at : match.start()])
        at = match.end()
        if match[1] == "%":
            out += b"%"
            continue
        value, values = (values[0], values[1:]) if values else ("", [])
        if match[1] == "d" and not re.fullmatch("-?[0-9]+", value or "0"):
            process.err(f"printf: {value}: invalid number\n")
            value, status = "0", 1
        out += _unescaped(value) if match[1] == "b" else encoded(value or ("0" if match[1] == "d" else ""))
    out += _unescaped(template[at:])
    process.stdout(bytes(out))
    return values, status


@program("echo")
def echo(process: Process) -> int:
    """Print words: `echo [-n] [-e] WORDS`."""
    words = process.arguments
    newline, escapes = b"\n", False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        newline = b"" if "n" in words[0] else newline
        escapes |= "e" in words[0]
        words = words[1:]
    text = " ".join(words)
    process.stdout((_unescaped(text) if escapes else encoded(text)) + newline)
    return 0


def _operands(process: Process) -> list[str]:
    words = process.arguments
    names: list[str] = []
    for i, word in enumerate(words):
        if word == "--":
            return names + words[i + 1 :]
        if not word.startswith("-") or word == "-":
            names.append(word)
    return names


def _content(process: Process, name: str) -> bytes | None:
    """Read a file, or stdin for `-`; None, with a complaint, where it cannot be read."""
    if name == "-":
        return process.read()
    try:
        return process.host.files.read(name, process)
    except FileError as error:
        process.fail(f"{name}: {error.reason}")
        return None


@program("cat")
def cat(process: Process) -> int:
    """Write files, or stdin, to stdout."""
    names = _operands(process) or ["-"]
    status = 0
    for name in names:
        if name == "-":
            while line := process.readline():
                process.stdout(line)
            continue
        data = _content(process, name)
        if data is None:
            status = 1
        elif data:
            process.stdout(data)
    return status


@program("tee")
def tee(process: Process) -> int:
    """Copy stdin to stdout and to files; `-a` appends."""
    append = "-a" in process.arguments
    writers: list[tuple[str, Write]] = []
    status = 0
    for name in _operands(process):
        try:
            writers.append((name, process.host.files.writer(name, process, append=append)))
        except FileError as error:
            status = process.fail(f"{name}: {error.reason}")
    while line := process.readline():
        process.stdout(line)
        for name, write in list(writers):
            try:
                write(line)
            except FileError as error:
                status = process.fail(f"{name}: {error.reason}")
                writers.remove((name, write))
    return status
