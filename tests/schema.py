"""Makes the schema of the JSON documents from their types: `python -m tests.schema` writes it beside them."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from jsonschema import Draft202012Validator

from kthw_routes.record import documents

PATH: Final = Path(documents.__file__).with_name("schema.json")

DOCUMENTS: Final = {
    "plan": documents.PlanDocument,
    "check": documents.CheckDocument,
    "apply": documents.ApplyDocument,
    "undo": documents.UndoDocument,
    "runs": documents.RunsDocument,
    "error": documents.ErrorDocument,
}
"""The command, or `error` for any that ends with one -> its document."""


def schema() -> dict[str, Any]:
    """Return the schema: one definition per type, and which of them each command prints."""
    references, definitions = msgspec.json.schema_components(DOCUMENTS.values(), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What kthw-routes prints with --json",
        "anyOf": list(references),
        "$defs": definitions,
    }


@cache
def _validator(command: str) -> Draft202012Validator:
    """Return what judges a document and allows no field that the types do not have."""
    whole = schema()
    for definition in whole["$defs"].values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    reference = f"#/$defs/{DOCUMENTS[command].__name__}"
    return Draft202012Validator({"$defs": whole["$defs"], "$ref": reference})


def check_document(command: str, document: Mapping[str, Any]) -> None:
    """Compare a document that a command printed with its type. Raises jsonschema.ValidationError."""
    _validator("error" if "error" in document else command).validate(document)


def text() -> str:
    """Return the file's whole text."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
