"""Calls through API Gateway: a REST API and an HTTP API before a function, and a REST API that answers by itself."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.figures import Figures
from benchmarks.load import Check
from benchmarks.measures import Bench

Make = Callable[[Bench, str | None], str]
STAGE = "bench"
_ANSWER = b'"hello"'
_FUNCTION = """
def handler(event, context):
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": '"hello"'}
"""
_PATHS = ("/_aws/execute-api/{id}/{stage}/greet", "/restapis/{id}/{stage}/_user_request_/greet")
_HOSTS = ("{id}.execute-api.localhost:{port}", "{id}.execute-api.us-east-1.amazonaws.com")


def is_answer(answer: bytes) -> bool:
    return answer.endswith(_ANSWER)


GREETED: Check = is_answer


def gateways(bench: Bench) -> Iterator[Figures]:
    """The same request each time, without a signature: what anybody may ask."""
    function = bench.client.function(f"greet-{bench.run}", _FUNCTION)
    kinds: tuple[tuple[str, Make, str | None, tuple[str, ...]], ...] = (
        ("apigw REST API, function", rest_api, function, (STAGE,)),
        ("apigw HTTP API, function", http_api, function, ("", "$default")),
        ("apigw REST API, MOCK", rest_api, None, (STAGE,)),
    )
    for measure, make, behind, stages in kinds:
        try:
            request = [reached(bench, make(bench, behind), stages)]
        except (LookupError, BotoCoreError, ClientError) as error:  # a peer may refuse that kind
            yield Figures(measure, {}, 1, str(error))
            continue
        bench.client.replay(request, 20, 8, check=GREETED)
        yield from bench.rates(measure, request, 4_000, check=GREETED)


def rest_api(bench: Bench, function: str | None) -> str:
    """Its id; GET on each path goes to the function, or to a mock."""
    gateway = bench.client.boto("apigateway")
    api = gateway.create_rest_api(name=f"bench-{bench.run}")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    if function is not None:
        gateway.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=_invocation(function))
    else:
        gateway.put_method_response(**method, statusCode="200")
        templates = {"application/json": '{"statusCode": 200}'}
        gateway.put_integration(**method, type="MOCK", requestTemplates=templates)
        answers = {"application/json": _ANSWER.decode()}
        gateway.put_integration_response(**method, statusCode="200", responseTemplates=answers)
    gateway.create_deployment(restApiId=api, stageName=STAGE)
    return str(api)


def http_api(bench: Bench, function: str | None) -> str:
    """Its id; everything goes to the function. Step by step, as not every server knows quick create."""
    gateway = bench.client.boto("apigatewayv2")
    api = str(gateway.create_api(Name=f"bench-{bench.run}", ProtocolType="HTTP")["ApiId"])
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return api


def _invocation(function: str) -> str:
    region = function.split(":")[3]
    return f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations"


def reached(bench: Bench, api: str, stages: tuple[str, ...]) -> bytes:
    """The bytes of a request that the API answers. Servers differ in the addresses they know; raises LookupError."""
    said = ""
    for stage in stages:
        for request in _requests(bench, api, stage):
            result = bench.client.replay([request], 1, seconds=20, check=GREETED)
            if result.done and not result.errors:
                return request
            said = result.first_error or said
    raise LookupError(f"no address led to the API: {said}")


def _requests(bench: Bench, api: str, stage: str) -> Iterator[bytes]:
    port = urlsplit(bench.client.endpoint).port
    hosts = [host.format(id=api, port=port) for host in _HOSTS]
    addresses = [(host, f"/{stage}/greet" if stage else "/greet") for host in hosts]
    if stage:
        addresses += [(f"127.0.0.1:{port}", path.format(id=api, stage=stage)) for path in _PATHS]
    for host, path in addresses:
        yield f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
