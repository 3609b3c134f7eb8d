"""`cp`: files with or without their attributes, whole directories."""

import posixpath

from kthw_routes.demo.linux.nodes import FileError, Node
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import found, is_directory, lacks_operand, options


@program("cp")
def cp(process: Process) -> int:
    """Copy files: `cp [-a|-r|-p|--preserve=all] [-T] [--attributes-only] SOURCES TARGET`."""
    letters, long, names = options(process)
    if len(names) < 2:
        return lacks_operand(process, names)
    *sources, target = names
    into = is_directory(process, target) and "T" not in letters
    if len(sources) > 1 and not into:
        reason = "Not a directory" if found(process, target) else "No such file or directory"
        return process.fail(f"target '{target}': {reason}")
    copying = _Copying(process, letters, long)
    status = 0
    for i, source in enumerate(sources):
        if source in sources[:i] and found(process, source, follow=False):
            kind = "directory" if is_directory(process, source) else "file"
            process.fail(f"warning: source {kind} '{source}' specified more than once")
            continue
        place = posixpath.join(target, posixpath.basename(source.rstrip("/"))) if into else target
        status |= copying.copy(source, place)
    return status


class _Copying:
    def __init__(self, process: Process, letters: str, long: list[str]) -> None:
        self.process = process
        self.files = process.host.files
        self.recursive = bool(set(letters) & set("arR")) or bool({"--recursive", "--archive"} & set(long))
        self.follow = not self.recursive and not {"d", "P"} & set(letters)
        self.preserve = bool(set(letters) & set("ap")) or any(o.startswith("--preserve") for o in long)
        self.attributes_only = "--attributes-only" in long

    def copy(self, source: str, target: str, top: tuple[str, str, Node] | None = None) -> int:
        """Copy one file, link or directory; the status.

        Args:
            top: the names of the whole copy, and the directory that it makes, which is not copied into itself.
        """
        process = self.process
        try:
            node = self.files.node(source, process, follow=self.follow)
        except FileError as error:
            return process.fail(f"cannot stat '{source}': {error.reason}")
        if node.type == "directory" and not self.recursive:
            return process.fail(f"-r not specified; omitting directory '{source}'")
        if top and node is top[2]:
            return process.fail(f"cannot copy a directory, '{top[0]}', into itself, '{top[1]}'")
        try:
            self.files.node(target, process, follow=False)
        except FileError as error:
            if error.reason == "Not a directory":
                return process.fail(f"cannot stat '{target}': {error.reason}")
        there = found(process, target, follow=node.type == "file")
        is_itself = node.type == "directory" and found(process, target) is node
        if is_itself or (there is not None and (there is node or there is found(process, source))):
            return process.fail(f"'{source}' and '{target}' are the same file")
        if there is not None and node.type == "directory" != there.type:
            return process.fail(f"cannot overwrite non-directory '{target}' with directory '{source}'")
        if there is not None and there.type == "directory" != node.type:
            return process.fail(f"cannot overwrite directory '{target}' with non-directory")
        if node.type == "directory":
            return self._directory(source, node, target, top)
        if there is None and found(process, target, follow=False) and not self.attributes_only:
            return process.fail(f"not writing through dangling symlink '{target}'")
        return self._file(source, node, target)

    def _directory(self, source: str, node: Node, target: str, top: tuple[str, str, Node] | None) -> int:
        process, status = self.process, 0
        try:
            if found(process, target) is None:
                self.files.make_directory(target, process, mode=node.mode & 0o777)
        except FileError as error:
            return process.fail(f"cannot create directory '{target}': {error.reason}")
        try:
            names = self.files.names(source, process)
        except FileError as error:
            return process.fail(f"cannot access '{source}': {error.reason}")
        top = top or (source, target, self.files.node(target, process))
        for name in names:
            status |= self.copy(posixpath.join(source, name), posixpath.join(target, name), top)
        if self.preserve:
            self._give_attributes(node, target)
        return status

    def _file(self, source: str, node: Node, target: str) -> int:
        process, files = self.process, self.files
        try:
            if node.type == "link":
                if found(process, target, follow=False):
                    files.remove(target, process)
                files.make_link(target, node.target, process)
                return 0
            if self.attributes_only:
                files.writer(target, process, append=True)
            else:
                data = files.read(source, process)
                files.writer(target, process, mode=node.mode & 0o755)(data)
        except FileError as error:
            kind = "symbolic link" if node.type == "link" else "regular file"
            verb = "error writing" if error.reason == "No space left on device" else f"cannot create {kind}"
            return process.fail(f"{verb} '{target}': {error.reason}")
        if self.preserve:
            self._give_attributes(node, target)
        return 0

    def _give_attributes(self, node: Node, target: str) -> None:
        copy = self.files.node(target, self.process)
        copy.mode, copy.mtime = node.mode, node.mtime
        if self.process.user.is_root:
            copy.uid, copy.gid = node.uid, node.gid
