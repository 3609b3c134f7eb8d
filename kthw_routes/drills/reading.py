"""Drills in TOML: those that come with the program, and a teacher's own. Every error in a file is reported at once."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from kthw_routes.cluster import Node
from kthw_routes.demo.api.account import DEMO_REGIONS
from kthw_routes.drills.model import HINTS, Commands, Drill
from kthw_routes.drills.roles import Values, chance_of, lab_nodes, values_of
from kthw_routes.errors import UsageError
from kthw_routes.local_files import read_file
from kthw_routes.sanitize import clean_line, quoted
from kthw_routes.teaching.lesson import Answer

_MAX_BYTES: Final = 64 * 1024
_MAX_FILES: Final = 200
_BLANK: Final = re.compile(r"\{(\w+)\}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_TEXTS: Final = ("title", "story", "explanation")
_KEYS: Final = (*_TEXTS, "region", "pods", "reports", "hints", "fault", "moved", "answers", "solution")


EVERY_CONTROLLER: Final = "controllers"
"""The key of commands that are typed on each controller."""


class DrillFault(UsageError):
    """A drill's file that cannot be used: each of its errors on a line of the hint."""


def own_drills() -> Mapping[str, str]:
    """Return the drills that come with the program: their TOML by name, from easy to hard."""
    folder = files(__package__).joinpath("tasks")
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return {name_of(file.name): file.read_text(encoding="utf-8") for file in found}


def read_drills(path: Path) -> Mapping[str, str]:
    """Return the drills of a file, or of all `.toml` files of a folder, by name. Raises UsageError."""
    try:
        paths = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not paths:
            raise UsageError(f"There is no .toml file in {clean_line(str(path))}.", "A drill is a file such as x.toml.")
        return {name_of(one.name): read_file(one, _MAX_BYTES).decode() for one in paths[:_MAX_FILES]}
    except OSError as error:
        raise UsageError(f"{clean_line(str(path))} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{clean_line(str(path))} is not UTF-8 text.") from error


def name_of(file: str) -> str:
    """Return a drill's name: its file's without the number in front and `.toml`. Raises DrillFault."""
    name = re.sub(r"^[0-9]+-", "", file.removesuffix(".toml"))
    if not _NAME.fullmatch(name):
        raise DrillFault(
            f"{quoted(file)} is not a name for a drill.", "Use small letters, digits and hyphens: my-drill.toml."
        )
    return name


def drill_of(name: str, text: str, seed: str, nodes: Sequence[Node] | None = None) -> Drill:
    """Return a drill with its blanks filled in. Raises DrillFault with all that is wrong in it.

    Args:
        name: its name.
        text: its TOML.
        seed: decides which nodes play which part, and the order of the answers.
        nodes: the nodes of the cluster; by default the embedded lab's.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise DrillFault(f"{name}.toml cannot be used.", "It is nested too deeply.") from error
    except ValueError as error:  # that of tomllib, and that of Python for a number of too many digits
        raise DrillFault(f"{name}.toml is not valid TOML.", clean_line(str(error))) from error
    cluster = nodes or lab_nodes()
    reader = _Reader(values_of(cluster, name, seed), cluster)
    drill = reader.drill(name, document, seed)
    if reader.errors:
        raise DrillFault(f"The drill {name} cannot be used.", "\n".join(reader.errors))
    return drill


class _Reader:
    """Reads one document, and notes what is wrong with it."""

    def __init__(self, values: Values, nodes: Sequence[Node]) -> None:
        self._values, self._nodes = values, {node.name for node in nodes}
        self._controllers = [node.name for node in nodes if not node.is_worker]
        self.errors: list[str] = []

    def drill(self, name: str, document: Mapping[str, Any], seed: str) -> Drill:
        self.errors += [f"{quoted(key)} is not a key of a drill." for key in document if key not in _KEYS]
        title, story, explanation = (self._text(document, key) for key in _TEXTS)
        region = document.get("region", DEMO_REGIONS[0])
        if region not in DEMO_REGIONS:
            self.errors.append(f"region: expected {' or '.join(DEMO_REGIONS)}.")
        hints = self._texts(document, "hints")
        if len(hints) != HINTS:
            self.errors.append(f"hints: expected {HINTS} texts, each of which says more than the one before.")
        fault, solution = self._commands(document, "fault"), self._commands(document, "solution")
        if not any(fault.values()) and region == DEMO_REGIONS[0]:
            self.errors.append("fault: expected the commands that put the fault in, by node.")
        answers = self._answers(document)
        chance_of(f"{name} answers", seed).shuffle(answers)
        return Drill(
            name=name,
            title=title,
            story=story,
            region=str(region),
            has_pods=document.get("pods") is True,
            fault=fault,
            moved={
                self._node("moved", host): self._address("moved", to) for host, to in self._table(document, "moved")
            },
            answers=tuple(answers),
            hints=hints,
            solution=solution,
            explanation=explanation,
            reports=frozenset(self._texts(document, "reports")),
        )

    def _text(self, document: Mapping[str, Any], key: str) -> str:
        value = document.get(key)
        if not isinstance(value, str) or not value.strip():
            self.errors.append(f"{key}: expected a text.")
            return ""
        return self._fill(" ".join(value.split()))

    def _texts(self, document: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = document.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.errors.append(f"{key}: expected a list of texts.")
            return ()
        return tuple(self._fill(" ".join(one.split())) for one in value)

    def _table(self, document: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
        value = document.get(key, {})
        if not isinstance(value, dict):
            self.errors.append(f"{key}: expected a table by node.")
            return []
        return list(value.items())

    def _commands(self, document: Mapping[str, Any], key: str) -> Commands:
        found: dict[str, tuple[str, ...]] = {}
        for host, lines in self._table(document, key):
            if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                self.errors.append(f"{key}: expected a list of commands for {quoted(str(host))}.")
                continue
            for name in self._controllers if host == EVERY_CONTROLLER else [self._node(key, host)]:
                found[name] = tuple(map(self._fill, lines))
        return found

    def _node(self, key: str, host: str) -> str:
        name = self._fill(host)
        if name not in self._nodes:
            self.errors.append(
                f"{key}: {quoted(name)} is not a node. Workers are {{a}}, {{b}}, {{c}}, {{k}} a controller."
            )
        return name

    def _address(self, key: str, value: object) -> str:
        text = self._fill(str(value))
        try:
            return str(IPv4Address(text))
        except ValueError:
            self.errors.append(f"{key}: {quoted(text)} is not an IPv4 address.")
            return ""

    def _answers(self, document: Mapping[str, Any]) -> list[Answer]:
        rows = document.get("answers", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.errors.append("answers: expected tables [[answers]].")
            return []
        answers = [
            Answer(text=self._text(row, "text"), is_right=row.get("right") is True, reason=self._text(row, "reason"))
            for row in rows
        ]
        if len(answers) < 2 or sum(answer.is_right for answer in answers) != 1:
            self.errors.append("answers: expected two or more, exactly one of them with right = true.")
        return answers

    def _fill(self, text: str) -> str:
        return _BLANK.sub(partial(self._value), text)

    def _value(self, blank: "re.Match[str]") -> str:
        if blank[1] not in self._values:
            self.errors.append(f"{{{blank[1]}}} is not known. Known are: {', '.join(sorted(self._values))}.")
            return blank[0]
        return self._values[blank[1]]
