"""Fixtures: a DynamoDB client, and tables that are made with one line."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

_names = itertools.count(1)


@pytest.fixture
def dynamodb(client: Callable[..., Any]) -> Any:
    return client("dynamodb")


@pytest.fixture
def make_table(dynamodb: Any) -> Callable[..., str]:
    """`make_table("id", "at:N")` makes a table with these keys (strings, if no type is given) and gives its name."""

    def make(hash_key: str = "id", range_key: str = "", **options: Any) -> str:
        name = f"table-{next(_names)}"
        definitions = []
        schema = []
        for key, kind in ((hash_key, "HASH"), (range_key, "RANGE")):
            if key:
                attribute, _, type_ = key.partition(":")
                definitions.append({"AttributeName": attribute, "AttributeType": type_ or "S"})
                schema.append({"AttributeName": attribute, "KeyType": kind})
        definitions += options.pop("more", [])
        dynamodb.create_table(
            **{
                "TableName": name,
                "KeySchema": schema,
                "AttributeDefinitions": definitions,
                "BillingMode": "PAY_PER_REQUEST",
                **options,
            }
        )
        return name

    return make


@pytest.fixture
def refused() -> Callable[..., str]:
    """Runs a call that must be refused, and gives `code: message`."""

    def run(call: Callable[..., Any], **arguments: Any) -> str:
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        error = caught.value.response["Error"]
        return f"{error['Code']}: {error['Message']}"

    return run
