"""Which operation of which service, in which protocol, a request means.

In this order: X-Amz-Target, an RPC v2 path, the service in the signature, the host, `Action`, a path that only one service has.
What is left is S3's, as an address that is nothing else is a bucket's.
"""

import re
from functools import cache, lru_cache
from typing import Any, NoReturn
from urllib.parse import unquote

from msgspec import Struct

from cumulet.api.model import Metadata, Model
from cumulet.kernel.errors import AwsError
from cumulet.wire import services
from cumulet.wire.codec import NO_MATCH, Codec, ErrorCodec, Match
from cumulet.wire.context import Context
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.json import JsonErrors
from cumulet.wire.paths import Params, PathTable
from cumulet.wire.query import FORM, QueryErrors, form, holds_form, pairs
from cumulet.wire.rest_json import RestJsonErrors
from cumulet.wire.route_s3 import S3Table, bucket_of_host
from cumulet.wire.services import CBOR, ServiceWire
from cumulet.wire.signed import LONGEST_CREDENTIAL

# Names in signatures and hosts that are not botocore's. `apigateway` is two services: `/v2/` is the second.
_SIGNING = {
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "execute-api": "apigatewaymanagementapi",
    "s3express": "s3",
    "s3-object-lambda": "s3",
    "streams": "dynamodbstreams",
    "streams.dynamodb": "dynamodbstreams",
    "queue": "sqs",
    "email": "ses",
    "elasticfilesystem": "efs",
}
_TARGETS = {
    "AWSCognitoIdentityProviderService": "cognito-idp",
    "AWSEvents": "events",
    "AWSStepFunctions": "stepfunctions",
    "AmazonSQS": "sqs",
    "AmazonSSM": "ssm",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "DynamoDB_20120810": "dynamodb",
    "Firehose_20150804": "firehose",
    "GraniteServiceVersion20100801": "cloudwatch",
    "Kinesis_20131202": "kinesis",
    "Logs_20140328": "logs",
    "TrentService": "kms",
    "secretsmanager": "secretsmanager",
}
_VERSIONS = {
    "2010-03-31": "sns",
    "2010-05-08": "iam",
    "2010-05-15": "cloudformation",
    "2010-08-01": "cloudwatch",
    "2011-06-15": "sts",
    "2012-11-05": "sqs",
}
_QUERY = frozenset(_VERSIONS.values())
_BESIDE_LAMBDA = {
    "2025-03-07": "lambda-web",
    "2025-09-09": "lambda-microvms",
    "2026-04-04": "lambda-core",
    "2026-10-01": "lambda-core",
}
"""Services that are signed for as Lambda and live at its hosts, by the date that their paths begin with."""
_LAMBDA_TAGS = "/2017-03-31/tags/"
"""Where Lambda answers for tags, and services beside it do too: the kind of the resource tells which is meant."""
_TAGGED_BESIDE_LAMBDA = {"microvm-image": "lambda-microvms"}
_LAMBDA_PATH = re.compile(r"/20\d\d-\d\d-\d\d/")
_QUEUE_PATH = re.compile(r"/(?:queue/[^/]+/)?\d{12}/[A-Za-z0-9_.-]+/?")
CONNECTIONS = "/@connections/"
_LONGEST_REMEMBERED = 512
"""Characters of a path or target whose route is remembered: a service's own are far shorter, and clients send whatever they like."""
_RPC_PATH = re.compile(r"/service/([^/]+)/operation/([^/]+)/?")


class Route(Struct, frozen=True):
    """Where a request goes. `service` is botocore's name, `operation` AWS's. `hal`: it is answered in HAL."""

    service: str
    operation: str
    codec: Codec
    match: Match
    signing_name: str
    hal: bool = False

    def decode(self, request: HttpRequest) -> Any:
        """The request as the operation's struct, validated. Raises AwsError."""
        return self.codec.decode(request, self.match)

    def encode(self, result: Any, request_id: str) -> HttpResponse:
        """The answer for a result, in the form that the client asked for: the codec's own but for HAL."""
        response = self.codec.encode(result, request_id)
        output = self.codec.output
        if self.hal and output is not None and not output.payload:
            from cumulet.wire.hal import documents  # noqa: PLC0415  SDKs never ask for it

            response.headers["Content-Type"] = documents.CONTENT_TYPE
            response.body = documents.document(self.codec.context.model, self.codec.operation, self.match, result)
        return response


class RouteError(Exception):
    """A request that means no operation here: the error, and its answer in the form the client expects."""

    def __init__(self, service: str, error: AwsError, codec: ErrorCodec) -> None:
        super().__init__(error.message)
        self.service = service
        self.error = error
        self._codec = codec

    def answer(self, request_id: str) -> HttpResponse:
        """What to send back."""
        return self._codec.encode_error(self.error, request_id)


def needs_content(request: HttpRequest) -> bool:
    """Whether `content` must be read before `resolve`: query calls have their operation in the body."""
    if request.method != "POST" or "x-amz-target" in request.headers or request.path.startswith("/service/"):
        return False
    service = _service_of(_scope(request)) or _host_service(request)
    if service:
        return service in _QUERY
    return request.headers.get("content-type", "").startswith(FORM)


def unread(request: HttpRequest, error: AwsError) -> RouteError:
    """The refusal of a request whose body, which `needs_content` asked for, could not be read."""
    service = _service_of(_scope(request)) or _host_service(request)
    return RouteError(service, error, services.load(service).errors("query") if service else QueryErrors(_nobody()))


def resolve(request: HttpRequest) -> Route:
    """The route of a request. Raises RouteError."""
    target = request.headers.get("x-amz-target")
    if target is not None:
        return _by_target(request, target) or _without_target(request, target)
    if request.path.startswith("/service/"):
        found = _RPC_PATH.fullmatch(request.path)
        if found is not None and found[1] in _TARGETS:
            return _rpc(_TARGETS[found[1]], found[2])
    scope = _scope(request)
    service = _service_of(scope) or _host_service(request)
    params = _params(request.query) if request.query else {}
    if service == "":
        service = _unsigned(request, params) if not scope else _foreign(request, scope)
    if service in {"apigateway", "lambda"}:
        service = _by_path(service, request.path)
    if service in _QUERY:
        return _by_action(request, service)
    if service == "s3":
        return _s3(request, params)
    return _rest_json(request, service, params)


def _by_path(service: str, path: str) -> str:
    """Which of the services that share a host and a signing name is meant."""
    if service == "lambda":
        if path.startswith(_LAMBDA_TAGS):
            return _TAGGED_BESIDE_LAMBDA.get(_kind_of(unquote(path[len(_LAMBDA_TAGS) :])), service)
        return _BESIDE_LAMBDA.get(path[1:11], service)
    return "apigatewayv2" if path.startswith("/v2/") else service


def _kind_of(arn: str) -> str:
    """The kind of a resource as Lambda's ARNs name it: `function` of `arn:aws:lambda:us-east-1:123456789012:function:f`."""
    parts = arn.split(":", 6)
    return parts[5] if len(parts) == 7 else ""


def _path_of(path: str, service: str) -> str:
    """The path in which an operation is looked for: behind a stage, where the service's endpoints have one."""
    return path[max(0, path.find(CONNECTIONS)) :] if service == "apigatewaymanagementapi" else path


def _route(wire: ServiceWire, operation: str, protocol: str, match: Match = NO_MATCH) -> Route:
    return Route(wire.service, operation, wire.codec(operation, protocol), match, wire.signing_name)


def _refuse(service: str, codec: ErrorCodec, message: str) -> NoReturn:
    raise RouteError(service, AwsError(message, code="UnknownOperationException"), codec)


# --- what a request says of its service ---


def _scope(request: HttpRequest) -> str:
    """The service in the credential scope of a signature; empty for an unsigned request."""
    credential = request.headers.get("authorization", "")
    # Clients write the signature last. What comes before it is the same in all requests of a client for a day.
    before = credential.rpartition("Signature=")[0]
    if before and len(before) <= LONGEST_CREDENTIAL and (named := _scope_before(before)) is not None:
        return named
    start = credential.find("Credential=")
    if start >= 0:
        return _service_in(credential[start + 11 :].partition(",")[0])
    if credential.startswith("AWS ") or "AWSAccessKeyId=" in request.query:
        return "s3"
    if "Amz-Credential=" in request.query:
        for name, value in pairs(request.query):
            if name.lower() == "x-amz-credential":
                return _service_in(value)
    return ""


@lru_cache(1024)
def _scope_before(text: str) -> str | None:
    _, found, named = text.partition("Credential=")
    credential, ended, _ = named.partition(",")
    return _service_in(credential) if found and ended else None


def _service_in(credential: str) -> str:
    """The service in a credential; what is far too long for one has none."""
    parts = credential.split("/") if len(credential) <= LONGEST_CREDENTIAL else []
    return parts[-2].strip().lower() if len(parts) >= 5 else ""


@lru_cache(1024)
def _service_of(name: str) -> str:
    """Our service of a signing name or host label; empty when there is none."""
    name = _SIGNING.get(name, name)
    return name if name in _served() else ""


@cache
def _served() -> frozenset[str]:
    return frozenset(services.names())


def _host_service(request: HttpRequest) -> str:
    """The service that a host names: `sqs.eu-west-1.amazonaws.com`, `s3.localhost`, `bucket.s3.localhost`."""
    host = request.headers.get("host", "")
    if not host or host[0].isdigit() or host.startswith(("localhost", "[")):
        return ""
    host = host.partition(":")[0].lower()
    first, _, rest = host.partition(".")
    if first.startswith("s3-") or ".s3." in host or ".s3-" in host:
        return "s3"
    if rest.startswith("dynamodb.") and first == "streams":
        return "dynamodbstreams"
    if ".execute-api." in host:
        return "apigatewaymanagementapi"
    return _service_of(first) if rest else ""


def _unsigned(request: HttpRequest, params: Params) -> str:
    """The service of a request without signature or telling host."""
    fields = (
        dict(form(request))
        if request.method == "POST" and request.content
        else {key: values[0] for key, values in params.items()}
    )
    if "Action" in fields:
        if found := _VERSIONS.get(fields.get("Version", "")):
            return found
        if found := _service_with(fields["Action"]):
            return found
    if _LAMBDA_PATH.match(request.path):
        return "lambda"
    if request.path.startswith((CONNECTIONS, "/_aws/execute-api/")):
        return "apigatewaymanagementapi"
    return "sqs" if "Action" in fields and _QUEUE_PATH.fullmatch(request.path) else "s3"


def _service_with(action: str) -> str:
    for service in ("sqs", "sts", "sns", "iam", "cloudformation", "cloudwatch"):
        if action in services.load(service).model.operations:
            return service
    return ""


def _foreign(request: HttpRequest, scope: str) -> NoReturn:
    """Refuse a service that is not here, in the form that its client most likely reads."""
    error = AwsError(
        f"Cumulet has no service called {scope}. See docs/services for those it has.", code="NotImplemented", status=501
    )
    kind = request.headers.get("content-type", "")
    codec: ErrorCodec
    if kind.startswith("application/x-amz-json"):
        codec = JsonErrors(_nobody())
    else:
        codec = (
            QueryErrors(_nobody()) if kind.startswith(FORM) or "Action=" in request.query else RestJsonErrors(_nobody())
        )
    raise RouteError("", error, codec)


@cache
def _nobody() -> Context:
    """What error codecs need of a service, for when there is none."""
    return Context(Model(Metadata("", [], "", "", ""), {}, {}))


def _params(query: str) -> Params:
    try:
        found: Params = {}
        for name, value in pairs(query):
            found.setdefault(name, []).append(value)
    except AwsError as error:
        raise RouteError("", error, RestJsonErrors(_nobody())) from None
    return found


# --- by protocol ---


def _rest_json(request: HttpRequest, service: str, params: Params) -> Route:
    hal = service == "apigateway" and "application/json" not in request.headers.get("accept", "").lower()
    if params or len(request.path) > _LONGEST_REMEMBERED:
        return _by_address(service, request.method, request.path, hal, params)
    return _remembered_address(service, request.method, request.path, hal)


@lru_cache(1024)
def _remembered_address(service: str, method: str, path: str, hal: bool) -> Route:
    return _by_address(service, method, path, hal, {})


def _by_address(service: str, method: str, path: str, hal: bool, params: Params) -> Route:
    wire = services.load(service)
    if "rest-json" not in wire.protocols:
        _refuse(service, wire.errors(), f"{method} {path} names no operation of {service}")
    matched = _paths(service).match(method, _path_of(path, service), params)
    if matched is None:
        message = f"{method} {path} is no operation of {service}"
        raise RouteError(service, AwsError(message, code="UnknownOperationException", status=404), wire.errors())
    operation, labels = matched
    return Route(service, operation, wire.codec(operation, "rest-json"), Match(labels, params), wire.signing_name, hal)


_FORMS = {"application/x-amz-json-1.1": "1.1", "application/x-amz-cbor-1.1": "cbor"}
"""What the Content-Type of a request with a target says of its body."""


def _by_target(request: HttpRequest, target: str) -> Route | None:
    """The route to what X-Amz-Target names; None when that is nothing."""
    if len(target) > _LONGEST_REMEMBERED:
        return None
    kind = request.headers.get("content-type")
    version = "" if kind is None else _FORMS.get(kind[:26], "1.0")
    return _remembered_target(target, version)


@lru_cache(1024)
def _remembered_target(target: str, version: str) -> Route | None:
    prefix, _, operation = target.rpartition(".")
    service = _TARGETS.get(prefix.rpartition(".")[2], "")
    if not service:
        return None
    wire = services.load(service)
    if operation not in wire.model.operations:
        return None
    if (
        version == "cbor" and service != "kinesis"
    ):  # the only one of AWS's that takes it; to others it is no type of theirs
        version = "1.0"
    own = not version or wire.model.metadata.json_version == version
    return _route(wire, operation, "json" if own else f"json-{version}")


def _without_target(request: HttpRequest, target: str) -> NoReturn:
    prefix, _, operation = target.rpartition(".")
    service = _TARGETS.get(prefix.rpartition(".")[2], "")
    if service:
        _refuse(service, services.load(service).errors("json"), f"{operation} is no operation of {service}")
    scope = _scope(request)
    service = _service_of(scope)
    if not service and scope:
        _foreign(request, scope)
    codec = services.load(service).errors() if service else JsonErrors(_nobody())
    _refuse(service, codec, f"X-Amz-Target {target} names no service here")


def _rpc(service: str, operation: str) -> Route:
    wire = services.load(service)
    if CBOR not in wire.protocols:
        _refuse(service, wire.errors(), f"{service} does not speak RPC v2")
    if operation not in wire.model.operations:
        error = AwsError(f"{operation} is no operation of {service}", code="UnknownOperationException", status=404)
        raise RouteError(service, error, wire.errors(CBOR))
    return _route(wire, operation, CBOR)


def _by_action(request: HttpRequest, service: str) -> Route:
    if service != "sqs" and _is_bare(request):
        return _bare(service, request.content)
    try:
        fields = form(request)
    except AwsError as error:
        raise RouteError(service, error, services.load(service).errors("query")) from None
    labels = {}
    if service == "sqs" and _QUEUE_PATH.fullmatch(request.path):
        labels["QueueUrl"] = f"{request.scheme}://{request.headers.get('host', '')}{request.path}"
    return _by_fields(service, fields, labels)


def _is_bare(request: HttpRequest) -> bool:
    """Whether its form has operation and version alone, as many of STS and IAM do: no more is remembered of what clients send."""
    content = request.content
    return (
        content.startswith(b"Action=")
        and content.count(b"&") == 1
        and b"&Version=" in content
        and len(content) <= _LONGEST_REMEMBERED
        and not request.query
        and holds_form(request)
    )


@lru_cache(1024)
def _bare(service: str, content: bytes) -> Route:
    return _by_fields(service, pairs(content.decode("utf-8", "replace")), {})


def _by_fields(service: str, fields: list[tuple[str, str]], labels: dict[str, str]) -> Route:
    wire = services.load(service)
    for name, value in fields:
        if name == "Action":
            action = value
            break
    else:
        message = "The request must contain the parameter Action."
        raise RouteError(service, AwsError(message, code="MissingAction"), wire.errors("query"))
    if action not in wire.model.operations:
        version = wire.model.metadata.api_version
        unknown = f"Could not find operation {action} for version {version}"
        message = f"The action {action} is not valid for this endpoint." if service == "sqs" else unknown
        raise RouteError(service, AwsError(message, code="InvalidAction"), wire.errors("query"))
    return _route(wire, action, "query", Match(labels, fields=fields))


@cache
def _paths(service: str) -> PathTable:
    return PathTable(services.load(service).model)


@cache
def _s3_table() -> S3Table:
    return S3Table(services.load("s3").model)


def _s3(request: HttpRequest, params: Params) -> Route:
    wire = services.load("s3")
    host_bucket = bucket_of_host(request.headers.get("host", ""))
    matched = _s3_table().match(request.method, request.path, host_bucket, params, request.headers)
    if matched is None:
        error = AwsError(
            "The specified method is not allowed against this resource.",
            code="MethodNotAllowed",
            status=405,
            fields={"Method": request.method, "ResourceType": "SERVICE" if request.path == "/" else "OBJECT"},
        )
        raise RouteError("s3", error, wire.errors())
    return _route(wire, matched[0], "rest-xml", Match(matched[1], params))
