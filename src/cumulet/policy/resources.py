"""Which resource a request is about, as an ARN, from the request's members: one table per service.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from cumulet.kernel.call import Call
from cumulet.policy import addresses, shard_iterators

ANYTHING = ("*",)

# What a name means here must be what it means to the service that is asked, or permissions are looked up for another
# resource than is touched: tests/policy/test_names.py holds both together.
_ACCOUNT = re.compile(r"[0-9]{12}")
_FUNCTION_NAME = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?(?:function:)?(?P<name>[a-zA-Z0-9_.-]+)(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?"
)

Build = Callable[[Call, Any, Struct], str | Iterable[str]]
"""From the call, a member's value and the request to an ARN or several."""


class Rule(NamedTuple):
    """The first rule whose member a request has tells its resource."""

    member: str
    build: Build


def _arn(service: str, resource: str, *, regional: bool = True) -> Build:
    """An ARN with the member's value in it; a value that is an ARN already stays as it is."""

    def build(call: Call, value: Any, _: Struct) -> str:
        if value.startswith("arn:"):
            return str(value)
        region = call.region if regional else ""
        return f"arn:aws:{service}:{region}:{call.account}:{resource.format(value)}"

    return build


def _itself(_: Call, value: Any, __: Struct) -> str:
    return str(value)


def _bucket(call: Call, bucket: str, request: Struct) -> str | Iterable[str]:
    base = bucket if bucket.startswith("arn:") else f"arn:aws:s3:::{bucket}"
    key = getattr(request, "key", None)
    if key is not None:
        return f"{base}/{key}"
    delete = getattr(request, "delete", None)
    if delete is not None:
        return [f"{base}/{item.key}" for item in delete.objects]
    return base


def _queue(call: Call, url: str, _: Struct) -> str:
    """A queue by URL of any form, `account/name`, or name."""
    path = url.partition("://")[2].partition("/")[2] if "://" in url else url
    parts = path.strip("/").split("/")
    account = parts[-2] if len(parts) > 1 and _ACCOUNT.fullmatch(parts[-2]) else call.account
    region = parts[-3] if len(parts) == 4 and parts[0] == "queue" else call.region
    return f"arn:aws:sqs:{region}:{account}:{parts[-1]}"


def _function(call: Call, name: str, request: Struct) -> str:
    """A function by name, partial ARN (`account:function:name`) or ARN; with the qualifier in any of them or beside it."""
    match = _FUNCTION_NAME.fullmatch(name)
    if match is None:  # which no operation takes
        return f"arn:aws:lambda:{call.region}:{call.account}:function:{name}"
    account, region = match["account"] or call.account, match["region"] or call.region
    arn = f"arn:aws:lambda:{region}:{account}:function:{match['name']}"
    qualifier = match["qualifier"] or getattr(request, "qualifier", None)
    return f"{arn}:{qualifier}" if qualifier else arn


def _layer(call: Call, name: str, request: Struct) -> str:
    """A layer by name or ARN, with the version that the request names beside it."""
    arn = name if name.startswith("arn:") else f"arn:aws:lambda:{call.region}:{call.account}:layer:{name}"
    version = getattr(request, "version_number", None)
    return arn if version is None else f"{arn}:{version}"


def _web_function(call: Call, name: str, request: Struct) -> str:
    """A web function by name or ARN; its endpoint or revision, where the request names one that is there already."""
    arn = name if name.startswith("arn:") else f"arn:aws:lambda:{call.region}:{call.account}:web-function/{name}"
    endpoint, revision = getattr(request, "endpoint_name", None), getattr(request, "revision_id", None)
    if revision:
        return revision if revision.startswith("arn:") else f"{arn}/revision/{revision}"
    if endpoint and not type(request).__name__.startswith("Create"):
        return endpoint if endpoint.startswith("arn:") else f"{arn}/endpoint/{endpoint}"
    return arn


def _runtime(call: Call, name: str, request: Struct) -> str:
    """A customer's runtime by name or ARN; its version or alias, where the request names one that is there already."""
    arn = name if name.startswith("arn:") else f"arn:aws:lambda:{call.region}:{call.account}:runtime/{name}"
    operation, part = type(request).__name__, getattr(request, "name", None)
    if not part or operation.startswith("Create"):
        return arn
    return f"{arn}/{'version' if 'RuntimeVersion' in operation else 'alias'}/{part}"


def _of_lambda_core(call: Call, name: str, request: Struct) -> str:
    """A runtime by name, or a network connector by name, id or ARN."""
    if "NetworkConnector" not in type(request).__name__:
        return f"arn:aws:lambda:{call.region}:{call.account}:runtime/{name}"
    return name if name.startswith("arn:") else f"arn:aws:lambda:{call.region}:{call.account}:network-connector:{name}"


def _of_efs(call: Call, id: str, _: Struct) -> str:
    """A file system or an access point, by id or ARN."""
    if id.startswith("arn:"):
        return id
    kind = "access-point" if id.startswith("fsap-") else "file-system"
    return f"arn:aws:elasticfilesystem:{call.region}:{call.account}:{kind}/{id}"


def _callback(_: Call, id: str, __: Struct) -> str:
    """The durable execution that a callback belongs to; its id is base 64 of [its ARN, an operation]."""
    try:
        arn, _operation = msgspec.json.decode(base64.b64decode(id), type=tuple[str, str])
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        return "*"
    return arn


def _log_group(call: Call, name: str, request: Struct) -> str:
    if name.startswith("arn:"):
        return name
    stream = getattr(request, "log_stream_name", None) or ""
    return f"arn:aws:logs:{call.region}:{call.account}:log-group:{name}:log-stream:{stream}"


def _iam(kind: str) -> Build:
    def build(call: Call, name: str, request: Struct) -> str:
        path = getattr(request, "path", None) or "/"
        return f"arn:aws:iam::{call.account}:{kind}{path}{name}"

    return build


def _table(call: Call, name: str, request: Struct) -> str:
    account, region = call.account, call.region
    parts = name.split(":", 5)
    if len(parts) == 6 and parts[0] == "arn":  # the table is meant, whatever follows its name
        region, account, name = parts[3] or region, parts[4] or account, parts[5].removeprefix("table/").split("/")[0]
    table = f"arn:aws:dynamodb:{region}:{account}:table/{name}"
    index = getattr(request, "index_name", None)
    return f"{table}/index/{index}" if index else table


def _stream(_: Call, iterator: str, __: Struct) -> str:
    """The stream in a shard iterator."""
    return iterator.partition("|")[0]


def _of_iterator(_: Call, text: str, __: Struct) -> str:
    """The stream of a shard iterator of Kinesis, or of a page of its shards."""
    return shard_iterators.stream_of(text) or "*"


def _streams(call: Call, name: str, request: Struct) -> str:
    """All streams of a table."""
    return f"{_table(call, name, request)}/stream/*"


def _new_table(call: Call, parameters: Any, request: Struct) -> str:
    return _table(call, parameters.table_name, request)


def _restored(call: Call, name: str, request: Struct) -> list[str]:
    """The table that is made, and the backup that it is made from, if it is made from one."""
    backup = getattr(request, "backup_arn", None)
    return [_table(call, name, request), *([backup] if backup is not None else [])]


def _global_table(call: Call, name: str, _: Struct) -> str:
    return f"arn:aws:dynamodb::{call.account}:global-table/{name}"


def table(call: Call, name: str) -> str:
    """The ARN of the table that a name or an ARN means."""
    return _table(call, name, call)


def _tables(call: Call, items: dict[str, Any], request: Struct) -> Iterable[str]:
    return [_table(call, name, request) for name in items]


def _buses(call: Call, entries: list[Any], _: Struct) -> Iterable[str]:
    names = {getattr(entry, "event_bus_name", None) or "default" for entry in entries}
    base = f"arn:aws:events:{call.region}:{call.account}:event-bus/"
    return [name if name.startswith("arn:") else base + name for name in sorted(names)]


def _rule(call: Call, name: str, request: Struct) -> str:
    bus = (getattr(request, "event_bus_name", None) or "default").rpartition("/")[2]
    middle = "" if bus == "default" else f"{bus}/"
    return f"arn:aws:events:{call.region}:{call.account}:rule/{middle}{name}"


def _named_in_events(call: Call, name: str, request: Struct) -> str:
    """Rules, connections and what else has its name in a member called so."""
    if "Connection" in type(request).__name__:
        return f"arn:aws:events:{call.region}:{call.account}:connection/{name}"
    return _rule(call, name, request)


def _subscription(_: Call, arn: str, __: Struct) -> str:
    return arn.rpartition(":")[0] if arn.count(":") > 5 else arn


def _state_machine(call: Call, arn: str, _: Struct) -> str:
    return arn.partition("#")[0]


def _parameter(call: Call, name: str, _: Struct) -> str:
    return name if name.startswith("arn:") else f"arn:aws:ssm:{call.region}:{call.account}:parameter/{name.lstrip('/')}"


def _parameters(call: Call, names: list[str], request: Struct) -> Iterable[str]:
    return [_parameter(call, name, request) for name in names]


def _connection(call: Call, id: str, request: Struct) -> str:
    """A WebSocket's client: its stage is in the endpoint that was called, the verb is the operation's."""
    verb = addresses.method("apigatewaymanagementapi", type(request).__name__.removesuffix("Request"))
    api_id, stage = addresses.stage_of(call.endpoint) or ("*", "*")
    return f"arn:aws:execute-api:{call.region}:{call.account}:{api_id}/{stage}/{verb}/@connections/{id}"


RULES: dict[str, tuple[Rule, ...]] = {
    "apigatewaymanagementapi": (Rule("connection_id", _connection),),
    "s3": (Rule("bucket", _bucket),),
    "sqs": (
        Rule("queue_url", _queue),
        Rule("queue_name", _arn("sqs", "{}")),
        Rule("source_arn", _itself),
    ),
    "lambda": (
        Rule("uuid", _arn("lambda", "event-source-mapping:{}")),  # which may be pointed to another function
        Rule("function_name", _function),
        Rule("layer_name", _layer),
        Rule("capacity_provider_name", _arn("lambda", "capacity-provider:{}")),
        Rule("durable_execution_arn", _itself),
        Rule("callback_id", _callback),
        Rule("arn", _itself),
        Rule("uuid", _arn("lambda", "event-source-mapping:{}")),
        Rule("code_signing_config_arn", _itself),
        Rule("resource", _itself),
        Rule("resource_arn", _itself),
    ),
    "lambda-web": (
        Rule("endpoint_arn", _itself),
        Rule("function_name", _web_function),
        Rule("resource_arn", _itself),
        Rule("resource", _itself),
    ),
    "lambda-microvms": (
        Rule("microvm_identifier", _arn("lambda", "microvm:{}")),
        Rule("image_identifier", _arn("lambda", "microvm-image:{}")),
        Rule("name", _arn("lambda", "microvm-image:{}")),
        Rule("resource", _itself),
    ),
    "lambda-core": (
        Rule("runtime_name", _runtime),
        Rule("identifier", _of_lambda_core),
        Rule("name", _of_lambda_core),
    ),
    "logs": (
        Rule("log_group_name", _log_group),
        Rule("log_group_identifier", _log_group),
        Rule("destination_name", _arn("logs", "destination:{}")),
        Rule("resource_arn", _itself),
    ),
    "iam": (
        Rule("user_name", _iam("user")),
        Rule("role_name", _iam("role")),
        Rule("group_name", _iam("group")),
        Rule("instance_profile_name", _iam("instance-profile")),
        Rule("policy_source_arn", _itself),
        Rule("policy_arn", _itself),
        Rule("policy_name", _iam("policy")),
        Rule("open_id_connect_provider_arn", _itself),
        Rule("saml_provider_arn", _itself),
    ),
    "sts": (Rule("role_arn", _itself), Rule("name", _arn("sts", "federated-user/{}", regional=False))),
    "sns": (
        Rule("topic_arn", _itself),
        Rule("target_arn", _itself),
        Rule("subscription_arn", _subscription),
        Rule("resource_arn", _itself),
        Rule("name", _arn("sns", "{}")),
    ),
    "dynamodb": (
        Rule("table_name", _table),
        Rule("request_items", _tables),
        Rule("source_table_name", _table),
        Rule("source_table_arn", _table),
        Rule("table_arn", _table),
        Rule("target_table_name", _restored),
        Rule("backup_arn", _itself),
        Rule("export_arn", _itself),
        Rule("import_arn", _itself),
        Rule("bulk_operation_arn", _itself),
        Rule("global_table_name", _global_table),
        Rule("table_creation_parameters", _new_table),
        Rule("resource_arn", _itself),
    ),
    "efs": (
        Rule("access_point_id", _of_efs),
        Rule("file_system_id", _of_efs),
        Rule("source_file_system_id", _of_efs),
        Rule("resource_id", _of_efs),
    ),
    "dynamodbstreams": (Rule("stream_arn", _itself), Rule("shard_iterator", _stream), Rule("table_name", _streams)),
    "kinesis": (
        Rule("shard_iterator", _of_iterator),
        Rule("consumer_arn", _itself),
        Rule("stream_arn", _itself),
        Rule("stream_name", _arn("kinesis", "stream/{}")),
        Rule("resource_arn", _itself),
        Rule("next_token", _of_iterator),
    ),
    "firehose": (Rule("delivery_stream_name", _arn("firehose", "deliverystream/{}")),),
    "events": (
        Rule("entries", _buses),
        Rule("rule", _rule),
        Rule("resource_arn", _itself),
        Rule("archive_name", _arn("events", "archive/{}")),
        Rule("replay_name", _arn("events", "replay/{}")),
        Rule("event_bus_name", _arn("events", "event-bus/{}")),
        Rule("connection_arn", _itself),
        Rule("name", _named_in_events),
    ),
    "stepfunctions": (
        Rule("state_machine_arn", _state_machine),
        Rule("execution_arn", _itself),
        Rule("activity_arn", _itself),
        Rule("resource_arn", _itself),
        Rule("name", _arn("states", "stateMachine:{}")),
    ),
    "secretsmanager": (
        Rule("secret_id", _arn("secretsmanager", "secret:{}")),
        Rule("name", _arn("secretsmanager", "secret:{}")),
    ),
    "ssm": (Rule("names", _parameters), Rule("name", _parameter), Rule("path", _parameter)),
    "cloudformation": (Rule("stack_name", _arn("cloudformation", "stack/{}/*")),),
}

_plans: dict[tuple[str, type], tuple[Rule, ...]] = {}


def resources(call: Call, service: str, request: Struct) -> Iterable[str]:
    """The ARNs of what a request is about; `*` when it is about nothing that has one."""
    if service in addresses.SERVICES:
        return (addresses.arn(call, service, request),)
    kind = type(request)
    plan = _plans.get((service, kind))
    if plan is None:
        plan = _plans[service, kind] = _plan(service, kind)
    for rule in plan:
        value = getattr(request, rule.member)
        if value is not None:
            found = rule.build(call, value, request)
            return (found,) if isinstance(found, str) else found
    return ANYTHING


def _plan(service: str, kind: type) -> tuple[Rule, ...]:
    members = set(getattr(kind, "__struct_fields__", ()))
    rules = RULES.get(service)
    if rules is None:
        rules = tuple(Rule(member, _itself) for member in sorted(members) if member.endswith("_arn"))
    return tuple(rule for rule in rules if rule.member in members)


class PassedRole(NamedTuple):
    """Where a request hands a role to a service, which needs iam:PassRole on it."""

    member: str
    """In the request; one within another after a dot."""
    service: str


PASSED_ROLES: dict[tuple[str, str], PassedRole] = {
    ("lambda", "CreateFunction"): PassedRole("role", "lambda.amazonaws.com"),
    ("lambda", "UpdateFunctionConfiguration"): PassedRole("role", "lambda.amazonaws.com"),
    ("lambda-web", "CreateWebFunction"): PassedRole(
        "revision_config.service_config.execution_role_arn", "lambda.amazonaws.com"
    ),
    ("lambda-web", "CreateWebFunctionRevision"): PassedRole(
        "service_config.execution_role_arn", "lambda.amazonaws.com"
    ),
    ("lambda-microvms", "CreateMicrovmImage"): PassedRole("build_role_arn", "lambda.amazonaws.com"),
    ("lambda-microvms", "UpdateMicrovmImage"): PassedRole("build_role_arn", "lambda.amazonaws.com"),
    ("lambda-microvms", "RunMicrovm"): PassedRole("execution_role_arn", "lambda.amazonaws.com"),
    ("lambda", "CreateCapacityProvider"): PassedRole(
        "permissions_config.capacity_provider_operator_role_arn", "lambda.amazonaws.com"
    ),
    ("stepfunctions", "CreateStateMachine"): PassedRole("role_arn", "states.amazonaws.com"),
    ("stepfunctions", "UpdateStateMachine"): PassedRole("role_arn", "states.amazonaws.com"),
    ("stepfunctions", "TestState"): PassedRole("role_arn", "states.amazonaws.com"),
    ("events", "PutRule"): PassedRole("role_arn", "events.amazonaws.com"),
    ("pipes", "CreatePipe"): PassedRole("role_arn", "pipes.amazonaws.com"),
    ("pipes", "UpdatePipe"): PassedRole("role_arn", "pipes.amazonaws.com"),
    ("cloudformation", "CreateStack"): PassedRole("role_arn", "cloudformation.amazonaws.com"),
    ("cloudformation", "UpdateStack"): PassedRole("role_arn", "cloudformation.amazonaws.com"),
}
