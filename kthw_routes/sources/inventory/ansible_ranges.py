"""Host ranges in Ansible inventories: `worker-[0:2]` is worker-0, worker-1 and worker-2; so `[a:c]`, `[01:10:3]`."""

import re
from itertools import product
from math import prod
from typing import Final

from kthw_routes.errors import InvalidInput

_RANGE: Final = re.compile(r"\[([^\[\]]*)\]")
_NUMBERS: Final = re.compile(r"(\d{1,9}):(\d{1,9})(?::(\d{1,9}))?", re.ASCII)
_LETTERS: Final = re.compile(r"([a-z]):([a-z])(?::(\d{1,9}))?|([A-Z]):([A-Z])(?::(\d{1,9}))?", re.ASCII)
_MAX: Final = 1000


def expand(pattern: str) -> tuple[str, ...]:
    """List the names that the pattern stands for. Raises InvalidInput where a range makes no sense, or is huge."""
    parts = _RANGE.split(pattern)
    if "[" in "".join(parts[::2]) or "]" in "".join(parts[::2]):
        raise InvalidInput("is not a range of hosts; expected, for example, worker-[0:2]")
    counts = [_members(text) for text in parts[1::2]]
    if prod(map(len, counts)) > _MAX:
        raise InvalidInput(f"stands for more than {_MAX} hosts")
    members = [[m] if n % 2 == 0 else counts[n // 2] for n, m in enumerate(parts)]
    return tuple("".join(combined) for combined in product(*members))


def _members(text: str) -> list[str]:
    numbers, letters = _NUMBERS.fullmatch(text), _LETTERS.fullmatch(text)
    if numbers:
        first, last, step = int(numbers[1]), int(numbers[2]), int(numbers[3] or 1)
        width = len(numbers[1]) if numbers[1].startswith("0") else 0
        if len(numbers[1]) > 1 and width and len(numbers[1]) != len(numbers[2]):
            raise InvalidInput("has a range whose ends are not equally long; expected, for example, [01:10]")
    elif letters:
        low, high, stride = letters.groups()[:3] if letters[1] else letters.groups()[3:]
        first, last, step, width = ord(low), ord(high), int(stride or 1), 0
    else:
        raise InvalidInput("is not a range of hosts; expected, for example, worker-[0:2] or worker-[a:c]")
    if first > last or step < 1:
        raise InvalidInput("has a range that runs backwards; expected, for example, [0:2]")
    if (last - first) // step >= _MAX:
        raise InvalidInput(f"stands for more than {_MAX} hosts")
    steps = range(first, last + 1, step)
    return [chr(n) for n in steps] if letters else [str(n).zfill(width) for n in steps]
