"""TOML, read past its errors: a bad line is reported and replaced, and the rest is read all the same.

What replaces a line states its key with an empty text, or opens the table that it meant to open: so that what follows
is not misread, and no key is reported as missing that is there.
"""

import re
import tomllib
from dataclasses import dataclass
from typing import Final

from kthw_routes.sanitize import clean_line
from kthw_routes.sources.inventory.problems import Place, Problems
from kthw_routes.sources.inventory.toml_positions import positions_in

_MAX_REPAIRS: Final = 50
_MAX_WORK: Final = 5_000_000
"""Characters that are parsed again for repairs: a large broken file is not read fifty times."""

_MAX_DOTS: Final = 64
"""In one key: the time that tomllib takes grows with the square of them."""

_KEY_ENDS: Final = re.compile(r"[=,{}\[\]]")
_WHERE: Final = re.compile(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)
_NODES_HEADER: Final = re.compile(r"\s*\[+\s*nodes\b[^=]*$")
_ONE_TABLE: Final = re.compile(r"(\s*)\[\s*nodes\s*\]\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*([A-Za-z0-9_-]+)\s*(?:=|:|\s|["'])""", re.ASCII)
_SENTENCES: Final = (
    ("Illegal character '\\n'", "the text in quotes does not end; expected the closing quote on the same line"),
    ("Illegal character", "this control character is not allowed here; expected text"),
    ("Expected ']", "the brackets of this line do not match; expected [[nodes]]"),
    ("Invalid value", 'there is no value here; expected text in quotes, for example, ssh = "192.168.8.20"'),
    ("Expected '=' after a key", 'there is no "=" after the key; expected, for example, ssh = "192.168.8.20"'),
    ("Invalid statement", "this means nothing here; expected key = value, [[nodes]] or a # comment"),
    ("Expected newline", "the line continues after the value; expected quotes, for example, ssh = \"192.168.8.20\""),
    ("Cannot overwrite", "this key is already in the same table; expected each key once"),
    ("Cannot declare", "this table was opened already; expected [[nodes]] before each node, and nothing twice"),
    ("Cannot mutate", "this table is complete already; expected each key once"),
    ("Unescaped", "a backslash needs another one before it in double quotes; expected \\\\, or single quotes"),
    ("Unclosed array", "the list does not end; expected a comma or ]"),
    ("Unclosed inline table", "the table does not end; expected a comma or }"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parsed:
    """What could be read."""

    document: dict[str, object]
    text: str
    """The text that was read in the end; its lines have the numbers of the file's."""
    is_whole: bool
    """Whether nothing had to be replaced."""


def parse(text: str, problems: Problems) -> Parsed | None:
    """Read the document; syntax errors are added to the problems. None: nothing could be read."""
    try:
        document = _loads(text)
        if not isinstance(document.get("nodes"), dict):
            return Parsed(document, text, is_whole=True)
    except _SyntaxWrong:
        pass
    return _repaired(text, problems)


class _SyntaxWrong(Exception):
    """tomllib's error, in our words."""

    def __init__(self, sentence: str, place: Place | None, *, is_after: bool = False) -> None:
        """Note the place; None where tomllib gives none. `is_after`: it is where the bad statement ends."""
        super().__init__(sentence)
        self.sentence = sentence
        self.place = place
        self.is_after = is_after


def _loads(text: str) -> dict[str, object]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MAX_DOTS and any(part.count(".") > _MAX_DOTS for part in _KEY_ENDS.split(line)):
            raise _SyntaxWrong("this line is nested too deeply; expected an inventory", Place(number, 1))
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _SyntaxWrong("this is nested too deeply; expected an inventory", None) from None
    except ValueError as error:  # TOMLDecodeError, and what int() says of very long numbers
        match = _WHERE.match(str(error))
        words = match[1] if match else str(error)
        place = Place(int(match[2]), int(match[3])) if match and match[2] else None
        sentence = next((ours for theirs, ours in _SENTENCES if words.startswith(theirs)), None)
        if match and place is None:
            sentence = "what begins here does not end in this file; expected closing quotes or brackets"
        sentence = sentence or f"this is not TOML: {clean_line(words)[:100]}"
        raise _SyntaxWrong(sentence, place, is_after=words.startswith("Cannot")) from None


def _repaired(text: str, problems: Problems) -> Parsed | None:
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        match = _ONE_TABLE.match(line)
        if match:
            place = Place(number, len(match[1]) + 1)
            problems.add(place, "[nodes] is one table; expected [[nodes]] before each node")
            lines[number - 1] = "[[nodes]]"
    for _ in range(1 + min(_MAX_REPAIRS, _MAX_WORK // (len(text) + 1))):
        repaired = "\n".join(lines)
        try:
            return Parsed(_loads(repaired), repaired, is_whole=False)
        except _SyntaxWrong as error:
            if not _repair(lines, error, problems):
                return None
    return None


def _repair(lines: list[str], error: _SyntaxWrong, problems: Problems) -> bool:
    """Report the error, and replace its line. False: what else would be reported follows from this error."""
    place = error.place or _opening(lines)
    line = lines[place.line - 1]
    again = place.line in problems.broken
    if again and not line.strip():
        return False
    if error.is_after:
        place = Place(place.line, len(line) - len(line.lstrip()) + 1)
    problems.add_broken(place, error.sentence)
    lines[place.line - 1] = "" if again else _instead_of(line)
    return error.place is not None or line[place.column - 1 :].startswith(('"""', "'''"))


def _opening(lines: list[str]) -> Place:
    """Find where that begins which does not end in this text."""
    return (positions_in("\n".join(lines)).open or [Place(len(lines), 1)])[-1]


def _instead_of(line: str) -> str:
    """Guess what a line that cannot be read was meant for."""
    if _NODES_HEADER.match(line):
        return "[[nodes]]"
    match = _KEY.match(line)
    return f'{match[1]} = ""' if match else ""
