"""A finding: its level, code, sentence and hint."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Level(StrEnum):
    """What a finding means for going on."""

    STOP = "stop"
    """Nothing can run."""
    SKIP_HOST = "skip host"
    """This host is not worked on; the others are."""
    NOTICE = "notice"
    """Worth knowing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should know."""

    code: str
    """Kebab-case and stable, for `--json`."""
    level: Level
    sentence: str
    """What is the case, and where."""
    hint: str = ""
    """What to do now."""
    node: str | None = None
    region: str | None = None
    acknowledge: bool = False
    """Whether the wizard wants it acknowledged by a control of its own before *Next*: a warning."""

    @classmethod
    def stop(cls, code: str, sentence: str, hint: str = "", *, node: str | None = None) -> Self:
        """Return a finding that stops everything."""
        return cls(code=code, level=Level.STOP, sentence=sentence, hint=hint, node=node)

    @classmethod
    def notice(
        cls,
        code: str,
        sentence: str,
        hint: str = "",
        *,
        node: str | None = None,
        region: str | None = None,
        acknowledge: bool = False,
    ) -> Self:
        """Return a finding that stops nothing."""
        return cls(
            code=code,
            level=Level.NOTICE,
            sentence=sentence,
            hint=hint,
            node=node,
            region=region,
            acknowledge=acknowledge,
        )


def stops(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return those because of which nothing can run."""
    return tuple(f for f in findings if f.level is Level.STOP)
