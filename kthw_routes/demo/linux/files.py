"""A small file tree in memory: owners, modes, links, and the ways in which a write can fail.

Errors carry the words of Linux's strerror.
"""

import errno
import posixpath
from collections.abc import Callable, Iterator

from kthw_routes.demo.clock import Clock
from kthw_routes.demo.linux.nodes import FileError, Node, Visitor


class FileTree:
    """The files of one host."""

    def __init__(self, clock: Clock, epoch: float) -> None:
        self._clock = clock
        self._epoch = epoch
        self._inodes = 100
        self.free: int | None = None
        """Bytes left on the disk; None for plenty."""
        self.read_only: set[str] = set()
        """Directories mounted read-only."""
        self.root = self._new("directory", 0o755, 0, 0)

    def _new(self, type_: str, mode: int, uid: int, gid: int) -> Node:
        self._inodes += 1
        return Node(type_, mode, uid, gid, inode=self._inodes, mtime=self.now())

    def now(self) -> float:
        """Return the modelled seconds since the epoch."""
        return self._epoch + self._clock.now()

    # building

    def put(self, path: str, data: bytes | str = b"", *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Node:
        """Make a file, and the directories above it, in the place of whatever stood there; asks no permission."""
        node = self._new("file", mode, uid, gid)
        node.data = data.encode() if isinstance(data, str) else data
        self.directory(posixpath.dirname(path)).children[posixpath.basename(path)] = node
        return node

    def link(self, path: str, target: str) -> Node:
        """Make a symbolic link."""
        node = self._new("link", 0o777, 0, 0)
        node.target = target
        self.directory(posixpath.dirname(path)).children[posixpath.basename(path)] = node
        return node

    def directory(self, path: str) -> Node:
        """Return a directory, made if missing."""
        node = self.root
        for name in path.strip("/").split("/"):
            if name:
                node = node.children.setdefault(name, self._new("directory", 0o755, 0, 0))
        return node

    # looking

    def resolve(self, path: str, who: Visitor, *, follow: bool = True) -> str:
        """Return the absolute path with links followed; the last part need not exist. Raises FileError."""
        return self._walk(path, who, follow)[0]

    def node(self, path: str, who: Visitor, *, follow: bool = True) -> Node:
        """Return what is at a path. Raises FileError."""
        node = self._walk(path, who, follow)[1]
        if node is None:
            raise FileError(errno.ENOENT)
        return node

    def _walk(self, path: str, who: Visitor, follow: bool) -> tuple[str, Node | None]:
        if not path:
            raise FileError(errno.ENOENT)
        parts = posixpath.join(who.cwd, path).split("/")
        trail: list[tuple[str, Node]] = [("", self.root)]
        links = 0
        while parts:
            name = parts.pop(0)
            here = trail[-1][1]
            if here.type != "directory":
                raise FileError(errno.ENOTDIR)
            if name in ("", "."):
                continue
            if name == "..":
                trail = trail[:-1] or trail
                continue
            self._require(here, who, 1)
            child = here.children.get(name)
            if child is None:
                if any(part not in ("", ".") for part in parts):
                    raise FileError(errno.ENOENT)
                return _join(trail, name), None
            if child.type == "link" and (follow or any(parts)):
                links += 1
                if links > 40:
                    raise FileError(errno.ELOOP)
                parts = child.target.split("/") + parts
                if child.target.startswith("/"):
                    trail = trail[:1]
                continue
            trail.append((name, child))
        return _join(trail), trail[-1][1]

    def _require(self, node: Node, who: Visitor, bit: int) -> None:
        """Raise unless the account has this permission (4 read, 2 write, 1 search)."""
        user = who.user
        if user.is_root:
            return
        shift = 6 if node.uid == user.uid else 3 if node.gid == user.gid else 0
        if node.mode >> shift & bit != bit:
            raise FileError(errno.EACCES)

    def read(self, path: str, who: Visitor) -> bytes:
        """Return the content of a file. Raises FileError."""
        node = self.node(path, who)
        if node.type == "directory":
            raise FileError(errno.EISDIR)
        self._require(node, who, 4)
        return node.source(who) if node.source else node.data

    def names(self, path: str, who: Visitor) -> list[str]:
        """Return the sorted names in a directory. Raises FileError."""
        node = self.node(path, who)
        if node.type != "directory":
            raise FileError(errno.ENOTDIR)
        self._require(node, who, 4)
        return sorted(node.children)

    def may_enter(self, path: str, who: Visitor) -> bool:
        """Whether the account may search a directory."""
        try:
            self._require(self.node(path, who), who, 1)
        except FileError:
            return False
        return True

    # changing

    def writer(self, path: str, who: Visitor, *, append: bool = False, mode: int = 0o644) -> Callable[[bytes], None]:
        """Open a file for writing, made if missing and emptied unless they `append`; returns what takes the bytes.

        Raises:
            FileError: now, or from the returned function when the disk is full.
        """
        full, node = self._walk(path, who, True)
        if node is not None and node.type == "directory":
            raise FileError(errno.EISDIR)
        if node is None:
            node = self._create(full, who, self._new("file", mode, who.user.uid, who.user.gid))
        else:
            self._require(node, who, 2)
            if self._is_read_only(full):
                raise FileError(errno.EROFS)
            if node.immutable:
                raise FileError(errno.EPERM)
        if node.sink:
            return node.sink
        if not append:
            self._resize(node, b"")
        return lambda data: self._resize(node, node.data + data)

    def write(self, path: str, data: bytes, who: Visitor, *, append: bool = False) -> None:
        """Write a whole file. Raises FileError."""
        self.writer(path, who, append=append)(data)

    def _resize(self, node: Node, data: bytes) -> None:
        grown = len(data) - len(node.data)
        if self.free is not None:
            if grown > self.free:
                node.data = data[: len(node.data) + self.free]
                self.free = 0
                raise FileError(errno.ENOSPC)
            self.free -= grown
        node.data = data
        self.touch(node)

    def touch(self, node: Node) -> None:
        """Note that it was written to now."""
        node.mtime = self.now()
        node.version += 1

    def _create(self, full: str, who: Visitor, node: Node) -> Node:
        parent = self._writable_parent(full, who)
        parent.children[posixpath.basename(full)] = node
        return node

    def _writable_parent(self, full: str, who: Visitor) -> Node:
        parent = self.node(posixpath.dirname(full) or "/", who)
        if self._is_read_only(full):
            raise FileError(errno.EROFS)
        self._require(parent, who, 3)
        if parent.immutable:
            raise FileError(errno.EPERM)
        return parent

    def _is_read_only(self, full: str) -> bool:
        return any(full == place or full.startswith(place.rstrip("/") + "/") for place in self.read_only)

    def make_directory(self, path: str, who: Visitor, *, parents: bool = False, mode: int = 0o755) -> None:
        """Make a directory; with `parents` it may be there already. Raises FileError."""
        full, node = self._walk(path, who, False)
        if node is not None:
            if parents and self._walk(path, who, True)[1] is not None and self.node(path, who).type == "directory":
                return
            raise FileError(errno.EEXIST)
        self._create(full, who, self._new("directory", mode, who.user.uid, who.user.gid))

    def remove_directory(self, path: str, who: Visitor) -> None:
        """Remove an empty directory. Raises FileError."""
        full, node = self._walk(path, who, False)
        if node is None:
            raise FileError(errno.ENOENT)
        if node.type != "directory":
            raise FileError(errno.ENOTDIR)
        if node.children:
            raise FileError(errno.ENOTEMPTY)
        parent = self._writable_parent(full, who)
        self._may_unlink(node)
        del parent.children[posixpath.basename(full)]

    def make_link(self, path: str, target: str, who: Visitor) -> None:
        """Make a symbolic link. Raises FileError."""
        full, node = self._walk(path, who, False)
        if node is not None:
            raise FileError(errno.EEXIST)
        link = self._new("link", 0o777, who.user.uid, who.user.gid)
        link.target = target
        self._create(full, who, link)

    def remove(self, path: str, who: Visitor, *, recursive: bool = False) -> None:
        """Remove a file or a link, or with `recursive` a directory. Raises FileError."""
        full, node = self._walk(path, who, False)
        if node is None:
            raise FileError(errno.ENOENT)
        if node.type == "directory" and not recursive:
            raise FileError(errno.EISDIR)
        parent = self._writable_parent(full, who)
        self._may_unlink(node)
        del parent.children[posixpath.basename(full)]
        if self.free is not None:
            self.free += len(node.data)

    def _may_unlink(self, node: Node) -> None:
        if node.mounted:
            raise FileError(errno.EBUSY)
        if node.immutable:
            raise FileError(errno.EPERM)

    def rename(self, old: str, new: str, who: Visitor) -> None:
        """Rename in one step as rename(2) does; a link at `new` is replaced, not followed. Raises FileError."""
        old_full, node = self._walk(old, who, False)
        new_full, taken = self._walk(new, who, False)
        if node is None:
            raise FileError(errno.ENOENT)
        old_parent = self._writable_parent(old_full, who)
        new_parent = self._writable_parent(new_full, who)
        self._may_unlink(node)
        if taken is not None:
            self._may_unlink(taken)
            if taken.type == "directory" and node.type != "directory":
                raise FileError(errno.EISDIR)
            if taken.type != "directory" and node.type == "directory":
                raise FileError(errno.ENOTDIR)
            if taken.children:
                raise FileError(errno.ENOTEMPTY)
        if taken is node:
            return
        del old_parent.children[posixpath.basename(old_full)]
        new_parent.children[posixpath.basename(new_full)] = node

    def walk(self, top: str, who: Visitor) -> Iterator[tuple[str, Node]]:
        """Yield every path below a directory with its node."""
        for name in self.names(top, who):
            path = posixpath.join(top, name)
            node = self.node(path, who, follow=False)
            yield path, node
            if node.type == "directory":
                yield from self.walk(path, who)


def _join(trail: list[tuple[str, Node]], *more: str) -> str:
    return "/" + "/".join([name for name, _ in trail[1:]] + list(more))
