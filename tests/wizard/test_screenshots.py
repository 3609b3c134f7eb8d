"""The pictures are what the program looks like: made again, they show the same words in the same places."""

import html
import re

import pytest

from tests.screenshots import FOLDER, WALKS

pytestmark = pytest.mark.wizard

_TEXT = re.compile(r'<text [^>]*?x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')


def words(svg: str) -> list[tuple[float, float, str]]:
    """Every text with its place, top to bottom."""
    found = (
        (float(y), float(x), html.unescape(text).replace("\xa0", " ").strip()) for x, y, text in _TEXT.findall(svg)
    )
    return sorted(word for word in found if word[2])


@pytest.mark.parametrize("walk", list(WALKS))
async def test_pictures_are_what_the_wizard_looks_like(walk: str) -> None:
    make, names = WALKS[walk]
    made = await make()
    assert made.keys() == names
    for name, svg in made.items():
        kept = (FOLDER / f"{name}.svg").read_text()
        assert words(kept) == words(svg), f"{name} is out of date: run tests/screenshots.py, and look at it"
        assert "http" not in kept.replace("http://www.w3.org/", ""), f"{name} wants something from elsewhere"
        assert len(words(kept)) > 10


def test_every_picture_is_made_by_a_walk() -> None:
    assert {file.stem for file in FOLDER.glob("*.svg")} == {name for _, names in WALKS.values() for name in names}
