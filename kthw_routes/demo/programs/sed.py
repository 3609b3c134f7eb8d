"""`sed`: substitutes, deletes and prints lines, in a stream or in place."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program

_USAGE: Final = "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n"
Chosen = Callable[[int, str, bool], bool]
"""Whether a command is for a line: its number, its text, whether it is the last one."""


class _Fault(Exception):
    """A script that sed does not understand."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """One command of a script."""

    chosen: Chosen
    verb: str
    """`s`, `d`, `p` or `q`."""
    pattern: "re.Pattern[str] | None" = None
    replacement: str = ""
    flags: str = ""


@program("sed")
def sed(process: Process) -> int:
    """Edit a stream or files; see sed(1). Knows s, d, p and q, with line numbers, /patterns/ and ranges."""
    words, scripts, letters = list(process.arguments), [], ""
    names: list[str] = []
    while words:
        word = words.pop(0)
        if word in ("-e", "--expression") and words:
            scripts.append(words.pop(0))
        elif word.startswith("--in-place"):
            letters += "i"
        elif word.startswith("-") and len(word) > 1 and set(word[1:]) <= set("niEr"):
            letters += word[1:]
        elif not scripts:
            scripts.append(word)
        else:
            names.append(word)
    if not scripts:
        process.err(_USAGE)
        return 1
    try:
        edits = [edit for script in scripts for edit in _parse(script, extended="E" in letters or "r" in letters)]
    except _Fault as fault:
        return process.fail(f"-e expression #1, char 1: {fault}")
    return _edit_files(process, names, edits, is_quiet="n" in letters, in_place="i" in letters)


def _edit_files(process: Process, names: list[str], edits: list[_Edit], *, is_quiet: bool, in_place: bool) -> int:
    if in_place and not names:
        return process.fail("no input files", 4)
    status = 0
    for name in names or ["-"]:
        try:
            data = process.read() if name == "-" else process.host.files.read(name, process)
            text = _edited(data.decode("utf-8", "surrogateescape"), edits, is_quiet=is_quiet)
            if in_place:
                process.host.files.write(name, text.encode("utf-8", "surrogateescape"), process)
            else:
                process.out(text)
        except FileError as error:
            status = process.fail(f"can't read {name}: {error.reason}", 2)
    return status


def _edited(text: str, edits: list[_Edit], *, is_quiet: bool) -> str:
    out: list[str] = []
    lines = text.splitlines(keepends=True)
    for number, whole in enumerate(lines, start=1):
        line = whole.removesuffix("\n")
        end = whole[len(line) :]
        is_deleted = is_over = False
        for edit in edits:
            if not edit.chosen(number, line, number == len(lines)):
                continue
            if edit.verb == "s" and edit.pattern is not None:
                line, found = edit.pattern.subn(edit.replacement, line, count=0 if "g" in edit.flags else 1)
                if found and "p" in edit.flags:
                    out.append(line + end)
            elif edit.verb == "p":
                out.append(line + end)
            else:
                is_deleted, is_over = edit.verb == "d", edit.verb == "q"
                break
        if not is_deleted and not is_quiet:
            out.append(line + end)
        if is_over:
            break
    return "".join(out)


def _parse(script: str, *, extended: bool) -> list[_Edit]:
    edits, rest = [], script.strip(" ;\n")
    while rest:
        chosen, rest = _address(rest, extended)
        if rest[:1] == "!":
            chosen, rest = _denied(chosen), rest[1:].lstrip()
        verb, rest = rest[:1], rest[1:]
        if verb == "s":
            edit, rest = _substitution(chosen, rest, extended)
        elif verb in ("d", "p", "q") and verb:
            edit = _Edit(chosen, verb)
        else:
            raise _Fault(f"unknown command: `{verb}'" if verb else "missing command")
        edits.append(edit)
        if rest.strip() and rest.lstrip(" ")[0] not in ";\n":
            raise _Fault("extra characters after command")
        rest = rest.strip(" ;\n")
    return edits


def _denied(chosen: Chosen) -> Chosen:
    return lambda number, line, is_last: not chosen(number, line, is_last)


def _address(text: str, extended: bool) -> tuple[Chosen, str]:
    first, rest = _one_address(text, extended)
    if first is None:
        return (lambda _number, _line, _is_last: True), text
    if not rest.startswith(","):
        return first, rest.lstrip()
    last, rest = _one_address(rest[1:], extended)
    if last is None:
        raise _Fault("unexpected `,'")
    return _between(first, last), rest.lstrip()


def _between(first: Chosen, last: Chosen) -> Chosen:
    inside = False

    def chosen(number: int, line: str, is_last: bool) -> bool:
        nonlocal inside
        if not inside:
            inside = first(number, line, is_last)
            return inside
        inside = not last(number, line, is_last)
        return True

    return chosen


def _one_address(text: str, extended: bool) -> tuple[Chosen | None, str]:
    if match := re.match("[0-9]+", text):
        wanted = int(match[0])
        return (lambda number, _line, _is_last: number == wanted), text[match.end() :]
    if text[:1] == "$":
        return (lambda _number, _line, is_last: is_last), text[1:]
    if text[:1] == "/":
        source, rest = _until(text[1:], "/")
        pattern = _pattern(source, extended)
        return (lambda _number, line, _is_last: pattern.search(line) is not None), rest
    return None, text


def _substitution(chosen: Chosen, text: str, extended: bool) -> tuple[_Edit, str]:
    mark = text[:1]
    if not mark or mark in "\n\\":
        raise _Fault("unterminated `s' command")
    source, rest = _until(text[1:], mark)
    target, rest = _until(rest, mark)
    flags = re.match("[gpI]*", rest)
    letters = flags[0] if flags else ""
    replacement = re.sub(r"(?<!\\)&", lambda _found: r"\g<0>", target).replace(r"\&", "&")
    pattern = _pattern(source, extended, re.IGNORECASE if "I" in letters else 0)
    return _Edit(chosen, "s", pattern, replacement, letters), rest[len(letters) :]


def _until(text: str, mark: str) -> tuple[str, str]:
    """Split at the next mark that no backslash protects. Raises _Fault."""
    found = re.match(rf"((?:\\.|[^\\{re.escape(mark)}])*){re.escape(mark)}", text, re.DOTALL)
    if found is None:
        raise _Fault("unterminated `s' command")
    return found[1].replace(f"\\{mark}", mark), text[found.end() :]


def _pattern(source: str, extended: bool, flags: int = 0) -> "re.Pattern[str]":
    """Make a pattern of a basic regular expression, in which ( ) { } + ? | are plain and \\( \\) are groups."""
    if not extended:
        source = re.sub(r"\\([(){}+?|])|([(){}+?|])", lambda found: found[1] if found[1] else f"\\{found[2]}", source)
    try:
        return re.compile(source, flags)
    except re.error as error:
        raise _Fault(f"Invalid preceding regular expression ({error})") from None
