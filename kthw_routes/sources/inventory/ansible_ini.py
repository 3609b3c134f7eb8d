"""An Ansible inventory in its INI form: `[workers]` and a host per line, `[workers:children]`, `[workers:vars]`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kthw_routes.errors import InvalidInput
from kthw_routes.sanitize import quoted
from kthw_routes.sources.inventory.ansible import Inventories, TooMany, reading_of
from kthw_routes.sources.inventory.ansible_ranges import expand
from kthw_routes.sources.inventory.ansible_roles import ALL, UNGROUPED, USUAL_WORKERS, GroupChoice
from kthw_routes.sources.inventory.ansible_variables import PORT
from kthw_routes.sources.inventory.nodes import ParsedInventory
from kthw_routes.sources.inventory.problems import Place, Problems, Stated
from kthw_routes.sources.inventory.values import expected

_SECTION: Final = re.compile(r"\s*\[([^:\]\s]+)(?::([^\]\s]*))?\]\s*(?:[#;].*)?")
_BLANKS: Final = re.compile(r"\s*")
_WORD: Final = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""")
_QUOTES: Final = re.compile(r"""\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'""")
_COMMENT: Final = re.compile(r"\s[#;].*")
_KINDS: Final = ("children", "vars")
_UNKNOWN: Final = "unknown"


@dataclass(slots=True)
class _Section:
    group: str = UNGROUPED
    kind: str = ""
    """`children` or `vars`; empty where hosts are listed; `unknown` where nobody knows what is."""


def read_ansible_ini(text: str, folder: Path, choice: GroupChoice, problems: Problems) -> ParsedInventory:
    """Read what the file states; see `ansible` for what counts."""
    found = Inventories()
    section = _Section()
    named: dict[str, Place] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        place = Place(number, len(line) - len(line.lstrip()) + 1)
        header = _SECTION.fullmatch(line)
        try:
            if header:
                section = _section(header, place, found, problems)
                if section.kind == "vars":
                    named.setdefault(section.group, place)
            else:
                _line(line, place, found, section, problems)
        except TooMany as error:
            problems.add(place, f"this {error}")
            found.is_whole = False
            break
    for group, place in named.items():
        if found.groups[group].place is None and group not in (ALL, UNGROUPED):
            defined = [n for n, g in found.groups.items() if g.place]
            wanted = expected(group, defined) if defined else f"[{USUAL_WORKERS}] and a host on each line below it"
            problems.add(place, f"there is no group {quoted(group)}; expected {wanted}")
    return reading_of(found, folder, choice, problems)


def _line(line: str, place: Place, found: Inventories, section: _Section, problems: Problems) -> None:
    """Read a line of a section."""
    if section.kind == "vars":
        _variable(line, place, found, section.group, problems)
    elif section.kind == "children":
        _child(line, place, found, section.group, problems)
    elif section.kind == _UNKNOWN:
        found.is_whole = False
    elif line.lstrip().startswith("[") and "]" not in line:
        problems.add_broken(place, "this line does not open a group; expected, for example, [workers]")
        found.is_whole = False
    else:
        _hosts(line, place, found, section.group, problems)


def _section(header: re.Match[str], place: Place, found: Inventories, problems: Problems) -> _Section:
    group, kind = header[1], header[2] or ""
    if header[2] is not None and kind not in _KINDS:
        problems.add(place, f"{quoted(kind)} means nothing here; expected {expected(kind, _KINDS)}")
        return _Section(group, _UNKNOWN)
    if kind != "vars" and found.group(group).place is None:
        found.group(group).place = place
    found.group(group)
    return _Section(group, kind)


def _variable(line: str, place: Place, found: Inventories, group: str, problems: Problems) -> None:
    key, equals, value = line.partition("=")
    if not equals or len(key.split()) != 1:
        problems.add_broken(place, "this is not a variable; expected, for example, ansible_user=root")
        return
    at = Place(place.line, len(key) + 2 + len(value) - len(value.lstrip()))
    found.state(found.group(group).variables, key.strip(), _unquoted(_without_comment(value)), at)


def _child(line: str, place: Place, found: Inventories, group: str, problems: Problems) -> None:
    words = _without_comment(line).split()
    if len(words) > 1:
        problems.add_broken(place, "this line names more than a group; expected one group on each line")
        return
    found.child(group, words[0], place)


def _hosts(line: str, place: Place, found: Inventories, group: str, problems: Problems) -> None:
    """Read a line `name[:port] key=value …`."""
    try:
        words = list(_words(line, place.line))
    except InvalidInput as error:
        problems.add_broken(place, str(error))
        found.is_whole = False
        return
    pattern, *pairs = words
    given: list[tuple[str, str, Place]] = []
    name, colon, port = pattern.value.rpartition(":")
    if colon and name.count("[") == name.count("]") and "]" not in port:
        given.append((PORT[-1], port, Place(place.line, pattern.place.column + len(name) + 1)))
        pattern = Stated(name, pattern.place, pattern.key)
    for word in pairs:
        key, equals, value = word.value.partition("=")
        if not equals or not key or key != _unquoted(key):
            problems.add_broken(
                word.place, f"{quoted(word.value)} is not a variable; expected key=value without blanks"
            )
            found.is_whole = False
            break
        at = Place(place.line, word.place.column + len(key) + 1)
        given.append((key, _unquoted(value), at))
    names = problems.value(Stated(_unquoted(pattern.value), pattern.place, "host"), expand)
    found.is_whole = found.is_whole and names is not None
    for name in names or ():
        host = found.host(Stated(name, pattern.place, "host"), group)
        for key, value, at in given:
            found.state(host.variables, key, value, at)


def _words(line: str, number: int) -> Iterator[Stated[str]]:
    """Split a line up to a comment into words, with their quotes. Raises InvalidInput where a quote does not end."""
    at = 0
    while True:
        blanks = _BLANKS.match(line, at)
        at = blanks.end() if blanks else at
        if at >= len(line) or line[at] in "#;":
            return
        match = _WORD.match(line, at)
        if not match or (match.end() < len(line) and not line[match.end()].isspace()):
            raise InvalidInput("a quote or a backslash at the end of this line has no partner; expected closing quotes")
        yield Stated(match.group(), Place(number, at + 1), "host")
        at = match.end()


def _unquoted(text: str) -> str:
    return _QUOTES.sub(lambda m: m[1] or re.sub(r"\\(.)", r"\1", m[2] or "") or m[3] or "", text)


def _without_comment(text: str) -> str:
    """Remove a comment that begins after a blank and outside quotes."""
    match = re.match(r"""\s*(?:"[^"]*"|'[^']*')""", text)
    start = match.end() if match else 0
    return (text[:start] + _COMMENT.sub("", text[start:])).strip()
