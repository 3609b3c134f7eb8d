"""Programs that make files and take them away: mkdir, rmdir, rm, chmod, install, ln, mktemp, sync."""

import errno
import itertools
import posixpath
import re
import zlib
from typing import Final

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import for_each, found, is_directory, lacks_operand, options, quoted, try_help

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@program("mkdir")
def mkdir(process: Process) -> int:
    """Make directories: `mkdir [-p] [-m OCTAL] DIRECTORIES`."""
    letters, values, names = options(process, "m")
    mode = int(values[0], 8) if "m" in letters and values and re.fullmatch("[0-7]{1,4}", values[0]) else 0o755
    if not names:
        return try_help(process, "missing operand")
    status = 0
    for name in names:
        parts = name.rstrip("/").split("/")
        above = ["/".join(parts[: i + 1]) or "/" for i in range(len(parts) - 1)] if "p" in letters else []
        path = name
        try:
            for path in above:
                process.host.files.make_directory(path, process, parents=True)
            path = name
            process.host.files.make_directory(name, process, parents="p" in letters, mode=mode)
        except FileError as error:
            reason = "Not a directory" if path != name and error.reason == "File exists" else error.reason
            status = process.fail(f"cannot create directory '{path}': {reason}")
    return status


@program("rmdir")
def rmdir(process: Process) -> int:
    """Remove empty directories: `rmdir [--ignore-fail-on-non-empty] DIRECTORIES`."""
    _, long, names = options(process)

    def remove(name: str) -> None:
        try:
            process.host.files.remove_directory(name, process)
        except FileError as error:
            if error.errno != errno.ENOTEMPTY or "--ignore-fail-on-non-empty" not in long:
                raise

    return for_each(process, names, remove, "failed to remove") if names else try_help(process, "missing operand")


@program("rm")
def rm(process: Process) -> int:
    """Remove files: `rm [-f] [-r] FILES`."""
    letters, _, names = options(process)
    force = "f" in letters
    if not names and not force:
        return try_help(process, "missing operand")

    def remove(name: str) -> None:
        try:
            process.host.files.remove(name, process, recursive=bool(set(letters) & set("rR")))
        except FileError as error:
            if not force or error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise

    return for_each(process, names, remove, "cannot remove")


@program("chmod")
def chmod(process: Process) -> int:
    """Set permissions: `chmod OCTAL FILES`."""
    names = options(process)[2]
    if len(names) < 2 or not re.fullmatch("[0-7]{3,4}", names[0]):
        process.err(f"chmod: invalid mode: '{names[0] if names else ''}'\n")
        return 1
    status = 0
    for name in names[1:]:
        try:
            node = process.host.files.node(name, process)
        except FileError as error:
            status = process.fail(f"cannot access '{name}': {error.reason}")
            continue
        if not process.user.is_root and node.uid != process.user.uid:
            status = process.fail(f"changing permissions of '{name}': Operation not permitted")
            continue
        node.mode = int(names[0], 8)
    return status


@program("install")
def install(process: Process) -> int:
    """Copy a file: `install [-m OCTAL] [-T] SOURCE TARGET`. What it makes is root's."""
    letters, values, names = options(process, "m")
    text = values[0] if "m" in letters and values else "755"
    if not re.fullmatch("[0-7]{1,4}", text):
        return process.fail(f"invalid mode {quoted(process, text)}")
    files, mode = process.host.files, int(text, 8)
    if len(names) < 2:
        return lacks_operand(process, names)
    source, target = names[0], names[-1]
    if is_directory(process, target) and "T" not in letters:
        target = posixpath.join(target, posixpath.basename(source))
    node = found(process, source)
    try:
        if node is not None and node.type == "directory":
            return process.fail(f"omitting directory '{source}'")
        data = process.read() if source == "/dev/stdin" else files.read(source, process)
    except FileError as error:
        return process.fail(f"cannot stat '{source}': {error.reason}")
    if is_directory(process, target):
        return process.fail(f"cannot overwrite directory '{target}' with non-directory")
    try:
        there = files.node(target, process, follow=False)
    except FileError as error:
        if error.reason == "Not a directory":
            return process.fail(f"cannot stat '{target}': {error.reason}")
        there = None
    if there is not None and there is node:
        return process.fail(f"'{source}' and '{target}' are the same file")
    try:
        if there is not None:
            files.remove(target, process)
    except FileError as error:
        return process.fail(f"cannot remove '{target}': {error.reason}")
    try:
        files.write(target, data, process)
        files.node(target, process).mode = mode
    except FileError as error:
        full = error.reason == "No space left on device"
        return process.fail(f"{'error writing' if full else 'cannot create regular file'} '{target}': {error.reason}")
    return 0


@program("ln")
def ln(process: Process) -> int:
    """Make a symbolic link: `ln -s TARGET LINK`."""
    letters, _, names = options(process)
    if letters != "s" or len(names) != 2:
        return try_help(process, "only ln -s TARGET LINK is known here")
    try:
        process.host.files.make_link(names[1], names[0], process)
    except FileError as error:
        return process.fail(f"failed to create symbolic link '{names[1]}': {error.reason}")
    return 0


@program("mktemp")
def mktemp(process: Process) -> int:
    """Make a directory that nobody else may look into: `mktemp -d TEMPLATE`."""
    letters, _, names = options(process)
    if letters != "d" or len(names) != 1:
        return try_help(process, "only mktemp -d TEMPLATE is known here")
    template, files = names[0], process.host.files
    match = re.fullmatch(r"(.*?)(X{3,})", template)
    if not match:
        return process.fail(f"too few X's in template {quoted(process, template)}")
    before, marks = match.groups()
    for attempt in itertools.count():
        # Nobody has to guess it here, and pictures and tests like it to be the same each time.
        number = zlib.crc32(f"{process.host.name} {template} {attempt}".encode()) ** 3
        path = before + "".join(_LETTERS[number // len(_LETTERS) ** i % len(_LETTERS)] for i in range(len(marks)))
        try:
            files.make_directory(path, process, mode=0o700)
        except FileError as error:
            if error.errno == errno.EEXIST:
                continue
            return process.fail(f"failed to create directory via template {quoted(process, template)}: {error.reason}")
        process.out(f"{path}\n")
        break
    return 0


@program("sync")
def sync(process: Process) -> int:
    """Check that files exist: `sync [FILES]`; here everything is on the disk at once."""

    def check(name: str) -> None:
        process.host.files.node(name, process)

    return for_each(process, options(process)[2], check, "error opening")
