"""Programs that look at files, and the simple ones that move bytes: ls, stat, dd, mv, readlink."""

import contextlib
import posixpath
import re
import stat as stat_bits
import time

from kthw_routes.demo.linux.files import FileError, Node
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import found, lacks_operand, options, owner_name

BLOCK = 512


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
                with contextlib.suppress(FileError):  # a link that leads nowhere is listed itself
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
        size = len(node.target if node.type == "link" else node.data)
        arrow = f" -> {node.target}" if node.type == "link" else ""
        owner, group = owner_name(process, node.uid), owner_name(process, node.gid)
        mode = stat_bits.filemode(node.full_mode)
        process.out(f"{mode} 1 {owner} {group} {size:>5} {when} {name}{arrow}\n")


_STAT = """\
  File: %n
  Size: %s\tBlocks: %b\tIO Block: %o   %F
Access: (0%a/%A)  Uid: %u/%U   Gid: %g/%G
Modify: %y"""
_KINDS = {"file": "regular file", "directory": "directory", "link": "symbolic link", "device": "character special file"}


@program("stat")
def stat(process: Process) -> int:
    """`stat [-L] -c FORMAT FILES`."""
    words = process.arguments
    template, follow, names = None, False, []
    while words:
        word, words = words[0], words[1:]
        if word in ("-c", "--format", "--printf") and words:
            template, words = words[0], words[1:]
        elif word.startswith(("--format=", "-c")):
            template = word.partition("=")[2] if "=" in word and word.startswith("--") else word[2:]
        elif word in ("-L", "--dereference"):
            follow = True
        elif word != "--":
            names.append(word)
    if not names:
        process.err("stat: missing operand\nTry 'stat --help' for more information.\n")
        return 1
    status = 0
    for name in names:
        try:
            node = process.host.files.node(name, process, follow=follow)
        except FileError as error:
            status = process.fail(f"cannot statx '{name}': {error.reason}")
            continue
        shown = (
            template
            or "  File: %n\n  Size: %s\tBlocks: %b\tIO Block: 4096   %F\nAccess: (0%a/%A)  Uid: %u/%U   Gid: %g/%G"
        )
        process.out(_formatted(process, shown, name, node) + "\n")
    return status


def _formatted(process: Process, template: str, name: str, node: Node) -> str:
    size = len(node.target if node.type == "link" else node.data)
    arrow = f" -> '{node.target}'" if node.type == "link" else ""
    kind = "regular empty file" if node.type == "file" and not size else _KINDS[node.type]
    selinux = node.xattrs.get("security.selinux", "?")
    values = {
        "%": "%",
        "n": name,
        "N": f"'{name}'{arrow}",
        "a": f"{node.mode:o}",
        "A": stat_bits.filemode(node.full_mode),
        "f": f"{node.full_mode:x}",
        "u": str(node.uid),
        "g": str(node.gid),
        "U": owner_name(process, node.uid),
        "G": owner_name(process, node.gid),
        "s": str(size),
        "i": str(node.inode),
        "h": "1",
        "F": kind,
        "Y": str(int(node.mtime)),
        "X": str(int(node.mtime)),
        "Z": str(int(node.mtime)),
        "y": time.strftime("%Y-%m-%d %H:%M:%S.000000000 +0000", time.gmtime(node.mtime)),
        "b": str(-(-size // BLOCK)),
        "B": str(BLOCK),
        "o": "4096",
        "d": "2048",
        "D": "800",
        "t": "0",
        "T": "0",
        "C": selinux,
        "m": process.host.files.resolve(name, process) if node.mounted else "/",
    }
    return re.sub(r"%(.)", lambda match: values.get(match[1], "?"), template)


@program("dd")
def dd(process: Process) -> int:
    """`dd [if=FILE] [of=FILE] [conv=fsync,notrunc] [status=none]`."""
    operands = dict(word.partition("=")[::2] for word in process.arguments)
    unknown = next((word for word in process.arguments if "=" not in word), None)
    if unknown is not None:
        process.err(f"dd: unrecognized operand '{unknown}'\nTry 'dd --help' for more information.\n")
        return 1
    files = process.host.files
    try:
        data = files.read(operands["if"], process) if "if" in operands else process.read()
    except FileError as error:
        return process.fail(f"failed to open '{operands['if']}': {error.reason}")
    status = 0
    if "of" in operands:
        try:
            append = "append" in operands.get("oflag", "")
            over = "notrunc" in operands.get("conv", "") and not append
            write = files.writer(operands["of"], process, append=append, over=over)
        except FileError as error:
            return process.fail(f"failed to open '{operands['of']}': {error.reason}")
        try:
            write(data)
        except FileError as error:
            status = process.fail(f"error writing '{operands['of']}': {error.reason}")
    else:
        process.stdout(data)
    if operands.get("status") != "none":
        records = f"{len(data) // BLOCK}+{int(len(data) % BLOCK > 0)} records"
        process.err(f"{records} in\n{records} out\n{len(data)} bytes copied, 0.0001 s\n")
    return status


@program("mv")
def mv(process: Process) -> int:
    """`mv [-f] [-T] SOURCE TARGET`."""
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


@program("readlink", "realpath")
def readlink(process: Process) -> int:
    """`readlink [-f] FILE`, `realpath FILE`."""
    letters, _, names = options(process)
    status = 0
    for name in names:
        try:
            if process.name.endswith("realpath") or set(letters) & set("fem"):
                process.out(f"{process.host.files.resolve(name, process)}\n")
                continue
            node = process.host.files.node(name, process, follow=False)
        except FileError:
            return 1
        if node.type != "link":
            return 1
        process.out(f"{node.target}\n")
    return status
