"""Why each step: a few sentences each, in Markdown files of plain paragraphs."""

from importlib.resources import files


def lesson(name: str) -> str:
    """The text for a step, its paragraphs one line each."""
    text = files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))
