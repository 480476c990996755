"""Endpoints whose requests must be signed, and nodes that end and come back."""

import json
from collections.abc import Callable
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.conftest import NodeProcess
from tests.services.lambda_.web.conftest import WebFunctions
from tests.services.lambda_.web.test_control import FILES

ACCOUNT = "111122223333"


def signed(domain: str, key: str, secret: str, method: str = "GET", body: bytes = b"") -> dict[str, str]:
    """The headers of a request to an endpoint."""
    request = AWSRequest(method, f"http://{domain}/", data=body)
    SigV4Auth(Credentials(key, secret), "lambda", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def ask(web: WebFunctions, domain: str, headers: dict[str, str]) -> int:
    connection = web.connect()
    connection.request("GET", "/", headers={"Host": domain, **headers})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def on(node: NodeProcess) -> WebFunctions:
    return WebFunctions(lambda service: node.client(service, ACCOUNT), ACCOUNT, node.endpoint)


def test_signed_requests(web: WebFunctions, account: str) -> None:
    domain = web.make("shop", FILES, endpoint={"authType": "IamAuth"})
    assert ask(web, domain, {}) == 403
    assert ask(web, domain, signed(domain, account, "test")) == 200
    assert ask(web, domain, {"Authorization": "AWS4-HMAC-SHA256 nonsense"}) == 403


def test_permissions_are_obeyed(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node("--iam", "enforce")
    iam = node.client("iam", ACCOUNT)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    iam.create_role(RoleName="web", AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    web = on(node)
    domain = web.make("shop", FILES, endpoint={"authType": "IamAuth"})

    def asked() -> int:
        return ask(web, domain, signed(domain, key["AccessKeyId"], key["SecretAccessKey"]))

    assert asked() == 403
    arn = web.api.get_web_function(functionName="shop")["functionArn"]
    policy: Any = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"},
                "Action": "lambda:InvokeWebFunctionEndpoint",
                "Resource": f"{arn}/endpoint/live",
            }
        ],
    }
    web.api.put_resource_policy(resourceArn=arn, policy=json.dumps(policy))
    assert asked() == 200
    policy["Statement"][0]["Resource"] = f"{arn}/endpoint/other"
    web.api.put_resource_policy(resourceArn=arn, policy=json.dumps(policy))
    assert asked() == 403


def test_a_killed_node_goes_on(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node()
    domain = on(node).make("shop", FILES, environmentVariables={"SAYS": "still"})
    node.kill()
    node.restart()
    web = WebFunctions.__new__(WebFunctions)
    web._endpoint = node.endpoint
    assert web.ask(domain)[2] == b"still"
