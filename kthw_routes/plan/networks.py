"""Which networks hold which others: by sorting, as two networks are apart or one holds the other. Pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from itertools import chain
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class ByNetwork(Generic[T]):
    """Values by their networks; a look-up takes a few steps, however many there are."""

    def __init__(self, items: Iterable[tuple[IPv4Network, T]]) -> None:
        found = ((int(network.network_address), network.prefixlen, value) for network, value in items)
        self._ordered: Final = sorted(found, key=lambda item: item[:2])
        self._starts: Final = [start for start, _, _ in self._ordered]
        self._alike: Final[defaultdict[tuple[int, int], list[T]]] = defaultdict(list)
        for start, length, value in self._ordered:
            self._alike[start, length].append(value)
        self._lengths: Final = sorted({length for _, length in self._alike})

    def around(self, network: IPv4Network) -> Iterator[T]:
        """Yield the values of the networks that hold this one, the largest first; of the same one too."""
        start = int(network.network_address)
        for length in self._lengths:
            if length > network.prefixlen:
                break
            shift = 32 - length
            yield from self._alike.get((start >> shift << shift, length), ())

    def inside(self, network: IPv4Network) -> Iterator[T]:
        """Yield the values of the networks in this one, by address; of the same one too."""
        first = bisect_left(self._starts, int(network.network_address))
        behind = bisect_right(self._starts, int(network.broadcast_address))
        for _, length, value in self._ordered[first:behind]:
            if length >= network.prefixlen:
                yield value

    def overlaps(self, network: IPv4Network) -> bool:
        """Return whether any of the networks overlaps this one."""
        return any(True for _ in chain(self.around(network), self.inside(network)))
