"""Faults on real nodes, by real means. `NodeLab.reset` takes all of it back."""

import shlex
import time
from typing import Literal

from tests.journeys.faults import Hold
from tests.journeys.stage import RealNodes


class NodeFaults:
    """On real nodes, by real means."""

    def __init__(self, stage: RealNodes) -> None:
        self._lab = stage.lab
        self._since = time.time()

    def cut_off(self, node: str) -> None:
        self._lab.run(node, "systemctl stop ssh.service; pkill -KILL sshd; true")

    def connect(self, node: str) -> None:
        self._lab.node(node).restart_ssh()

    def hold(self, node: str, program: str, argument: str, when: Literal["before", "after"], *, nth: int = 1) -> Hold:
        return self._lab.node(node).hold(program, argument, when, nth=nth)

    def wrap(
        self,
        node: str,
        program: str,
        argument: str = "",
        *,
        out: bytes = b"",
        err: bytes = b"",
        seconds: float = 0,
        status: int | None = None,
    ) -> None:
        lines = [f"printf %b {_octal(out)}", f"printf %b {_octal(err)} >&2", f"sleep {seconds}"]
        if status is not None:
            lines.append(f"exit {status}")
        self._lab.node(node).wrap(
            program, before=f'case " $* " in *{shlex.quote(argument)}*) {"; ".join(lines)};; esac'
        )

    def flood(self, node: str, program: str, argument: str, *, is_error: bool = False) -> None:
        yes = "exec yes x >&2" if is_error else "exec yes x"
        self._lab.node(node).wrap(program, before=f'case " $* " in *{shlex.quote(argument)}*) {yes};; esac')

    def remove(self, node: str, program: str) -> None:
        self._lab.run(node, f"rm -f /usr/bin/{program} /usr/sbin/{program}")

    def refuse_keys(self, node: str) -> None:
        self._lab.run(node, "rm /root/.ssh/authorized_keys")

    def limit_sessions(self, node: str, count: int) -> None:
        host = self._lab.node(node)
        config = host.path("etc/ssh/sshd_config")
        config.write_text(f"MaxSessions {count}\n{config.read_text()}")
        host.restart_ssh()

    def change_host_key(self, node: str) -> None:
        self._lab.node(node).change_host_key()

    def share_host_key(self, node: str, other: str) -> None:
        key = "etc/ssh/ssh_host_ed25519_key"
        for name in (key, f"{key}.pub"):
            self._lab.node(node).path(name).write_bytes(self._lab.node(other).path(name).read_bytes())
        self._lab.node(node).restart_ssh()

    def fill_disk(self, node: str) -> None:
        self._lab.node(node).fill_disk()

    def make_read_only(self, node: str) -> None:
        self._lab.node(node).make_read_only()

    def bind_hosts_file(self, node: str) -> None:
        self._lab.node(node).bind_hosts_file(writable=True)

    def protect_hosts_file(self, node: str) -> None:
        self._lab.run(node, "chattr +i /etc/hosts")

    def link_hosts_file(self, node: str) -> None:
        self._lab.run(node, "mv /etc/hosts /etc/hosts.real; ln -s hosts.real /etc/hosts")

    def greet(self, node: str, banner: str, noise: bytes) -> None:
        host = self._lab.node(node)
        host.path("etc/ssh/banner").write_text(banner)
        config = host.path("etc/ssh/sshd_config")
        config.write_text(f"Banner /etc/ssh/banner\n{config.read_text()}")
        host.restart_ssh()
        bashrc = f"printf %b {_octal(noise)}\nprintf %b {_octal(noise)} >&2\n"
        for home in ("root", "home/ubuntu", "home/learner"):
            host.path(f"{home}/.bashrc").write_text(bashrc)

    def force_login(self, node: str, words: str, status: int) -> None:
        keys = self._lab.node(node).path("root/.ssh/authorized_keys")
        script = f"echo {shlex.quote(words)};echo;sleep 1;exit {status}".replace('"', '\\"')
        keys.write_text(f'command="{script}" {keys.read_text()}')

    def freeze(self, node: str) -> None:
        self._lab.node(node).freeze()

    def speak_german(self, node: str) -> None:
        host = self._lab.node(node)
        config = host.path("etc/ssh/sshd_config")
        config.write_text(f"SetEnv LANG=de_DE.UTF-8 LANGUAGE=de\n{config.read_text()}")
        host.restart_ssh()

    def mute_next_hop(self, node: str) -> None:
        address = self._lab.node(node).spec.private
        rules = (
            f"table arp mute {{ chain input {{ type filter hook input priority 0; arp daddr ip {address} drop; }}; }}"
        )
        self._lab.node(node).run(["nft", "-f", "-"], stdin=rules)
        for worker in self._lab.workers:
            worker.run(f"ip neigh flush to {address}")

    def failed_sudo(self, node: str) -> int:
        log = self._lab.run(node, f"journalctl --quiet --since=@{self._since:f} --identifier=sudo --output=cat")
        return sum("authentication failure" in line for line in log.splitlines())

    def is_running(self, node: str, words: str) -> bool:
        return bool(self._lab.run(node, ["pgrep", "-f", words], check=False))


def _octal(data: bytes) -> str:
    """For `printf %b`, which every shell has."""
    return shlex.quote("".join(f"\\0{byte:03o}" for byte in data))
