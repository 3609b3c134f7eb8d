"""Programs that list files and move bytes: ls, stat, dd, mv."""

import contextlib
import posixpath
import re
import stat as stat_bits
import time

from kthw_routes.demo.linux.nodes import FileError, Node
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import found, lacks_operand, options, owner_name, try_help


@program("ls")
def ls(process: Process) -> int:
    """List directories; -1, -l, -a, -A, -d. Each name on its own line, as into a pipe."""
    letters, _, names = options(process)
    files = process.host.files
    status = 0
    shown: list[tuple[str, Node]] = []
    folders: list[tuple[str, Node]] = []
    for name in names or ["."]:
        try:
            node = files.node(name, process, follow=False)
            if node.type == "link" and not set(letters) & set("ld"):
                with contextlib.suppress(FileError):  # a dangling link is listed itself
                    node = files.node(name, process)
        except FileError as error:
            process.fail(f"cannot access '{name}': {error.reason}")
            status = 2
            continue
        (folders if node.type == "directory" and "d" not in letters else shown).append((name, node))
    _print_nodes(process, shown, letters)
    for i, (name, _) in enumerate(folders):
        if len(names) > 1:
            process.out(f"{chr(10) if i or shown else ''}{name}:\n")
        try:
            inside = files.names(name, process)
        except FileError as error:
            process.fail(f"cannot open directory '{name}': {error.reason}")
            status = 2
            continue
        if "a" not in letters and "A" not in letters:
            inside = [entry for entry in inside if not entry.startswith(".")]
        elif "a" in letters:
            inside = [".", "..", *inside]
        if "l" in letters:
            process.out("total 0\n")
        rows = [(entry, files.node(posixpath.join(name, entry), process, follow=False)) for entry in inside]
        _print_nodes(process, rows, letters)
    return status


def _print_nodes(process: Process, rows: list[tuple[str, Node]], letters: str) -> None:
    for name, node in rows:
        if "l" not in letters:
            process.out(f"{name}\n")
            continue
        when = time.strftime("%b %e %H:%M", time.gmtime(node.mtime))
        arrow = f" -> {node.target}" if node.type == "link" else ""
        owner, group = owner_name(process, node.uid), owner_name(process, node.gid)
        mode = stat_bits.filemode(node.full_mode)
        process.out(f"{mode} 1 {owner} {group} {_size(node):>5} {when} {name}{arrow}\n")


_KINDS = {"file": "regular file", "directory": "directory", "link": "symbolic link", "device": "character special file"}


@program("stat")
def stat(process: Process) -> int:
    """Print what a format asks of files: `stat [-L] -c FORMAT FILES`."""
    letters, values, names = options(process, "c")
    if not names or not values:
        return try_help(process, "missing operand")
    status = 0
    for name in names:
        try:
            node = process.host.files.node(name, process, follow="L" in letters)
        except FileError as error:
            status = process.fail(f"cannot statx '{name}': {error.reason}")
            continue
        process.out(_formatted(process, values[0], name, node) + "\n")
    return status


def _formatted(process: Process, template: str, name: str, node: Node) -> str:
    size = _size(node)
    values = {
        "n": name,
        "a": f"{node.mode:o}",
        "u": str(node.uid),
        "g": str(node.gid),
        "U": owner_name(process, node.uid),
        "G": owner_name(process, node.gid),
        "s": str(size),
        "i": str(node.inode),
        "F": "regular empty file" if node.type == "file" and not size else _KINDS[node.type],
    }
    return re.sub(r"%(.)", lambda match: values.get(match[1], "?"), template)


def _size(node: Node) -> int:
    return len(node.target if node.type == "link" else node.data)


@program("dd")
def dd(process: Process) -> int:
    """Write stdin to a file: `dd of=FILE [conv=fsync] status=none`."""
    name = dict(word.partition("=")[::2] for word in process.arguments).get("of", "/dev/null")
    data = process.read()
    try:
        write = process.host.files.writer(name, process)
    except FileError as error:
        return process.fail(f"failed to open '{name}': {error.reason}")
    try:
        write(data)
    except FileError as error:
        return process.fail(f"error writing '{name}': {error.reason}")
    return 0


@program("mv")
def mv(process: Process) -> int:
    """Move a file: `mv [-f] [-T] SOURCE TARGET`."""
    letters, _, names = options(process)
    if len(names) < 2:
        return lacks_operand(process, names)
    files = process.host.files
    source, target = names[0], names[-1]
    try:
        node = files.node(source, process, follow=False)
    except FileError as error:
        return process.fail(f"cannot stat '{source}': {error.reason}")
    if "T" not in letters:
        try:
            if files.node(target, process).type == "directory":
                target = posixpath.join(target, posixpath.basename(source))
        except FileError:
            pass  # it is not there yet
    try:
        there = files.node(target, process, follow=False)
        if there is node or (there.type == "directory" and there is found(process, source)):
            return process.fail(f"'{source}' and '{target}' are the same file")
    except FileError as error:
        if error.reason == "Not a directory":
            return process.fail(f"cannot stat '{target}': {error.reason}")
    try:
        files.rename(source, target, process)
    except FileError as error:
        if error.reason == "Is a directory":
            return process.fail(f"cannot overwrite directory '{target}' with non-directory")
        if error.reason == "Not a directory" and node.type == "directory":
            return process.fail(f"cannot overwrite non-directory '{target}' with directory '{source}'")
        return process.fail(f"cannot move '{source}' to '{target}': {error.reason}")
    return 0
