"""The modelled files: how coreutils fail, and that a rename replaces at one stroke."""

from pathlib import PurePosixPath

import pytest

from kthw_routes.demo.linux.nodes import AS_ROOT
from kthw_routes.plan import shell
from kthw_routes.plan.changes import ChangeKind, FileChange
from tests.model.accounts import add_user
from tests.model.hosts import Ran, lone_host, run

REPLACE = (
    "cp --attributes-only --preserve=all /etc/hosts /etc/.new && "
    "dd of=/etc/.new conv=fsync status=none && mv -fT /etc/.new /etc/hosts"
)


def test_a_file_is_replaced_by_a_rename() -> None:
    """New bytes, another inode, the old owner and mode; nothing is left beside it."""
    host = lone_host()
    run(host, "chmod 640 /etc/hosts")
    before = run(host, "stat -c '%a %u %g' /etc/hosts").out
    inode = run(host, "stat -c %i /etc/hosts").out
    assert run(host, REPLACE, stdin=b"new\n") == Ran(0, "", "")
    assert run(host, "cat /etc/hosts").out == "new\n"
    assert run(host, "stat -c '%a %u %g' /etc/hosts").out == before == "640 0 0\n"
    assert run(host, "stat -c %i /etc/hosts").out != inode
    assert ".new" not in run(host, "ls -a /etc").out


def test_what_can_go_wrong_with_a_write() -> None:
    """Each failure's words, and that the file keeps its bytes."""
    failures = {}
    for name in ("full", "read-only", "immutable", "mounted", "denied"):
        host = lone_host()
        node = host.files.node("/etc/hosts", AS_ROOT)
        user = "root"
        match name:
            case "full":
                host.files.free = 0
            case "read-only":
                host.files.read_only.add("/etc")
            case "immutable":
                node.immutable = True
            case "mounted":
                node.mounted = True
            case "denied":
                add_user(host, "learner")
                user = "learner"
        kept = node.data
        failures[name] = run(host, REPLACE, stdin=b"something new\n", user=user).err
        assert host.files.node("/etc/hosts", AS_ROOT).data == kept
    assert failures == {
        "full": "dd: error writing '/etc/.new': No space left on device\n",
        "read-only": "cp: cannot create regular file '/etc/.new': Read-only file system\n",
        "immutable": "mv: cannot move '/etc/.new' to '/etc/hosts': Operation not permitted\n",
        "mounted": "mv: cannot move '/etc/.new' to '/etc/hosts': Device or resource busy\n",
        "denied": "cp: cannot create regular file '/etc/.new': Permission denied\n",
    }


def test_a_bind_mount_is_seen_in_mountinfo() -> None:
    """Which is how one can know before trying."""
    host = lone_host()
    assert "/etc/hosts" not in run(host, "cat /proc/self/mountinfo").out
    host.files.node("/etc/hosts", AS_ROOT).mounted = True
    assert " /etc/hosts rw," in run(host, "cat /proc/self/mountinfo").out
    assert run(host, "rm -f /etc/hosts").err == "rm: cannot remove '/etc/hosts': Device or resource busy\n"


def test_a_link_is_followed_by_reading_and_replaced_by_a_rename() -> None:
    """`mv -T` puts the file in the link's place, as rename(2) does."""
    host = lone_host()
    run(host, "mkdir -p /data; echo far > /data/hosts; rm /etc/hosts")
    host.files.link("/etc/hosts", "../data/hosts")
    assert run(host, "cat /etc/hosts; stat -c %F /etc/hosts").out == "far\nsymbolic link\n"
    run(host, "echo new > /etc/.new; mv -fT /etc/.new /etc/hosts")
    assert run(host, "stat -c %F /etc/hosts; cat /data/hosts").out == "regular file\nfar\n"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cat /nowhere", Ran(1, "", "cat: /nowhere: No such file or directory\n")),
        ("cat /etc", Ran(1, "", "cat: /etc: Is a directory\n")),
        ("cat /etc/hostname/x", Ran(1, "", "cat: /etc/hostname/x: Not a directory\n")),
        ("ls /nowhere", Ran(2, "", "ls: cannot access '/nowhere': No such file or directory\n")),
        ("stat -c %s /nowhere", Ran(1, "", "stat: cannot statx '/nowhere': No such file or directory\n")),
        ("mv /nowhere /tmp/x", Ran(1, "", "mv: cannot stat '/nowhere': No such file or directory\n")),
        ("cp /nowhere /tmp/x", Ran(1, "", "cp: cannot stat '/nowhere': No such file or directory\n")),
        ("rm /nowhere", Ran(1, "", "rm: cannot remove '/nowhere': No such file or directory\n")),
        ("rm -f /nowhere", Ran(0, "", "")),
        ("rm /etc", Ran(1, "", "rm: cannot remove '/etc': Is a directory\n")),
        ("dd of=/no/where status=none", Ran(1, "", "dd: failed to open '/no/where': No such file or directory\n")),
        ("mkdir /etc", Ran(1, "", "mkdir: cannot create directory '/etc': File exists\n")),
        ("grep -c localhost /etc/hosts", Ran(0, "2\n", "")),
        ("grep -n '^127' /etc/hosts", Ran(0, "1:127.0.0.1 localhost\n2:127.0.1.1 worker-0\n", "")),
        ("grep nothing /etc/hosts", Ran(1, "", "")),
        ("echo 1.2.3.4 worker-1 | tee -a /etc/hosts; grep -c 1.2.3.4 /etc/hosts", Ran(0, "1.2.3.4 worker-1\n1\n", "")),
    ],
)  # fmt: skip
def test_programs_say_what_coreutils_say(command: str, expected: Ran) -> None:
    """Status, stdout, stderr."""
    assert run(lone_host(), command) == expected


def test_files_of_an_undo_by_hand_can_be_pasted() -> None:
    """What is shown to be pasted is understood: a file comes back as it was, or goes with its folder."""
    host = lone_host()
    for content in (b"one\n", b"no newline", b"\x1b[31mred\n"):
        path = PurePosixPath("/etc/x/y")
        removed = FileChange(
            kind=ChangeKind.REMOVE,
            path=path,
            before=content,
            mode=0o640,
            before_mode=0o640,
            reason="",
            folder_is_ours=True,
        )
        for commands, modes in ((removed.undo_commands, "640\n"), (removed.commands, "")):
            assert run(host, "\n".join((*shell.lines(commands), ""))) == Ran(0, "", "")
            assert run(host, f"stat -c %a {path} 2>/dev/null").out == modes
            assert run(host, f"cat {path} 2>/dev/null").out.encode() == (content if modes else b"")
    assert run(host, "ls /etc/x 2>/dev/null").status == 2
