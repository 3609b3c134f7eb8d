"""Why a row of an undo is left as it is, in words. Pure."""

from typing import Final

REFUSED: Final = "no run of kthw-routes does what the record says"
"""How the reason of a row begins that is not undone because of what the record asks for."""
AS_BEFORE: Final = "as before the run already"


def refused(why: str) -> str:
    """Return the reason of a row that is not undone because of what the record asks for."""
    return f"{REFUSED}: {why}; left as it is"


def changed_since(by: str, what: str = "") -> str:
    """Return why a row is left alone. What a later run was about counts as its own, also where it looks the same.

    Args:
        by: the later run; empty where nobody knows who changed it.
        what: what is there now.
    """
    whose, then = (f" by run {by}", "undo that first") if by else ("", "left as it is")
    return f"changed since{whose}{f': {what}' if what else ''}; {then}"
