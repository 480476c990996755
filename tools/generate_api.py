"""Generate cumulet/api from the AWS service models that botocore ships.

For each service: `api/models/<module>.json` (the model without documentation, from which structs and codecs are built when
first used), `api/<module>.pyi` (the same as typed declarations) and `api/<module>.py` (the module itself, three lines).
Run `python tools/generate_api.py` after botocore was updated; `--check` fails when a file is stale.
"""

import json
import keyword
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
from botocore import xform_name
from botocore.loaders import Loader

API = Path(__file__).parents[1] / "src" / "cumulet" / "api"

SERVICES = (
    "apigateway",
    "apigatewaymanagementapi",
    "apigatewayv2",
    "cloudformation",
    "cloudwatch",
    "cognito-idp",
    "dynamodb",
    "dynamodbstreams",
    "efs",
    "events",
    "firehose",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "lambda-core",
    "lambda-microvms",
    "lambda-web",
    "logs",
    "pipes",
    "s3",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
    "xray",
)

# Members that models call required and that AWS leaves out of answers when they are empty.
OMITTED = {
    "sqs": {
        "ChangeMessageVisibilityBatchResult": ("Successful", "Failed"),
        "DeleteMessageBatchResult": ("Successful", "Failed"),
        "SendMessageBatchResult": ("Successful", "Failed"),
    }
}

# Headers that AWS answers and models do not name, by shape and member.
UNNAMED = {
    "lambda": {
        "InvocationResponse": {"TraceId": "X-Amzn-Trace-Id"},
        "InvokeWithResponseStreamResponse": {"TraceId": "X-Amzn-Trace-Id"},
    }
}

# Operations that AWS answers and models do not name, by name; what they give has no members but links (HAL).
# https://docs.aws.amazon.com/apigateway/api-reference/resource/api-gateway/
UNNAMED_OPERATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "apigateway": {
        "GetApiGateway": {
            "http": {"method": "GET", "requestUri": "/"},
            "output": {"shape": "ApiGateway"},
            "errors": [{"shape": "UnauthorizedException"}, {"shape": "TooManyRequestsException"}],
        }
    }
}

# The query protocol's names for what JSON names otherwise. botocore's models of services that moved to JSON lost them; the
# SDKs from before the move still send and read them. By shape: a list's items, a map's keys and values, or members.
QUERY_NAMES: dict[str, dict[str, str | dict[str, str]]] = {
    "sqs": {
        "AWSAccountIdList": "AWSAccountId",
        "ActionNameList": "ActionName",
        "AttributeNameList": "AttributeName",
        "BatchResultErrorEntryList": "BatchResultErrorEntry",
        "BinaryList": "BinaryListValue",
        "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
        "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
        "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
        "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
        "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
        "MessageAttributeNameList": "MessageAttributeName",
        "MessageList": "Message",
        "MessageSystemAttributeList": "MessageSystemAttributeName",
        "QueueUrlList": "QueueUrl",
        "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
        "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
        "StringList": "StringListValue",
        "TagKeyList": "TagKey",
        "MessageBodyAttributeMap": {"key": "Name", "value": "Value"},
        "MessageBodySystemAttributeMap": {"key": "Name", "value": "Value"},
        "MessageSystemAttributeMap": {"key": "Name", "value": "Value"},
        "QueueAttributeMap": {"key": "Name", "value": "Value"},
        "TagMap": {"key": "Key", "value": "Value"},
        "CreateQueueRequest": {"Attributes": "Attribute", "tags": "Tag"},
        "GetQueueAttributesResult": {"Attributes": "Attribute"},
        "ListQueueTagsResult": {"Tags": "Tag"},
        "Message": {"Attributes": "Attribute", "MessageAttributes": "MessageAttribute"},
        "SendMessageBatchRequestEntry": {
            "MessageAttributes": "MessageAttribute",
            "MessageSystemAttributes": "MessageSystemAttribute",
        },
        "SendMessageRequest": {
            "MessageAttributes": "MessageAttribute",
            "MessageSystemAttributes": "MessageSystemAttribute",
        },
        "SetQueueAttributesRequest": {"Attributes": "Attribute"},
        "TagQueueRequest": {"Tags": "Tag"},
    }
}

# Codes of the query protocol that the JSON protocol still sends beside its own (the awsQueryError trait, which botocore's
# models leave out), from the Smithy models of SQS and CloudWatch.
QUERY_CODES = {
    "sqs": {
        "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "BatchRequestTooLong": "AWS.SimpleQueueService.BatchRequestTooLong",
        "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
        "InvalidBatchEntryId": "AWS.SimpleQueueService.InvalidBatchEntryId",
        "KmsAccessDenied": "KMS.AccessDeniedException",
        "KmsDisabled": "KMS.DisabledException",
        "KmsInvalidKeyUsage": "KMS.InvalidKeyUsageException",
        "KmsInvalidState": "KMS.InvalidStateException",
        "KmsNotFound": "KMS.NotFoundException",
        "KmsOptInRequired": "KMS.OptInRequired",
        "KmsThrottled": "KMS.ThrottlingException",
        "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
        "PurgeQueueInProgress": "AWS.SimpleQueueService.PurgeQueueInProgress",
        "QueueDeletedRecently": "AWS.SimpleQueueService.QueueDeletedRecently",
        "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
        "QueueNameExists": "QueueAlreadyExists",
        "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "UnsupportedOperation": "AWS.SimpleQueueService.UnsupportedOperation",
    },
}
# Protocols a service answers beyond those its model names: models say `json` and `awsQueryCompatible` where query lives on.
QUERY_NAMESPACES = {"sqs": "http://queue.amazonaws.com/doc/2012-11-05/"}

METADATA = ("apiVersion", "endpointPrefix", "jsonVersion", "serviceId", "signingName", "targetPrefix", "xmlNamespace")
SHAPE_TRAITS = (
    "type", "required", "enum", "min", "max", "pattern", "flattened", "locationName", "payload", "streaming", "timestampFormat",
    "eventstream", "event", "union", "document", "sensitive", "xmlNamespace",
)  # fmt: skip
MEMBER_TRAITS = (
    "shape", "location", "locationName", "flattened", "streaming", "timestampFormat", "eventpayload", "eventheader",
    "xmlAttribute", "xmlNamespace", "idempotencyToken", "jsonvalue",
)  # fmt: skip
SCALARS = {
    "string": "str", "character": "str", "integer": "int", "long": "int", "boolean": "bool", "blob": "bytes",
    "timestamp": "float", "double": "float", "float": "float",
}  # fmt: skip
BUILTINS = re.compile(r"\b(str|int|bool|bytes|float|list|dict)\b")
TAKEN = frozenset((*SCALARS.values(), "list", "dict", "field"))

Json = dict[str, Any]


def python_name(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def module_name(service: str) -> str:
    """The Python module of a service: `lambda_` for lambda, `cognito_idp` for cognito-idp."""
    return python_name(service.replace("-", "_"))


def attribute_name(name: str) -> str:
    """The attribute of a member, or the function of an operation: botocore's own spelling of it."""
    return python_name(xform_name(name))


def pick(source: Json, names: tuple[str, ...]) -> Json:
    return {name: source[name] for name in names if name in source}


# --- the stripped model ---


def field_names(members: Json) -> dict[str, str]:
    """The names that struct fields have in JSON, where that is not the member's own.

    One structure of S3's has two members of one XML name; there, as in all of S3, the fields' names mean nothing.
    """
    names = {name: member.get("locationName", name) for name, member in members.items()}
    if len(set(names.values())) != len(names):
        return {}
    return {name: wire_name for name, wire_name in names.items() if wire_name != name}


def strip_shape(shape: Json) -> Json:
    stripped = pick(shape, SHAPE_TRAITS)
    for part in ("member", "key", "value"):
        if part in shape:
            stripped[part] = pick(shape[part], MEMBER_TRAITS)
    if "members" in shape:
        stripped["members"] = {
            name: {**pick(member, MEMBER_TRAITS), "attribute": attribute_name(name)}
            for name, member in shape["members"].items()
        }
        for name, key in field_names(stripped["members"]).items():
            stripped["members"][name]["field"] = key
    return stripped


def strip_error(model: Json, name: str) -> Json:
    """An error's shape. Of a service that speaks JSON and query, a model's code is the query protocol's."""
    metadata, shape = model["metadata"], model["shapes"][name]
    error = shape.get("error", {})
    code = error.get("code", name)
    stripped = strip_shape(shape)
    stripped["error"] = {"code": code, "status": error.get("httpStatusCode", 500 if shape.get("fault") else 400)}
    if "awsQueryCompatible" in metadata:
        stripped["error"]["code"] = name
        query_code = QUERY_CODES.get(metadata["endpointPrefix"], {}).get(name, code)
        if query_code != name:
            stripped["error"]["queryCode"] = query_code
    return stripped


def strip_operation(name: str, operation: Json) -> Json:
    http = operation["http"]
    stripped: Json = {"function": attribute_name(name), "method": http["method"], "uri": http["requestUri"]}
    if "responseCode" in http:
        stripped["status"] = http["responseCode"]
    stripped["input"] = operation["input"]["shape"] if "input" in operation else f"{name}Request"
    if root := pick(operation.get("input", {}), ("locationName", "xmlNamespace")):
        stripped["inputRoot"] = root
    if "output" in operation:
        stripped["output"] = operation["output"]["shape"]
        stripped |= pick(operation["output"], ("resultWrapper",))
    stripped["errors"] = [error["shape"] for error in operation.get("errors", [])]
    stripped |= pick(operation, ("httpChecksum",))
    return stripped


def protocols(service: str, metadata: Json) -> list[str]:
    named = list(metadata.get("protocols") or [metadata["protocol"]])
    if "awsQueryCompatible" in metadata and "query" not in named:
        named.append("query")
    return named


def rename_keywords(model: Json) -> Json:
    """The model with an underscore behind shapes called as Python's keywords (apigatewayv2 has one called None)."""
    shapes = {python_name(name): shape for name, shape in model["shapes"].items()}
    for shape in shapes.values():
        for reference in references(shape):
            reference["shape"] = python_name(reference["shape"])
    return {**model, "shapes": shapes}


def references(shape: Json) -> list[Json]:
    return [*shape.get("members", {}).values(), *(shape[part] for part in ("member", "key", "value") if part in shape)]


def used_shapes(model: Json) -> set[str]:
    """Every error, and every shape that an operation leads to; models hold some that nothing uses."""
    shapes, found = model["shapes"], set()
    waiting = [name for name, shape in shapes.items() if shape.get("exception")]
    for operation in model["operations"].values():
        waiting += [operation[part]["shape"] for part in ("input", "output") if part in operation]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [reference["shape"] for reference in references(shapes[name])]
    return found


def strip(service: str) -> Json:
    """The model of a service with all that codecs, structs and validation need, and nothing else."""
    model = rename_keywords(Loader().load_service_model(service, "service-2"))
    metadata: Json = {"service": service, "protocols": protocols(service, model["metadata"])}
    metadata |= pick(model["metadata"], METADATA)
    if service in QUERY_NAMESPACES:
        metadata["xmlNamespace"] = QUERY_NAMESPACES[service]
    if "awsQueryCompatible" in model["metadata"]:
        metadata["queryCompatible"] = True
    for name, headers in UNNAMED.get(service, {}).items():
        members = model["shapes"][name]["members"]
        for member, header in headers.items():
            members[member] = {"shape": "String", "location": "header", "locationName": header}
    for name, operation in UNNAMED_OPERATIONS.get(service, {}).items():
        model["operations"][name] = operation
        model["shapes"][operation["output"]["shape"]] = {"type": "structure", "members": {}}
    operations = {name: strip_operation(name, operation) for name, operation in sorted(model["operations"].items())}
    shapes = {
        name: strip_error(model, name) if model["shapes"][name].get("exception") else strip_shape(model["shapes"][name])
        for name in sorted(used_shapes(model))
    }
    for name, names in QUERY_NAMES.get(service, {}).items():
        name_for_query(shapes[name], names)
    for name, members in OMITTED.get(service, {}).items():
        shapes[name]["required"] = [member for member in shapes[name]["required"] if member not in members]
    for operation in operations.values():
        shapes.setdefault(operation["input"], {"type": "structure", "members": {}})
    return {"botocore": botocore.__version__, "metadata": metadata, "operations": operations, "shapes": shapes}


def name_for_query(shape: Json, names: str | dict[str, str]) -> None:
    """Give the parts of a shape their names in the query protocol; what JSON calls them stays."""
    if isinstance(names, str):
        shape["member"]["locationName"] = names
        return
    for part, name in names.items():
        shape.get("members", shape)[part]["locationName"] = name


def render_model(model: Json) -> str:
    """JSON with one operation or shape a line, so that a change of the model reads as a change of lines."""

    def block(name: str) -> str:
        lines = (f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in model[name].items())
        return f'"{name}":{{\n' + ",\n".join(lines) + "\n}"

    head = f'"botocore":{json.dumps(model["botocore"])}'
    return "{" + ",\n".join([head, *map(block, ("metadata", "operations", "shapes"))]) + "}\n"


# --- typed declarations ---


def python_type(shapes: Json, reference: Json) -> str:
    shape = shapes[reference["shape"]]
    kind = shape["type"]
    if shape.get("document"):
        return "Any"
    if reference.get("streaming") or shape.get("streaming"):
        return "ByteStream"
    if shape.get("eventstream"):
        return f"AsyncIterator[{reference['shape']}]"
    if kind == "list":
        return f"list[{python_type(shapes, shape['member'])}]"
    if kind == "map":
        return f"dict[str, {python_type(shapes, shape['value'])}]"
    return str(reference["shape"]) if kind == "structure" else SCALARS[kind]


def structure_members(shapes: Json, shape: Json) -> Iterator[tuple[str, Json]]:
    """The members that a struct has: an event stream's errors are raised, not sent."""
    for name, member in shape["members"].items():
        if not (shape.get("eventstream") and "error" in shapes[member["shape"]]):
            yield name, member


def render_structure(shapes: Json, name: str, shape: Json) -> str:
    lines = [f"class {name}(Struct, kw_only=True, omit_defaults=True):"]
    members = list(structure_members(shapes, shape))
    shadows = any(member["attribute"] in TAKEN for _, member in members)
    required = shape.get("required", ())
    for member_name, member in members:
        kind = python_type(shapes, member)
        factory = "field"
        if shadows:
            kind, factory = BUILTINS.sub(r"builtins.\1", kind), "msgspec.field"
        wire_name = member.get("field", member_name)
        if member_name in required:
            lines.append(f'    {member["attribute"]}: {kind} = {factory}(name="{wire_name}")')
        else:
            lines.append(f'    {member["attribute"]}: {kind} | None = {factory}(name="{wire_name}", default=None)')
    return "\n".join(lines if members else [*lines, "    pass"])


def render_error(name: str, shape: Json) -> str:
    error = shape["error"]
    lines = [f"class {name}(AwsError):", f'    code = "{error["code"]}"']
    if "queryCode" in error:
        lines.append(f'    query_code = "{error["queryCode"]}"')
    lines.append(f"    status = {error['status']}")
    return "\n".join(lines)


STUB = '''"""AWS {service}: every operation, structure and error. Generated by tools/generate_api.py; do not edit.

{summary}
"""

{imports}

OPERATIONS: dict[str, str] = {{
{operations}}}
'''
MODULE = '''"""AWS {service}'s structures and errors, made when first used. Generated by tools/generate_api.py; do not edit.

The declarations are in {module}.pyi.
"""

from cumulet.api.lazy import attributes

__getattr__, __dir__ = attributes(__name__)
'''


def render_imports(body: str) -> str:
    plain = [name for name in ("builtins", "msgspec") if re.search(rf"\b{name}\.", body)]
    standard = ["from collections.abc import AsyncIterator"] if "AsyncIterator[" in body else []
    standard += ["from typing import Any"] if re.search(r"\bAny\b", body) else []
    ours = ["from msgspec import Struct, field", "from cumulet.kernel.errors import AwsError"]
    ours += ["from cumulet.kernel.streams import Stream as ByteStream"] if "ByteStream" in body else []
    return "\n".join([*(f"import {name}" for name in plain), *standard, *ours])


def render_stub(model: Json) -> str:
    shapes, metadata = model["shapes"], model["metadata"]
    structures = [
        render_structure(shapes, name, shape)
        for name, shape in shapes.items()
        if shape["type"] == "structure" and "error" not in shape and not shape.get("document")
    ]
    errors = [render_error(name, shape) for name, shape in shapes.items() if "error" in shape]
    body = "\n\n".join([*structures, *errors]) + "\n"
    head = STUB.format(
        service=metadata["service"],
        summary=f"API {metadata['apiVersion']} of botocore {model['botocore']}; protocols: {', '.join(metadata['protocols'])}.",
        imports=render_imports(body),
        operations="".join(
            f'    "{operation["function"]}": "{name}",\n' for name, operation in model["operations"].items()
        ),
    )
    return f"{head}\n{body}"


def check_names(model: Json) -> None:
    """Refuse a model whose names would clash in Python, rather than write a module that is subtly wrong."""
    shapes, service = model["shapes"], model["metadata"]["service"]
    reserved = {"Struct", "AwsError", "ByteStream", "AsyncIterator", "Any", "OPERATIONS"}
    for name, shape in shapes.items():
        if shape["type"] != "structure":
            continue
        if name in reserved or not name.isidentifier() or keyword.iskeyword(name):
            raise SystemExit(f"{service}: a shape is called {name}, which is taken")
        members = shape["members"]
        for what, names in (
            ("attribute", [member["attribute"] for member in members.values()]),
            ("wire name", [member.get("field", key) for key, member in members.items()]),
        ):
            if len(set(names)) != len(names):
                raise SystemExit(f"{service}: {name} has two members of one {what}: {sorted(names)}")
        for member_name, member in members.items():
            if "error" in shapes[member["shape"]] and not shape.get("eventstream"):
                raise SystemExit(f"{service}: {name}.{member_name} is an error used as a value")


def files() -> Iterator[tuple[Path, str]]:
    """Every generated file with the text it should have."""
    for service in SERVICES:
        model, module = strip(service), module_name(service)
        check_names(model)
        yield API / "models" / f"{module}.json", render_model(model)
        yield API / f"{module}.pyi", render_stub(model)
        yield API / f"{module}.py", MODULE.format(service=service, module=module)


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = 0
    for path, text in files():
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if check:
            print(f"stale: {path.relative_to(API.parents[2])}; run python tools/generate_api.py")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
