"""Quotas that the node's owner has set."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import RUNTIME, package

ACCOUNT = "121212121212"


def test_quotas_are_the_nodes(start_node: Callable[..., Any]) -> None:
    node = start_node("--limit", "lambda.timeout=5", "--limit", "lambda.concurrent_executions=300")
    functions = node.client("lambda", ACCOUNT)

    limit = functions.get_account_settings()["AccountLimit"]
    assert (limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]) == (300, 300)
    assert limit["TotalCodeSize"] == 80530636800
    with pytest.raises(ClientError, match="less than or equal to 5"):
        functions.create_function(
            FunctionName="slow",
            Runtime=RUNTIME,
            Handler="index.handler",
            Role=f"arn:aws:iam::{ACCOUNT}:role/r",
            Timeout=6,
            Code={"ZipFile": package("x = 1")},
        )


def test_a_quota_that_is_none_stops_the_node(start_node: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match="did you mean timeout"):
        start_node("--limit", "lambda.timeouts=5")
