"""Reading a file on the person's machine: what is no file is refused at once, and so is one that is too large."""

import errno
import os
import socket
from pathlib import Path

import pytest

from kthw_routes.local_files import read_file


def test_reads_a_file_whole_and_follows_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1024)
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link", 1024) == b"x" * 1024


def test_refuses_a_larger_file_and_says_the_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1025)
    with pytest.raises(OSError, match="larger than 1 KiB") as error:
        read_file(tmp_path / "file", 1024)
    assert error.value.errno == errno.EFBIG


def test_refuses_a_fifo_that_nobody_writes_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="a named pipe"):
        read_file(tmp_path / "fifo", 1024)


def test_refuses_a_folder_a_device_and_a_socket(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="a folder"):
        read_file(tmp_path, 1024)
    with pytest.raises(OSError, match="a device"):
        read_file(Path("/dev/zero"), 1024)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match="No such device"):
            read_file(tmp_path / "socket", 1024)
