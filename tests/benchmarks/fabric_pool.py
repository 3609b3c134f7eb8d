"""Add the routes with a bare pool of fabric connections, tuned: no search for keys, no delayed packets, one command.

`python fabric_pool.py BATCHES KEY KNOWN_HOSTS PARALLEL`
"""

import json
import shlex
import socket
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fabric import Config, Connection
from paramiko import Ed25519Key, HostKeys, PKey, RejectPolicy


def main(batches: str, key_file: str, known_hosts: str, parallel: str) -> None:
    """Work on all hosts, so many at once."""
    key, keys = Ed25519Key.from_private_key_file(key_file), HostKeys(known_hosts)

    def work(address: str, batch: str) -> None:
        sock = socket.create_connection((address, 22), timeout=30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        options = {"pkey": key, "sock": sock, "look_for_keys": False, "allow_agent": False}
        with Connection(address, user="root", config=Config(lazy=True), connect_kwargs=options) as connection:
            known: Mapping[str, PKey] = keys.lookup(address) or {}
            for kind, host_key in known.items():
                connection.client.get_host_keys().add(address, kind, host_key)
            connection.client.set_missing_host_key_policy(RejectPolicy())
            connection.run(f"printf %s {shlex.quote(batch)} | ip -batch -", hide=True, in_stream=False)

    hosts = json.loads(Path(batches).read_text())
    with ThreadPoolExecutor(int(parallel)) as pool:
        list(pool.map(work, hosts.keys(), hosts.values()))


if __name__ == "__main__":
    main(*sys.argv[1:])
