"""cloud-init on a modelled host, as far as /etc/hosts goes: `manage_etc_hosts` has it written at each boot."""

import re
from typing import Final

from kthw_routes.demo.linux.machine import Machine
from kthw_routes.demo.linux.nodes import AS_ROOT, FileError

CONFIG: Final = "/etc/cloud/cloud.cfg"
TEMPLATE: Final = "/etc/cloud/templates/hosts.debian.tmpl"

_SETTING: Final = re.compile(r"^manage_etc_hosts:[ \t]*['\"]?([A-Za-z]+)", re.MULTILINE)
_HEADER: Final = re.compile(r"## *template: *(\w+)[^\n]*\n")
_COMMENT: Final = re.compile(r"\{#.*?(-?)#\}(\n?)", re.DOTALL)


def write_hosts(host: Machine) -> None:
    """Make /etc/hosts of its template, if the configuration says so and there is a template."""
    template = _text(host, TEMPLATE)
    if _manages(host) and template is not None:
        host.files.put("/etc/hosts", render(template, host.name))


def _manages(host: Machine) -> bool:
    """Whether cloud-init rules the file; what is read last counts."""
    try:
        parts = [f"{CONFIG}.d/{name}" for name in host.files.names(f"{CONFIG}.d", AS_ROOT) if name.endswith(".cfg")]
    except FileError:
        parts = []
    found = ""
    for path in (CONFIG, *parts):
        for match in _SETTING.finditer(_text(host, path) or ""):
            found = match[1].lower()
    return found in ("true", "yes", "on", "template")


def _text(host: Machine, path: str) -> str | None:
    try:
        return host.files.read(path, AS_ROOT).decode("utf-8", "surrogateescape")
    except FileError:
        return None


def render(template: str, name: str) -> str:
    """Fill in a template, whose first line may say in which language it is."""
    header = _HEADER.match(template)
    body = template[header.end() :] if header else template
    values = {"hostname": name.partition(".")[0], "fqdn": name}

    def value(match: re.Match[str]) -> str:
        return values.get(match[1], match[0])

    if header and header[1] == "jinja":
        body = _COMMENT.sub(lambda match: "" if match[1] else match[2], body)
        return re.sub(r"\{\{ *(\w+) *\}\}", value, body)
    return re.sub(r"\$\{?(\w+)\}?", value, body)
