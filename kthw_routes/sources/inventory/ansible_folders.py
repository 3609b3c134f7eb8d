"""The folders `group_vars` and `host_vars` next to an Ansible inventory: variables in YAML or JSON, by group and host.

For each name Ansible takes the first that is there: a file or folder of that name, then NAME.yml, NAME.yaml, NAME.json.
Of a folder all files count, in the order of their names. What is encrypted, or cannot be read, is reported.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from kthw_routes.local_files import read_file
from kthw_routes.persistence.yaml_documents import compose
from kthw_routes.sources.inventory.ansible_variables import READ
from kthw_routes.sources.inventory.problems import Place, Stated

if TYPE_CHECKING:
    from yaml import Node

Kind = Literal["group_vars", "host_vars"]

_MAX_BYTES: Final = 100_000
_MAX_FILES: Final = 2000
_DEEPEST: Final = 10
_ENDINGS: Final = ("", ".yml", ".yaml", ".json")
_VAULT: Final = b"$ANSIBLE_VAULT;"
_NULL: Final = "tag:yaml.org,2002:null"


@dataclass(slots=True)
class VariableFolders:
    """Reads both folders, as far as there are such."""

    folder: Path
    """Where the inventory is."""
    unread: dict[str, None] = field(default_factory=dict)
    """What was not read, and why: `group_vars/all/vault.yml (encrypted)`."""
    _entries: dict[str, frozenset[str]] = field(default_factory=dict)
    _files: int = 0

    def variables_of(self, kind: Kind, name: str, place: Place) -> dict[str, Stated[str]]:
        """Read the variables of a group or host. `place`: where the inventory names it, as errors refer to it."""
        if "/" in name or name in ("", ".", ".."):
            return {}
        here = next((f"{name}{ending}" for ending in _ENDINGS if f"{name}{ending}" in self._entries_of(kind)), None)
        if here is None:
            return {}
        found: dict[str, Stated[str]] = {}
        for path in self._files_in(self.folder / kind / here, 0):
            found |= self._read(path, place)
        return found

    def _entries_of(self, kind: Kind) -> frozenset[str]:
        if kind not in self._entries:
            try:
                self._entries[kind] = frozenset(os.listdir(self.folder / kind))
            except (FileNotFoundError, NotADirectoryError):
                self._entries[kind] = frozenset()
            except OSError as error:
                self._leave_out(self.folder / kind, error.strerror or "unreadable")
                self._entries[kind] = frozenset()
        return self._entries[kind]

    def _files_in(self, path: Path, depth: int) -> Iterator[Path]:
        """List the files that count: the path itself, or those in it, hidden ones and backups aside."""
        if not path.is_dir():
            yield path
            return
        if depth > _DEEPEST:
            self._leave_out(path, "too deep")
            return
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            self._leave_out(path, error.strerror or "unreadable")
            return
        for name in names:
            inner, ending = path / name, os.path.splitext(name)[1]
            if name.startswith(".") or name.endswith("~"):
                continue
            if (inner.is_dir() and not ending) or (inner.is_file() and ending in _ENDINGS):
                yield from self._files_in(inner, depth + 1)

    def _read(self, path: Path, place: Place) -> dict[str, Stated[str]]:
        self._files += 1
        if self._files > _MAX_FILES:
            self._leave_out(path, f"more than {_MAX_FILES} files")
            return {}
        try:
            content = read_file(path, _MAX_BYTES)
            if content.startswith(_VAULT):
                self._leave_out(path, "encrypted")
                return {}
            root = compose(content.decode("utf-8-sig"))
        except OSError as error:
            self._leave_out(path, error.strerror or "unreadable")
        except ValueError:  # which text that is no UTF-8 is, too
            self._leave_out(path, "not YAML")
        else:
            return self._scalars(root, path, place)
        return {}

    def _scalars(self, root: "Node | None", path: Path, place: Place) -> dict[str, Stated[str]]:
        from yaml.nodes import MappingNode, ScalarNode  # slow to load, and most inventories have no such files

        if root is None or (isinstance(root, ScalarNode) and root.tag == _NULL):
            return {}
        if not isinstance(root, MappingNode):
            self._leave_out(path, "no variables")
            return {}
        found = {}
        name = self._name(path)
        for key, value in root.value:
            if not isinstance(key, ScalarNode) or (isinstance(value, ScalarNode) and value.tag == _NULL):
                continue
            if isinstance(value, ScalarNode) and not value.tag.startswith("!"):
                line = value.start_mark.line + 1
                found[key.value] = Stated(value.value, place, f"{key.value} ({name}, line {line})")
            elif key.value in READ:
                self.unread[f"{key.value} in {name}"] = None
        return found

    def _leave_out(self, path: Path, why: str) -> None:
        self.unread[f"{self._name(path)} ({why})"] = None

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()
