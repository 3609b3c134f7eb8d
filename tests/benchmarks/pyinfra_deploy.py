"""Add the routes with pyinfra: one operation, one command per host."""

import shlex

from pyinfra.context import host
from pyinfra.operations import server

server.shell(name="Routes", commands=[f"printf %s {shlex.quote(host.data.batch)} | ip -batch -"])
