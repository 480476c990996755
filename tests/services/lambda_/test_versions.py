"""Published versions and aliases."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import package, payload

SOURCE = "import os\n\ndef handler(event, context):\n    return [NUMBER, context.function_version, context.invoked_function_arn]\n"


def code(number: int) -> str:
    return SOURCE.replace("NUMBER", str(number))


def test_a_version_stays_as_it_was(make: Callable[..., Any], functions: Any, account: str) -> None:
    make("kept", code(1))
    first = functions.publish_version(FunctionName="kept", Description="one")
    functions.update_function_code(FunctionName="kept", ZipFile=package(code(2)))

    arn = f"arn:aws:lambda:us-east-1:{account}:function:kept"
    answer = functions.invoke(FunctionName="kept", Qualifier="1")

    assert (first["Version"], first["FunctionArn"], first["Description"]) == ("1", f"{arn}:1", "one")
    assert answer["ExecutedVersion"] == "1"
    assert payload(answer) == [1, "1", f"{arn}:1"]
    assert payload(functions.invoke(FunctionName="kept")) == [2, "$LATEST", arn]
    assert payload(functions.invoke(FunctionName=f"{arn}:1")) == [1, "1", f"{arn}:1"]


def test_nothing_new_makes_no_version(make: Callable[..., Any], functions: Any) -> None:
    make("same", code(1), Publish=True)

    again = functions.publish_version(FunctionName="same")

    assert again["Version"] == "1"
    listed = functions.list_versions_by_function(FunctionName="same")["Versions"]
    assert [version["Version"] for version in listed] == ["$LATEST", "1"]


def test_a_version_is_published_with_its_code(make: Callable[..., Any], functions: Any) -> None:
    make("published", code(1), Publish=True)

    answer = functions.update_function_code(FunctionName="published", ZipFile=package(code(2)), Publish=True)

    assert answer["Version"] == "2"
    assert payload(functions.invoke(FunctionName="published", Qualifier="2"))[0] == 2
    assert payload(functions.invoke(FunctionName="published", Qualifier="1"))[0] == 1


def test_a_numbers_is_never_given_twice(make: Callable[..., Any], functions: Any) -> None:
    make("numbers", code(1), Publish=True)
    functions.delete_function(FunctionName="numbers", Qualifier="1")

    assert functions.publish_version(FunctionName="numbers")["Version"] == "2"


def test_an_alias_leads_to_its_version(make: Callable[..., Any], functions: Any, account: str) -> None:
    make("aliased", code(1), Publish=True)
    functions.update_function_code(FunctionName="aliased", ZipFile=package(code(2)), Publish=True)
    alias = functions.create_alias(FunctionName="aliased", Name="live", FunctionVersion="1")

    arn = f"arn:aws:lambda:us-east-1:{account}:function:aliased:live"
    assert (alias["AliasArn"], alias["Description"]) == (arn, "")
    answer = functions.invoke(FunctionName="aliased", Qualifier="live")
    assert answer["ExecutedVersion"] == "1"
    assert payload(answer) == [1, "1", arn]
    functions.update_alias(FunctionName="aliased", Name="live", FunctionVersion="2")
    assert payload(functions.invoke(FunctionName="aliased:live"))[:2] == [2, "2"]


def test_weights_share_the_calls(make: Callable[..., Any], functions: Any) -> None:
    make("shared", code(1), Publish=True)
    functions.update_function_code(FunctionName="shared", ZipFile=package(code(2)), Publish=True)
    functions.create_alias(
        FunctionName="shared",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )

    versions = [functions.invoke(FunctionName="shared", Qualifier="live")["ExecutedVersion"] for _ in range(60)]

    assert set(versions) == {"1", "2"}


def test_a_version_in_use_cannot_be_deleted(make: Callable[..., Any], functions: Any) -> None:
    make("used", code(1), Publish=True)
    functions.create_alias(FunctionName="used", Name="live", FunctionVersion="1")

    with pytest.raises(functions.exceptions.ResourceConflictException, match=r"aliases reference it: \[live\]"):
        functions.delete_function(FunctionName="used", Qualifier="1")
    functions.delete_alias(FunctionName="used", Name="live")
    functions.delete_function(FunctionName="used", Qualifier="1")

    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName="used", Qualifier="1")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"FunctionVersion": "9"}, "Function not found: .*:9"),
        ({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}}, "already included"),
        ({"FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}}, "not supported"),
    ],
)
def test_an_alias_needs_versions_that_go_together(
    members: dict[str, Any], message: str, make: Callable[..., Any], functions: Any
) -> None:
    make("strict", code(1), Publish=True)

    with pytest.raises(functions.exceptions.ClientError, match=message):
        functions.create_alias(FunctionName="strict", Name="live", **members)
    assert functions.list_aliases(FunctionName="strict")["Aliases"] == []
