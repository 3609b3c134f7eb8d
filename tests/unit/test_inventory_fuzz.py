"""Whatever is in a file: it is an inventory, or an InventoryError that can be shown. Nothing else, ever."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kthw_routes.node_names import is_address, is_host_name
from kthw_routes.sanitize import clean
from kthw_routes.sources.inventory import Inventory, InventoryError, parse
from kthw_routes.sources.inventory.problems import Problems
from kthw_routes.sources.inventory.toml_positions import positions_in
from kthw_routes.sources.inventory.toml_syntax import parse as parse_toml

FILES = Path(__file__).parent.parent / "data" / "inventories"
SEEDS = [
    p.read_text() for folder in ("good", "bad") for p in sorted((FILES / folder).iterdir()) if p.suffix != ".expected"
]
SUFFIXES = st.sampled_from(["", ".toml", ".txt", ".ini", ".yml", ".json"])
PIECES = st.sampled_from(
    [
        *"[]{}()=:,.#;\"'\\\n\t \r\0&*!|>%@`<?-~/",
        *("[[nodes]]", "[nodes]", '"""', "'''", "<<: *a", "&a ", "*a", "worker-[0:2]", "[workers:children]", "\x1b[2J"),
        *("ssh = ", "hosts:"),
        *("\u202e", "\ufeff", "é", "\u2028", "\x85", "1.2.3.4", "9" * 30, "{{", "---", "ansible_host="),
    ]
)  # fmt: skip


def check(data: bytes, suffix: str) -> None:
    """Read, and judge what comes of it."""
    try:
        found = parse(data, Path(f"file{suffix}"))
    except InventoryError as error:
        check_error(error, data)
    else:
        check_inventory(found)


def is_safe(text: str) -> bool:
    """Whether the text can be shown on one line."""
    return clean(text) == text and "\n" not in text


def check_error(error: InventoryError, data: bytes) -> None:
    assert is_safe(error.sentence)
    assert error.sentence
    assert error.hint
    assert list(error.problems) == sorted(error.problems)
    lines = data.count(b"\n") + 1
    for problem in error.problems:
        assert 1 <= problem.line <= lines + 1
        assert problem.column >= 1
        assert is_safe(problem.sentence)
        assert is_safe(problem.shown)
        assert problem.caret is None or 0 <= problem.caret <= len(problem.shown)


def check_inventory(found: Inventory) -> None:
    assert any(n.is_worker for n in found.nodes)
    assert all(is_host_name(n.name) or is_address(n.name) for n in found.nodes)
    assert len({n.name.casefold() for n in found.nodes}) == len(found.nodes)
    internals = [n.internal for n in found.nodes if n.internal]
    assert len(set(internals)) == len(internals)
    assert found.findings[0].code == "inventory-kind"
    assert all(is_safe(f.sentence) for f in found.findings)


@given(st.binary(max_size=300), SUFFIXES)
def test_any_bytes(data: bytes, suffix: str) -> None:
    check(data, suffix)


@given(st.text(max_size=300), SUFFIXES)
def test_any_text(text: str, suffix: str) -> None:
    check(text.encode("utf-8", "surrogatepass"), suffix)


@given(st.lists(PIECES | st.text(max_size=5), max_size=60), SUFFIXES)
def test_any_text_of_the_usual_pieces(pieces: list[str], suffix: str) -> None:
    check("".join(pieces).encode("utf-8", "replace"), suffix)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A file of ours with a few pieces of it taken out, doubled, or replaced."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 20)))
        text = text[:start] + draw(st.sampled_from(["", text[start:end] * 2]) | PIECES) + text[end:]
    return text


@settings(max_examples=200)
@given(mutated(), SUFFIXES)
@example("[[nodes]]\nx." * 3, ".toml")
def test_mutated_files(text: str, suffix: str) -> None:
    check(text.encode(), suffix)


@given(mutated())
def test_every_value_of_readable_toml_has_a_place(text: str) -> None:
    """In whatever tomllib can read, the scanner finds each key and value where it stands."""
    parsed = parse_toml(text.replace("\r\n", "\n"), Problems(text.split("\n")))
    if parsed is None:
        return
    found = positions_in(parsed.text)
    assert not found.open
    lines = parsed.text.split("\n")
    for path in paths_in(parsed.document):
        place = found.values.get(path) or found.keys.get(path)
        assert place, path
        assert lines[place.line - 1][place.column - 1 :].strip(), path


def paths_in(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all keys and list items."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return []
    return [p for key, item in inner for p in [(*path, key), *paths_in(item, (*path, key))]]


@pytest.mark.parametrize("text", SEEDS)
def test_each_prefix_of_a_file(text: str) -> None:
    """A file that was cut off, as a copy that broke."""
    for end in range(0, len(text), 7):
        check(text[:end].encode(), "")
