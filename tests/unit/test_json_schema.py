"""The schema of the JSON documents: made from their types, and of what is really printed.

In every journey each document that a command prints is compared with it, too.
"""

import json

import jsonschema
import pytest

from kthw_routes.plan import compare as planning
from kthw_routes.record.json_plan import plan_document
from tests.schema import PATH, check_document, text

from .builders import bare_facts, cluster


def test_the_schema_is_made_from_the_types() -> None:
    assert PATH.read_text(encoding="utf-8") == text(), "run: python -m tests.schema"


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(PATH.read_text(encoding="utf-8")))


def test_a_field_too_many_or_too_few_is_noticed() -> None:
    of = cluster()
    document = json.loads(json.dumps(plan_document(of, planning.make(of, bare_facts(of)), ())))
    check_document("plan", document)
    for wrong in (
        document | {"more": 1},
        {key: value for key, value in document.items() if key != "drift"},
        document | {"drift": "no"},
        document | {"version": 2},
        document | {"nodes": [document["nodes"][0] | {"role": "master"}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            check_document("plan", wrong)
