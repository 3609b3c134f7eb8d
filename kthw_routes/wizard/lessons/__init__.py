"""Why each step: a few sentences, in Markdown files of plain paragraphs."""

from importlib.resources import files


def read_lesson(name: str) -> str:
    """Return the text for a step, each paragraph on one line."""
    text = files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))
