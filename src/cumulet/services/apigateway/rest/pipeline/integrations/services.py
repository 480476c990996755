"""AWS: operations of other services by `action/Name`, or requests of their protocols by `path/...`, as a role.

https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html
"""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import parse_qsl, quote_plus
from xml.etree import ElementTree as ET

import msgspec
from msgspec.structs import replace

from cumulet.kernel.call import Principal
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import WebAnswer, WebRequest
from cumulet.services.apigateway.plane.execution_log import tell_received, tell_sent
from cumulet.services.apigateway.plane.lambdas import CALLER, SERVICE
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange
from cumulet.services.apigateway.rest.pipeline.headers import UNMAPPABLE_FOR_SERVICES
from cumulet.services.apigateway.rest.pipeline.integrations import requests, responses
from cumulet.services.apigateway.rest.pipeline.integrations.invoking import broken, client, timed_out
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Plan, Sent
from cumulet.services.apigateway.rest.pipeline.mapping import fill
from cumulet.services.apigateway.rest.pipeline.rendering import Overrides

_URI = re.compile(
    r"arn:aws[a-z-]*:apigateway:(?P<region>[a-z0-9-]+):(?:(?P<subdomain>[^:]+)\.)?(?P<service>[^:.]+):(?P<kind>path|action)/(?P<rest>.*)",
    re.DOTALL,
)
_NAMES = {"states": "stepfunctions", "monitoring": "cloudwatch", "execute-api": "apigatewaymanagementapi"}
_TARGETS = {
    "cognito-idp": ("AWSCognitoIdentityProviderService", "1.1"),
    "dynamodb": ("DynamoDB_20120810", "1.0"),
    "events": ("AWSEvents", "1.1"),
    "firehose": ("Firehose_20150804", "1.1"),
    "kinesis": ("Kinesis_20131202", "1.1"),
    "logs": ("Logs_20140328", "1.1"),
    "secretsmanager": ("secretsmanager", "1.1"),
    "ssm": ("AmazonSSM", "1.1"),
    "states": ("AWSStepFunctions", "1.0"),
}
_VERSIONS = {
    "sqs": "2012-11-05",
    "sns": "2010-03-31",
    "iam": "2010-05-08",
    "sts": "2011-06-15",
    "monitoring": "2010-08-01",
}
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


class ServiceIntegration:
    """One operation of a service of this node, or whatever a client may ask of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    async def run(self, ex: Exchange) -> WebAnswer:
        plan = self.plan
        overrides = Overrides()
        sent = await requests.transformed(ex, plan, overrides, UNMAPPABLE_FOR_SERVICES)
        uri = fill(plan.uri, ex.stage_variables, requests.encoded_path(ex, sent))
        found = _URI.fullmatch(uri)
        if found is None:
            raise broken("Execution failed due to configuration error: Invalid ARN specified in the integration's URI")
        verb = ex.request.method if plan.method == "ANY" else plan.method
        request = request_of(found, verb, sent, ex.program.api_id, ex.trace)
        if ex.log is not None:
            tell_sent(ex.log, url_of(found, request), request.lines, request.content)
        began = ex.front.clock.now()
        try:
            async with asyncio.timeout(plan.timeout):
                answer = await self._ask(ex, service_of(found), found["region"], request)
        except TimeoutError as error:
            raise timed_out() from error
        finally:
            ex.integration["latency"] = int((ex.front.clock.now() - began) * 1000)
        ex.integration["status"] = ex.integration["integrationStatus"] = answer.status
        if ex.log is not None:
            assert isinstance(answer.body, bytes)
            tell_received(ex.log, answer.status, ex.integration["latency"], answer.headers, answer.body)
        _as_asked(request, answer)
        answer.headers.append(("X-Amzn-Trace-Id", ex.answer_trace))
        chosen = responses.select(plan, str(answer.status), str(answer.status))
        return await responses.transformed(ex, plan, chosen, answer, overrides)

    async def _ask(self, ex: Exchange, service: str, region: str, request: WebRequest) -> WebAnswer:
        role = self.plan.role
        call = replace(ex.call(self.plan.arn), region=region)
        credential: Credential | None = None
        if role == CALLER:
            own = client(ex, self.plan)
            if own is None:
                raise broken("Execution failed due to configuration error: the client did not sign its request")
            call, credential = replace(own, region=region), ex.credential
        elif role:
            try:
                call, credential = await ex.front.roles.assume(call, role, "BackplaneAssumeRoleSession", SERVICE)
            except AwsError as error:
                raise broken(f"Execution failed due to configuration error: {error.message}") from error
        else:
            call = replace(call, principal=Principal.service(SERVICE, ex.program.account))
        answer = await ex.front.inner.send(call, credential, service, request)
        if not isinstance(answer.body, bytes):
            answer.body = b"".join([piece async for piece in answer.body])
        return answer


def matched(uri: str) -> re.Match[str] | None:
    """The parts of an integration's URI: `region`, `subdomain`, `service`, `kind` (path or action) and `rest`."""
    return _URI.fullmatch(uri)


def service_of(found: re.Match[str]) -> str:
    """botocore's name of the service that a URI names."""
    return _NAMES.get(found["service"], found["service"])


def request_of(found: re.Match[str], verb: str, sent: Sent, api_id: str, trace: str) -> WebRequest:
    """The request to a service that an integration's URI means, with what is `sent`."""
    service, rest = found["service"], found["rest"]
    headers = {
        "Accept": [_JSON],
        "User-Agent": [f"AmazonAPIGateway_{api_id}"],
        "X-Amzn-Trace-Id": [trace],
        "x-amzn-apigateway-api-id": [api_id],
    }
    names = {name.lower() for name in sent.headers}
    headers = {name: values for name, values in headers.items() if name.lower() not in names} | sent.headers
    query = [(name, value) for name, values in sent.query.items() for value in values]
    body, method, path = sent.body, verb or "POST", "/"
    if found["kind"] == "path":
        path, _, more = rest.partition("?")
        query += parse_qsl(more, keep_blank_values=True)
        path = "/" + path.lstrip("/")
        if found["subdomain"] and service == "s3":
            path = f"/{found['subdomain']}{path}"
    elif service in _TARGETS:
        target, version = _TARGETS[service]
        headers["X-Amz-Target"] = [f"{target}.{rest}"]
        headers["Content-Type"] = [f"application/x-amz-json-{version}"]
        method = "POST"
    else:
        query.insert(0, ("Action", rest))
    if "content-type" not in {name.lower() for name in headers} and body:
        headers["Content-Type"] = [_JSON]
    if service in _VERSIONS and not any(name.lower() == "x-amz-target" for name in headers):
        body, query, method = _form(service, query, body, headers)
    text = "&".join(f"{quote_plus(name)}={quote_plus(value)}" if value else quote_plus(name) for name, value in query)
    lines = [(name, value) for name, values in headers.items() for value in values]
    return WebRequest(method=method, path=path, query=text, lines=lines, content=body)


def _form(
    service: str, query: list[tuple[str, str]], body: bytes, headers: dict[str, list[str]]
) -> tuple[bytes, list[tuple[str, str]], str]:
    """Parameters of a query call are sent together, wherever the integration has them."""
    kind = next((values[-1] for name, values in headers.items() if name.lower() == "content-type"), "")
    fields = list(query)
    if kind.startswith(_FORM):
        fields += parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    if not any(name == "Version" for name, _ in fields):
        fields.append(("Version", _VERSIONS[service]))
    for name in [name for name in headers if name.lower() == "content-type"]:
        del headers[name]
    headers["Content-Type"] = [_FORM]
    if service == "sqs":  # whose lists are told either way
        fields = [(name.replace("MessageAttributes.", "MessageAttribute.", 1), value) for name, value in fields]
    text = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in fields)
    return text.encode(), [], "POST"


def _as_asked(request: WebRequest, answer: WebAnswer) -> None:
    """Services with XML answers give JSON to those that accept it alone, as API Gateway does by default."""
    accept = next((value for name, value in request.lines if name.lower() == "accept"), "")
    kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "")
    form = any(name == "Content-Type" and value == _FORM for name, value in request.lines)
    if not form or "xml" not in kind or not accept.startswith(_JSON):
        return
    assert isinstance(answer.body, bytes)
    try:
        root = ET.fromstring(answer.body)  # noqa: S314  our own services' answers
    except ET.ParseError:
        return
    answer.body = msgspec.json.encode({_local(root): _value(root)})
    answer.headers = [line for line in answer.headers if line[0].lower() != "content-type"]
    answer.headers.append(("Content-Type", _JSON))


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _value(element: ET.Element) -> Any:
    if not len(element):
        return element.text
    found: dict[str, Any] = {}
    for child in element:
        name, value = _local(child), _value(child)
        if name in found:
            if not isinstance(found[name], list):
                found[name] = [found[name]]
            found[name].append(value)
        else:
            found[name] = value
    return found.get("member") if set(found) == {"member"} else found


def url_of(found: re.Match[str], request: WebRequest) -> str:
    """Where AWS sends a request to a service, as logs tell it."""
    url = f"https://{found['service']}.{found['region']}.amazonaws.com{request.path}"
    return f"{url}?{request.query}" if request.query else url
