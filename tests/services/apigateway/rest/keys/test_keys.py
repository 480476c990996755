from collections.abc import Callable
from typing import Any

Refuse = Callable[..., tuple[str, str]]


def test_values_are_shown_when_asked_for(gateway: Any) -> None:
    made = gateway.create_api_key(name="a", enabled=True, customerId="c1")
    assert len(made["value"]) == 40
    assert "value" not in gateway.get_api_key(apiKey=made["id"])
    assert gateway.get_api_key(apiKey=made["id"], includeValue=True)["value"] == made["value"]
    assert "value" not in gateway.get_api_keys()["items"][0]
    assert gateway.get_api_keys(includeValues=True)["items"][0]["value"] == made["value"]
    gateway.create_api_key(name="b", customerId="c2")
    assert [key["name"] for key in gateway.get_api_keys(customerId="c2")["items"]] == ["b"]


def test_no_value_twice(gateway: Any, client: Any, refused: Refuse) -> None:
    value = "0123456789abcdefghij"
    made = gateway.create_api_key(name="a", value=value)
    assert refused(gateway.create_api_key, name="b", value=value) == ("ConflictException", "API Key already exists")
    client("apigateway", account="000000000043").create_api_key(name="a", value=f"{value}{made['id']}")
    gateway.delete_api_key(apiKey=made["id"])
    gateway.create_api_key(name="b", value=value)


def test_keys_from_a_file(gateway: Any, refused: Refuse) -> None:
    plan = gateway.create_usage_plan(name="p")["id"]
    file = (
        "Name,Key,description,Enabled,usageplanIds\n"
        f"first,aaaaaaaaaaaaaaaaaaaaaaaa,one,TRUE,{plan}\n"
        "second,bbbbbbbbbbbbbbbbbbbbbbbb,,false,nowhere\n"
    )
    strict = {"body": file.encode(), "format": "csv", "failOnWarnings": True}
    assert refused(gateway.import_api_keys, **strict)[0] == "BadRequestException"
    assert gateway.get_api_keys()["items"] == []
    done = gateway.import_api_keys(body=file.encode(), format="csv")
    assert len(done["ids"]) == 2
    assert done["warnings"] == ["Line 3: there is no usage plan nowhere"]
    keys = {key["name"]: key for key in gateway.get_api_keys(includeValues=True)["items"]}
    assert keys["first"]["enabled"]
    assert not keys["second"]["enabled"]
    assert keys["first"]["value"] == "a" * 24
    assert [key["name"] for key in gateway.get_usage_plan_keys(usagePlanId=plan)["items"]] == ["first"]


def test_files_that_are_none(gateway: Any, refused: Refuse) -> None:
    for body in (b"", b"\xff\xfe", b"name\nx\n", b"name,key\nx,short\n"):
        assert refused(gateway.import_api_keys, body=body, format="csv")[0] == "BadRequestException"
    assert gateway.get_api_keys()["items"] == []
