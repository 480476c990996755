from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Refuse = Callable[..., tuple[str, str]]


@pytest.fixture
def gateway(client: Callable[..., Any]) -> Any:
    """A client of `apigateway` for this test's account."""
    return client("apigateway")


@pytest.fixture
def rest_api(gateway: Any) -> Any:
    """An API without methods, as CreateRestApi answered."""
    return gateway.create_rest_api(name="pets", description="all of them")


@pytest.fixture
def mocked(gateway: Any, rest_api: Any) -> Any:
    """An API with GET / that answers without a backend."""
    at = {"restApiId": rest_api["id"], "resourceId": rest_api["rootResourceId"], "httpMethod": "GET"}
    gateway.put_method(**at, authorizationType="NONE")
    gateway.put_integration(**at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    return rest_api


@pytest.fixture
def deployed(gateway: Any, mocked: Any) -> Any:
    """An API with GET / in the stage dev."""
    gateway.create_deployment(restApiId=mocked["id"], stageName="dev")
    return mocked


@pytest.fixture
def refused() -> Refuse:
    """`refused(call, **arguments)` gives code and message of the error with which a call must end."""

    def refuse(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    return refuse


@pytest.fixture
def domain(gateway: Any, account: str) -> str:
    """A custom domain name of this test's own."""
    name = f"api{account}.example.com"
    gateway.create_domain_name(domainName=name, endpointConfiguration={"types": ["REGIONAL"]})
    return name
