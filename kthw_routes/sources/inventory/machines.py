"""KTHW's own `machines.txt`: a line `IP FQDN HOST SUBNET` per machine.

A machine with a SUBNET is a worker, and the subnet its pod CIDR. Without one, `server` (newest KTHW) and
`controller-N` are controllers. Other machines, such as `jumpbox`, are ignored.
"""

import re
from collections.abc import Iterator
from typing import Final

from kthw_routes.cluster import Endpoint, Role, parse_address
from kthw_routes.errors import InvalidInput
from kthw_routes.findings.model import Finding, Level
from kthw_routes.node_names import is_host_name
from kthw_routes.sources.inventory import values
from kthw_routes.sources.inventory.nodes import Draft, ParsedInventory
from kthw_routes.sources.inventory.problems import Place, Problems, Stated

_EXAMPLE: Final = "192.168.8.20 node-0.kubernetes.local node-0 10.200.0.0/24"
_COLUMNS: Final = ("IP", "FQDN", "HOST", "SUBNET")
_WORD: Final = re.compile(r"[^ \t\r]+")  # what the tutorial's `read` splits at, and line ends of DOS
_CONTROLLER: Final = re.compile(r"server|(?:controller|control-plane|master)(?:-?\d+)?", re.IGNORECASE)
_WORKER: Final = re.compile(r"(?:node|worker)-?\d+", re.IGNORECASE)


def read_machines(text: str, problems: Problems) -> ParsedInventory:
    """Read what the file states."""
    drafts: list[Draft] = []
    ignored: list[Finding] = []
    whole = True
    for words in _lines_of(text):
        if not 3 <= len(words) <= 4:
            sentence = f"this line has {len(words)} of the columns {' '.join(_COLUMNS)}"
            problems.add_broken(words[0].place, f"{sentence}; expected, for example, {_EXAMPLE}")
            whole = False
            continue
        draft = _draft(words, problems)
        if draft:
            drafts.append(draft)
        else:
            host, line = words[2].value, words[0].place.line
            sentence = f"{host} (line {line}) is neither a worker nor a controller, so it is ignored."
            hint = "A worker's line ends with its SUBNET; a controller is called server or controller-0."
            ignored.append(Finding("inventory-ignored", Level.NOTICE, sentence, hint))
    return ParsedInventory(tuple(drafts), notices=tuple(ignored), others=len(ignored), is_whole=whole)


def _lines_of(text: str) -> Iterator[list[Stated[str]]]:
    """List the words of each line that states something."""
    for number, line in enumerate(text.split("\n"), start=1):
        content = re.sub(r"(?:^|(?<=[ \t]))#.*", "", line)
        matches = list(_WORD.finditer(content))
        if matches:
            names = (*_COLUMNS, *("",) * len(matches))
            yield [Stated(m.group(), Place(number, m.start() + 1), k) for m, k in zip(matches, names, strict=False)]


def _draft(words: list[Stated[str]], problems: Problems) -> Draft | None:
    """Read a machine as a node; None: it is not a node."""
    address, full_name, name = words[:3]
    role = Role.WORKER if len(words) == 4 or _WORKER.fullmatch(name.value) else Role.CONTROLLER
    if role is Role.CONTROLLER and not _CONTROLLER.fullmatch(name.value) and is_host_name(name.value):
        problems.value(address, parse_address)
        return None
    pods = None
    if len(words) == 4:
        pods = Stated(problems.value(words[3], values.pod_cidr), words[3].place, "SUBNET")
    elif role is Role.WORKER:
        sentence = f"{name.value} has no SUBNET; expected its pod CIDR after the name, for example, 10.200.0.0/24"
        problems.add(name.place, sentence)
    ip = problems.value(address, values.internal_ip)
    problems.value(full_name, _full_name)
    return Draft(
        place=address.place,
        role=role,
        name=Stated(problems.value(name, values.node_name), name.place, "HOST"),
        ssh=Stated(Endpoint(str(ip)) if ip else None, address.place, "IP"),
        internal=Stated(ip, address.place, "IP"),
        pod_cidr=pods,
    )


def _full_name(text: str) -> str:
    if not is_host_name(text):
        raise InvalidInput("is not a valid hostname; expected, for example, node-0.kubernetes.local")
    return text
