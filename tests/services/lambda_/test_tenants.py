"""Functions that keep their tenants apart."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import payload

COUNT = """
import logging
seen = []
def handler(event, context):
    logging.getLogger().warning("hello")
    seen.append(context.tenant_id)
    return seen
"""
MISSING = (
    "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again."
)


@pytest.fixture
def tenants(make: Callable[..., Any]) -> Any:
    return make("f", COUNT, TenancyConfig={"TenantIsolationMode": "PER_TENANT"})


def invoke(functions: Any, tenant: str) -> Any:
    return payload(functions.invoke(FunctionName="f", TenantId=tenant))


def test_an_environment_serves_one_tenant(functions: Any, tenants: Any) -> None:
    assert tenants["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}
    assert invoke(functions, "blue") == ["blue"]
    assert invoke(functions, "green") == ["green"]
    assert invoke(functions, "blue") == ["blue", "blue"]
    assert functions.get_function_configuration(FunctionName="f")["TenancyConfig"] == tenants["TenancyConfig"]


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
def test_the_tenant_must_be_told(functions: Any, tenants: Any, kind: str) -> None:
    with pytest.raises(ClientError) as caught:
        functions.invoke(FunctionName="f", InvocationType=kind)
    error = caught.value.response
    assert (error["Error"]["Code"], error["Error"]["Message"]) == ("InvalidParameterValueException", MISSING)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_other_functions_have_no_tenants(functions: Any, make: Callable[..., Any]) -> None:
    make("f")
    with pytest.raises(ClientError, match="Remove the tenant ID from your request"):
        functions.invoke(FunctionName="f", TenantId="blue")


def test_events_and_logs_have_their_tenant(
    functions: Any, make: Callable[..., Any], client: Callable[..., Any]
) -> None:
    make("f", COUNT, TenancyConfig={"TenantIsolationMode": "PER_TENANT"}, LoggingConfig={"LogFormat": "JSON"})
    functions.invoke(FunctionName="f", InvocationType="Event", TenantId="blue")
    logs = client("logs")
    deadline = time.monotonic() + 60
    lines: list[Any] = []
    while not any(line.get("type") == "platform.report" for line in lines):
        assert time.monotonic() < deadline, lines
        time.sleep(0.1)
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/f")["events"]
        except logs.exceptions.ResourceNotFoundException:
            continue
        lines = [json.loads(event["message"]) for event in events]
    told = {line["type"]: line["record"].get("tenantId") for line in lines if "type" in line}
    assert (told["platform.start"], told["platform.report"]) == ("blue", "blue")
    [own] = [line for line in lines if line.get("message") == "hello"]
    assert own["tenantId"] == "blue"
