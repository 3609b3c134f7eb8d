"""A learner at a modelled node: OpenSSH's own client, a prompt, line editing, ^C and ^D."""

import subprocess
from shutil import which
from typing import IO

import pytest

from kthw_routes.demo.host import ModelHost
from tests.model.ssh_hosts import Bench

pytestmark = pytest.mark.skipif(which("ssh") is None, reason="there is no ssh client on this machine")


def ssh(bench: Bench, *options: str) -> list[str]:
    """The command line of OpenSSH's client for a modelled node."""
    server = bench.server(ModelHost("worker-0"))
    bench.known_hosts.write_text(server.known_hosts_line + "\n")
    settings = [f"UserKnownHostsFile={bench.known_hosts}", "IdentitiesOnly=yes", "LogLevel=ERROR"]
    flags = [word for setting in settings for word in ("-o", setting)]
    port = str(server.port)
    return ["ssh", "-F", "/dev/null", *flags, "-i", str(bench.key), "-p", port, *options, "root@127.0.0.1"]


def read_until(stream: IO[bytes], end: bytes) -> bytes:
    """What comes up to and with `end`."""
    seen = b""
    while not seen.endswith(end):
        byte = stream.read(1)
        assert byte, f"the session ended after {seen!r}"
        seen += byte
    return seen


@pytest.mark.timeout(60)
def test_a_shell_to_type_into(bench: Bench) -> None:
    with subprocess.Popen(ssh(bench, "-tt"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        read_until(process.stdout, b"root@worker-0:~# ")
        process.stdin.write(b"cd /etcc\x7f\r")
        assert read_until(process.stdout, b"root@worker-0:/etc# ").startswith(b"cd /etcc\x08 \x08\r\n")
        process.stdin.write(b"ping 127.0.0.1\r")
        read_until(process.stdout, b"icmp_seq=1")
        process.stdin.write(b"\x03")
        read_until(process.stdout, b"root@worker-0:/etc# ")
        process.stdin.write("echo né\x1b[A\r".encode())
        assert "\r\nné\r\n" in read_until(process.stdout, b"# ").decode()
        process.stdin.write(b"sh -c 'exit 5'\r")
        read_until(process.stdout, b"# ")
        process.stdin.write(b"\x04")
        process.stdin.close()
        process.wait(20)


def test_a_script_on_stdin(bench: Bench) -> None:
    done = subprocess.run(
        ssh(bench, "-T"), input=b"cd /etc\npwd\nexit 3\n", capture_output=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, b"/etc\n", b"")


def test_a_command_and_its_status(bench: Bench) -> None:
    done = subprocess.run([*ssh(bench), "cat; exit 4"], input=b"mine", capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (4, b"mine", b"")
