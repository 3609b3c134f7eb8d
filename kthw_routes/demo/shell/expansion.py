"""What the shell makes of a word: parameters, command substitution, field splitting, file names."""

import fnmatch
import posixpath
from collections.abc import Callable, Iterable
from typing import Protocol

from kthw_routes.demo.linux.files import FileTree
from kthw_routes.demo.linux.nodes import FileError, Visitor
from kthw_routes.demo.shell.syntax import Literal, Parameter, Part, Substitution, Word

_PATTERN = "*?["
_BLANK = " \t\n"


class Scope(Protocol):
    """Where the values come from: a shell."""

    def value(self, name: str) -> str | None:
        """Look up a variable or `?`; None if unset."""

    def substitute(self, script: str) -> str:
        """Run a script and return what it prints, trailing newlines cut."""


Piece = tuple[str, bool]
"""Text, and whether it was quoted."""


def expand_words(words: Iterable[Word], scope: Scope, files: FileTree, who: Visitor) -> list[str]:
    """Expand words into arguments."""
    fields: list[str] = []
    for word in words:
        for pieces in _split(word, scope):
            fields += _globbed(pieces, files, who)
    return fields


def expand_one(word: Word, scope: Scope) -> str:
    """Expand a word where no splitting happens: assignments, file names, here-documents."""
    pieces = _tilde(word, scope)
    return "".join(_text(part, scope) for part in pieces)


def _tilde(word: Word, scope: Scope) -> Word:
    first = word[0] if word else None
    if isinstance(first, Literal) and not first.quoted and (first.text == "~" or first.text.startswith("~/")):
        return (Literal(scope.value("HOME") or "/", True), Literal(first.text[1:], False), *word[1:])
    return word


def _text(part: Part, scope: Scope) -> str:
    match part:
        case Literal():
            return part.text
        case Substitution():
            return scope.substitute(part.script)
        case Parameter():
            return scope.value(part.name) or ""


def _split(word: Word, scope: Scope) -> list[list[Piece]]:
    """Split one word into fields, each as pieces; unquoted expansions are split at white space."""
    fields: list[list[Piece]] = []
    current: list[Piece] | None = None
    for part in _tilde(word, scope):
        text = _text(part, scope)
        if isinstance(part, Literal) or part.quoted:
            current = [*(current or []), (text, part.quoted)]
            continue
        if text[:1] and text[0] in _BLANK and current is not None:
            fields.append(current)
            current = None
        chunks = text.split()
        for i, chunk in enumerate(chunks):
            if i and current is not None:
                fields.append(current)
                current = None
            current = [*(current or []), (chunk, False)]
        if chunks and text[-1] in _BLANK and current is not None:
            fields.append(current)
            current = None
    return fields if current is None else [*fields, current]


def _globbed(pieces: list[Piece], files: FileTree, who: Visitor) -> list[str]:
    plain = "".join(text for text, _ in pieces)
    if not any(char in text for text, quoted in pieces if not quoted for char in _PATTERN):
        return [plain]
    pattern = "".join(_escaped(text) if quoted else text for text, quoted in pieces)
    found = _matches(pattern, files, who)
    return sorted(found) or [plain]


def _escaped(text: str) -> str:
    return "".join(f"[{char}]" if char in _PATTERN else char for char in text)


def _matches(pattern: str, files: FileTree, who: Visitor) -> list[str]:
    found = ["/"] if pattern.startswith("/") else [""]
    for part in [part for part in pattern.split("/") if part]:
        found = [path for base in found for path in _step(base, part, files, who)]
    return found


def _step(base: str, part: str, files: FileTree, who: Visitor) -> list[str]:
    try:
        names = files.names(base or ".", who)
    except FileError:
        return []
    hidden: Callable[[str], bool] = lambda name: name.startswith(".") and not part.startswith(".")  # noqa: E731 - one line reads best
    return [posixpath.join(base, name) for name in names if not hidden(name) and fnmatch.fnmatchcase(name, part)]
