"""The embedded lab's Linode API answers as the real one is described to."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kthw_routes.demo.api.account import DEMO_REGIONS, FIRST_ID, Account, LinodeInstance, lab_account, recorded_regions
from kthw_routes.demo.api.server import LinodeApi

DESCRIPTION = json.loads(
    (Path(__file__).parent.parent / "data" / "linode_responses.schema.json").read_text(encoding="utf-8")
)

ACCOUNT = Account(
    (
        *lab_account().instances,
        LinodeInstance("old", ("203.0.113.90",), ("192.168.130.1",), vlan="10.0.0.1/24", vpc="10.8.0.2"),
        LinodeInstance("new", ("203.0.113.91",), (), interface_generation="linode", vlan="10.0.0.2/24", vpc="10.8.0.3"),
        LinodeInstance("off", (), (), status="offline"),
    )
)
OLD, NEW = FIRST_ID + 9, FIRST_ID + 10

# Where the description is at odds with itself or with recorded answers, as (property, keyword).
WRONG_IN_THE_DESCRIPTION = {
    ("root_device", "pattern"),  # prose: "a-z, A-Z, 0-9, /, _, -"
}
LEFT_OUT = {
    "last_successful",  # no backup was ever made, and null is not described
    "monitors",  # an array that must equal a string: no value fits
    "vpc_nat_1_1",  # only of addresses that stand for a VPC's
    "nat_1_1",  # the same, seen from the VPC
    "migrating_to",
}


def as_json_schema(part: Any, name: str = "") -> Any:
    """OpenAPI 3.0's dialect as JSON Schema: `nullable` becomes a type and, in an enumeration, a value."""
    if isinstance(part, list):
        return [as_json_schema(p) for p in part]
    if not isinstance(part, dict):
        return part
    if set(part) >= {"properties"} and isinstance(part["properties"], dict):
        part = {**part, "properties": {k: as_json_schema(v, k) for k, v in part["properties"].items()}}
    made = {
        key: value if key in ("properties", "enum") else as_json_schema(value)
        for key, value in part.items()
        if (name, key) not in WRONG_IN_THE_DESCRIPTION
    }
    if not made.pop("nullable", False):
        return made
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    return {"anyOf": [made, {"type": "null"}]}


def errors_of(body: object, path: str, answer: str = "200") -> list[str]:
    validator = Draft202012Validator(as_json_schema(DESCRIPTION[path][answer]))
    return [f"{e.json_path}: {e.message[:200]}" for e in validator.iter_errors(body)]


def left_out(body: object, schema: Any, where: str = "$") -> Iterator[str]:
    """The described properties that `body` lacks."""
    if isinstance(body, list):
        for item in body:
            yield from left_out(item, schema.get("items", {}), where)
    elif isinstance(body, dict):
        described = schema.get("properties", {})
        if "sda" not in described:  # the devices of a configuration: those that there are
            yield from (f"{where}.{name}" for name in described if name not in {*body, *LEFT_OUT})
        for name, value in body.items():
            yield from left_out(value, described.get(name, {}), f"{where}.{name}")


@pytest.fixture
def api() -> Iterator[LinodeApi]:
    with LinodeApi(ACCOUNT) as api:
        yield api


def ask(api: LinodeApi, path: str, token: str | None = ACCOUNT.token, **headers: str) -> tuple[int, Any, Any]:
    request = urllib.request.Request(f"{api.url}{path}", headers=headers)  # noqa: S310 - loopback
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as answer:
            return answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers


@pytest.mark.parametrize(
    ("path", "described"),
    [
        ("/linode/instances", "/linode/instances"),
        ("/linode/instances?page_size=500", "/linode/instances"),
        (f"/linode/instances/{OLD}/configs", "/linode/instances/{linodeId}/configs"),
        (f"/linode/instances/{NEW}/configs", "/linode/instances/{linodeId}/configs"),
        ("/regions", "/regions"),
    ],
)
def test_answers_are_as_described_and_complete(api: LinodeApi, path: str, described: str) -> None:
    status, body, _ = ask(api, path)
    assert status == 200
    assert errors_of(body, described) == []
    assert list(left_out(body, DESCRIPTION[described]["200"])) == []


def test_each_interface_is_as_described(api: LinodeApi) -> None:
    # The description is of one interface; recorded answers hold a list of them.
    _, body, _ = ask(api, f"/linode/instances/{NEW}/interfaces")
    assert len(body["interfaces"]) == 3
    for interface in body["interfaces"]:
        assert errors_of(interface, "/linode/instances/{linodeId}/interfaces") == []


def test_the_check_against_the_description_can_fail(api: LinodeApi) -> None:
    _, body, _ = ask(api, "/linode/instances")
    body["data"][0]["status"] = "sleeping"
    body["data"][1]["label"] = None
    assert len(errors_of(body, "/linode/instances")) == 2
    del body["data"][0]["tags"]
    assert list(left_out(body, DESCRIPTION["/linode/instances"]["200"])) == ["$.data.tags"]


@pytest.mark.parametrize(
    ("path", "token", "status", "reason"),
    [
        ("/linode/instances", None, 401, "Invalid Token"),
        ("/linode/instances", "wrong", 401, "Invalid Token"),
        ("/regions", "wrong", 401, "Invalid Token"),
        ("/linode/instances/1/configs", ACCOUNT.token, 404, "Not found"),
        ("/linode/instances/none/configs", ACCOUNT.token, 404, "Not found"),
        ("/nothing", ACCOUNT.token, 404, "Not found"),
        ("/linode/instances?page_size=24", ACCOUNT.token, 400, "Must be 25-500"),
        ("/linode/instances?page=2", ACCOUNT.token, 404, "Not found"),
    ],
)
def test_refusals_have_linodes_shape(api: LinodeApi, path: str, token: str | None, status: int, reason: str) -> None:
    got, body, _ = ask(api, path, token)
    assert (got, body["errors"][0]["reason"]) == (status, reason)
    assert errors_of(body, "/linode/instances", "default") == []


def test_regions_need_no_token(api: LinodeApi) -> None:
    assert ask(api, "/regions", None)[0] == 200


def test_headers_tell_scopes_and_limits(api: LinodeApi) -> None:
    _, _, headers = ask(api, "/linode/instances")
    assert headers["X-OAuth-Scopes"] == "linodes:read_only"
    assert headers["X-Accepted-OAuth-Scopes"] == "linodes:read_only"
    assert headers["X-RateLimit-Remaining"] == "1839"
    assert ask(api, "/regions")[2]["X-Accepted-OAuth-Scopes"] == "*"


def test_lists_come_in_pages(api: LinodeApi) -> None:
    _, first, _ = ask(api, "/regions?page_size=25")
    _, second, _ = ask(api, "/regions?page_size=25&page=2")
    assert (first["pages"], first["results"], len(first["data"])) == (2, 47, 25)
    assert len({r["id"] for r in first["data"] + second["data"]}) == 47


@pytest.mark.parametrize("region", DEMO_REGIONS)
def test_the_lab_stands_in_one_region_that_the_api_knows(region: str) -> None:
    account = lab_account(region)
    nodes = [i for i in account.instances if i.label.startswith(("worker-", "controller-"))]
    assert len(nodes) == 6
    assert {n.region for n in nodes} == {region}
    assert region in {r.id for r in recorded_regions()}


def test_a_closed_api_leaves_nothing_listening() -> None:
    api = LinodeApi(ACCOUNT)
    api.start()
    assert ask(api, "/regions")[0] == 200
    api.close()
    with pytest.raises(urllib.error.URLError):
        ask(api, "/regions")
