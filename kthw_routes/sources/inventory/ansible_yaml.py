"""An Ansible inventory in YAML or JSON: groups with `hosts`, `children` and `vars`.

JSON, which is read as YAML, has either the same groups, or what `ansible-inventory --list` prints: lists of hosts and
children, and all variables in `_meta`.

PyYAML composes the nodes, which know their places; nothing is constructed from them. What a file may make of that is
bounded: nodes, depth, and what aliases refer to again and again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from yaml.reader import ReaderError

from kthw_routes.sanitize import clean_line, quoted
from kthw_routes.sources.inventory.ansible import Inventories, TooMany, reading_of
from kthw_routes.sources.inventory.ansible_ranges import expand
from kthw_routes.sources.inventory.ansible_roles import ALL, GroupChoice
from kthw_routes.sources.inventory.ansible_variables import READ
from kthw_routes.sources.inventory.nodes import ParsedInventory
from kthw_routes.sources.inventory.problems import BEGINNING, Place, Problems, Stated
from kthw_routes.sources.inventory.values import expected

_MAX_NODES: Final = 50_000
_MAX_VISITS: Final = 50_000
_DEEPEST: Final = 40
_KEYS: Final = ("hosts", "children", "vars")
_META: Final = "_meta"
"""Beside the groups that `ansible-inventory --list` prints."""
_OTHER_BREAKS: Final = dict.fromkeys(map(ord, "\r\x85\u2028\u2029"), " ")
"""What ends a line in YAML and in no editor: places are counted in lines as people see them."""
_NULL: Final = "tag:yaml.org,2002:null"
_MERGE: Final = "tag:yaml.org,2002:merge"


def read_ansible_yaml(text: str, folder: Path, choice: GroupChoice, problems: Problems) -> ParsedInventory:
    """Read what the file states; see `ansible` for what counts."""
    try:
        root = yaml.compose(text.translate(_OTHER_BREAKS), Loader=_Bounded)
        if not isinstance(root, yaml.MappingNode):
            problems.add(Place(1, 1), "this holds no groups; expected workers: at the beginning of a line")
            return ParsedInventory((), is_whole=False)
        walk = _Walk(problems, lists=text.lstrip()[:1] == "{")
        return reading_of(walk.through(root), folder, choice, problems)
    except _TooMuch as error:
        problems.add(_place(error.mark), str(error))
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        place = Place(line, error.position - text.rfind("\n", 0, error.position))
        problems.add(place, "this character is not allowed in YAML; expected text")
    except yaml.MarkedYAMLError as error:
        why = " ".join(filter(None, (error.problem, error.context)))
        problems.add(_place(error.problem_mark or error.context_mark), f"this is not YAML: {clean_line(why)[:160]}")
    except RecursionError:
        problems.add(Place(1, 1), "this is nested too deeply; expected an inventory")
    return ParsedInventory((), is_whole=False)


class _TooMuch(Exception):
    """No inventory is like this."""

    def __init__(self, sentence: str, mark: yaml.Mark | None) -> None:
        super().__init__(sentence)
        self.mark = mark


class _Bounded(yaml.SafeLoader):
    """Composes no more than an inventory can hold."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._nodes += 1
        self._depth += 1
        if self._nodes > _MAX_NODES or self._depth > _DEEPEST:
            what = "nested too deeply" if self._depth > _DEEPEST else "too long"
            raise _TooMuch(f"this is {what}; expected an inventory", parent.start_mark if parent else None)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _place(mark: yaml.Mark | None) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


@dataclass(slots=True)
class _Walk:
    """Through the nodes, from group to group."""

    problems: Problems
    lists: bool
    """Whether hosts and children may be lists: as Ansible prints them in JSON; in YAML it refuses them."""
    visits: int = 0
    place: Place = BEGINNING
    """Of the last key."""

    def through(self, root: yaml.MappingNode) -> Inventories:
        found = Inventories()
        try:
            self._groups(found, root)
        except TooMany as error:
            self.problems.add(self.place, f"this {error}")
            found.is_whole = False
        return found

    def _groups(self, found: Inventories, root: yaml.MappingNode) -> None:
        for group, place, node in self._pairs(root):
            if group == "plugin":
                sentence = "this configures a plugin that finds hosts, and lists none; expected the groups themselves"
                self.problems.add(place, f"{sentence}, as `ansible-inventory -i FILE --list --yaml` writes them")
                found.is_whole = False
                return
            if group == _META:
                self._meta(found, node)
            else:
                self._group(found, group, place, node, 1)

    def _group(self, found: Inventories, name: str, place: Place, node: yaml.Node, depth: int) -> None:
        group = found.group(name)
        group.place = group.place or place
        if depth > _DEEPEST:
            raise _TooMuch("this is nested too deeply; expected an inventory", node.start_mark)
        for key, at, value in self._mapping(node, f"the group {quoted(name)}", "hosts:, children: or vars:"):
            what = f"{quoted(key)} of the group {quoted(name)}"
            if key == "hosts":
                for host, where, variables in self._members(value, what, "a line such as worker-0: for each"):
                    self._host(found, name, Stated(host, where, "host"), variables)
            elif key == "children":
                for child, where, inner in self._members(value, what, "a line such as workers: for each"):
                    if name != ALL:
                        found.child(name, child, where)
                    if inner is None:
                        found.group(child)
                    else:
                        self._group(found, child, where, inner, depth + 1)
            elif key == "vars":
                self._variables(found, group.variables, value, what)
            else:
                sentence = f"{quoted(key)} means nothing in a group; expected {expected(key, _KEYS)}"
                self.problems.add(at, sentence)
                found.is_whole = False

    def _meta(self, found: Inventories, node: yaml.Node) -> None:
        """Read the variables of hosts, whose groups are elsewhere in the file."""
        for key, _, tables in self._mapping(node, quoted(_META), "hostvars:"):
            if key == "hostvars":
                for host, place, variables in self._mapping(tables, quoted(key), "a host and its variables"):
                    known = found.host(Stated(host, place, "host"), ALL)
                    self._variables(found, known.variables, variables, f"the host {quoted(host)}")

    def _members(self, node: yaml.Node, what: str, wanted: str) -> Iterator[tuple[str, Place, yaml.Node | None]]:
        """List hosts or children: of a mapping with what belongs to each, else of a list, or of a single name."""
        if isinstance(node, yaml.ScalarNode) and node.tag != _NULL:
            yield node.value, _place(node.start_mark), None
        elif isinstance(node, yaml.SequenceNode) and self.lists:
            for entry in node.value:
                self._count(entry)
                if isinstance(entry, yaml.ScalarNode):
                    yield entry.value, _place(entry.start_mark), None
                else:
                    self.problems.add(_place(entry.start_mark), f"{what} has a list or a mapping; expected names")
        else:
            yield from self._mapping(node, what, wanted)

    def _host(self, found: Inventories, group: str, name: Stated[str], variables: yaml.Node | None) -> None:
        names = self.problems.value(name, expand)
        found.is_whole = found.is_whole and names is not None
        for one in names or ():
            host = found.host(Stated(one, name.place, name.key), group)
            if variables is not None:
                self._variables(found, host.variables, variables, f"the host {quoted(one)}")

    def _variables(self, found: Inventories, into: dict[str, Stated[str]], node: yaml.Node, what: str) -> None:
        for key, _, value in self._mapping(node, what, "a line such as ansible_host: 192.168.8.20 for each variable"):
            if isinstance(value, yaml.ScalarNode) and value.tag != _NULL:
                found.state(into, key, value.value, _place(value.start_mark))
            elif key in READ and not isinstance(value, yaml.ScalarNode):
                self.problems.add(_place(value.start_mark), f"{key} is a list or a mapping; expected one value")

    def _mapping(self, node: yaml.Node, what: str, wanted: str) -> Iterator[tuple[str, Place, yaml.Node]]:
        """List the pairs of a mapping; nothing is an empty one. Anything else is a problem."""
        if isinstance(node, yaml.MappingNode):
            yield from self._pairs(node)
        elif not (isinstance(node, yaml.ScalarNode) and node.tag == _NULL):
            self.problems.add(_place(node.start_mark), f"{what} is not a mapping; expected {wanted}")

    def _pairs(self, node: yaml.MappingNode) -> list[tuple[str, Place, yaml.Node]]:
        """List the keys that are text, each once; the mapping's own win over those that `<<` merges in."""
        merged: dict[str, tuple[Place, yaml.Node]] = {}
        own: dict[str, tuple[Place, yaml.Node]] = {}
        for key, value in node.value:
            self._count(key)
            self.place = place = _place(key.start_mark)
            if key.tag == _MERGE:
                for other in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(other, yaml.MappingNode):
                        merged |= {name: (at, inner) for name, at, inner in self._pairs(other) if name not in merged}
            elif not isinstance(key, yaml.ScalarNode):
                self.problems.add(place, "this key is a list or a mapping; expected a name")
            elif key.value in own:
                sentence = f"{quoted(key.value)} is already on line {own[key.value][0].line}"
                self.problems.add(place, f"{sentence}; expected each key once")
            else:
                own[key.value] = place, value
        return [(name, at, value) for name, (at, value) in (merged | own).items()]

    def _count(self, node: yaml.Node) -> None:
        self.visits += 1
        if self.visits > _MAX_VISITS:
            raise _TooMuch("aliases refer to this again and again; expected an inventory", node.start_mark)
