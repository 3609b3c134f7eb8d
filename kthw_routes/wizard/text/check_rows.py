"""The findings of *Checks*, hosts that failed for one cause together. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from kthw_routes.findings.model import Finding, Level
from kthw_routes.node_names import shortened
from kthw_routes.words import count

_ADDRESS: Final = re.compile(r"\d+\.\d+\.\d+\.\d+(:\d+)?")
_KEYS: Final = re.compile(r": [^.]*SHA256:[^.\s]*")
"""Which keys they are, at the end of a sentence: each host has its own."""


def grouped(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings; of hosts that were skipped for one cause one finding, which names them."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.level is not Level.SKIP_HOST or finding.node is None:
            yield finding
            continue
        cause = _KEYS.sub("", _ADDRESS.sub("its address", finding.sentence.removeprefix(f"{finding.node}: ")))
        alike.setdefault((finding.code, cause.replace(finding.node, "the host")), []).append(finding)
    for (_, cause), together in alike.items():
        if len(together) == 1:
            yield together[0]
            continue
        hosts = shortened(f.node for f in together if f.node is not None)
        hint = f"{together[0].hint} r reads them again.".strip()
        yield replace(together[0], sentence=f"{count(len(together), 'host')} ({hosts}): {cause}", hint=hint, node=None)
