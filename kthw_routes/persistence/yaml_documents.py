"""YAML that hosts have: what it holds is bounded before anything is made of it.

An alias is short, and means all that its anchor has: a few thousand characters can mean billions of values.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from yaml import SafeLoader
    from yaml.nodes import Node

T = TypeVar("T")

MAX_LENGTH: Final = 100_000
"""A document of more characters than this is not parsed."""
MAX_NODES: Final = 50_000
"""Values of a document, those of an anchor counted again for each alias."""


def compose(text: str) -> "Node | None":
    """Parse one document into nodes, which know their lines; None of an empty one.

    Raises ValueError: no YAML, too long, nested too deeply, or with too much behind its aliases.
    """
    import yaml  # slow to load, and most runs need none of it

    return _parsed(yaml.compose, text)


def load(text: str) -> object:
    """Parse one document into plain values. Raises ValueError as `compose` does."""
    import yaml

    return _parsed(yaml.load, text)


def _parsed(parse: "Callable[[str, type[SafeLoader]], T]", text: str) -> T:
    import yaml

    if len(text) > MAX_LENGTH:
        raise ValueError("it is too long")
    try:
        return parse(text, _loader())
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise ValueError(f"it is not valid YAML{line}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # such as a date that does not exist
        raise ValueError("it is not valid YAML") from error


@cache
def _loader() -> "type[SafeLoader]":
    import yaml

    class Bounded(yaml.SafeLoader):
        """Composes no more than MAX_NODES values, whatever aliases make of them, and no circle."""

        def __init__(self, stream: str) -> None:
            super().__init__(stream)
            self._sizes: dict[int, int] = {}

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            is_alias = self.check_event(yaml.AliasEvent)
            node = super().compose_node(parent, index)
            if node is not None:
                if not is_alias:
                    self._sizes[id(node)] = 1 + sum(self._sizes[id(child)] for child in _children(node))
                if self._sizes.get(id(node), MAX_NODES) >= MAX_NODES:  # an alias within its own anchor has no size
                    raise yaml.YAMLError("too much")
            return node

    return Bounded


def _children(node: "Node") -> "list[Node]":
    import yaml

    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
