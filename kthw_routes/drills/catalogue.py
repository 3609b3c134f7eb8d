"""The drills to choose from, in their order, for one seed."""

import random
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kthw_routes.drills.model import Drill
from kthw_routes.drills.reading import drill_of, own_drills, read_drills
from kthw_routes.errors import UsageError
from kthw_routes.sanitize import quoted

_SEEDS = 10_000


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The drills by name.

    Attributes:
        texts: their TOML by name, in the order in which they are offered.
        seed: decides which nodes play which part, and the order of the answers.
    """

    texts: Mapping[str, str]
    seed: str

    @classmethod
    def load(cls, path: Path | None = None, seed: str | None = None) -> Self:
        """Return the program's own drills, and those of a file or folder behind them.

        Args:
            path: a teacher's drills; one with a name of ours takes its place.
            seed: with one, everybody who uses it gets the same order and the same parts; without, each time new parts.

        Raises UsageError: a file cannot be read, or one of them cannot be used.
        """
        texts = {**own_drills(), **(read_drills(path) if path is not None else {})}
        names = list(texts)
        if seed is not None:
            random.Random(seed).shuffle(names)  # noqa: S311 - no secret
        made = cls({name: texts[name] for name in names}, seed or str(random.randrange(_SEEDS)))  # noqa: S311 - see above
        for name in names:
            made.drill(name)
        return made

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in their order."""
        return tuple(self.texts)

    def drill(self, name: str) -> Drill:
        """Return a drill. Raises UsageError where there is none of that name, or its file has errors."""
        if name not in self.texts:
            raise UsageError(f"No drill is named {quoted(name)}.", f"There are: {', '.join(self.names)}.")
        return drill_of(name, self.texts[name], self.seed)

    def next_after(self, name: str | None, solved: Container[str]) -> str:
        """Return the first drill that is not solved behind another one, or from the start; else the one behind it."""
        place = self.names.index(name) + 1 if name is not None else 0
        order = (*self.names[place:], *self.names[:place])
        return next((one for one in order if one not in solved), order[0])
