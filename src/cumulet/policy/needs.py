"""Every permission that a call must have: what it wants to do, to what."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from cumulet.kernel.call import Call
from cumulet.policy import copy_source, kms_keys, statements
from cumulet.policy.actions import permissions
from cumulet.policy.resources import PASSED_ROLES, resources, table


class Need(NamedTuple):
    """One permission. `service` is the one that knows the resource; `keys` adds condition keys by their lower-case names;
    `trust` says that the resource's own policy must let the caller in, as a role's trust policy must. `part` is what of the
    request it is for, where that holds several.
    """

    action: str
    resource: str
    service: str
    trust: bool = False
    keys: Mapping[str, tuple[str, ...]] | None = None
    part: Struct | None = None


def needs(call: Call, service: str, operation: str, request: Struct) -> Iterator[Need]:
    """What a call needs; nothing for operations that everyone may run."""
    if service == "sts" and operation == "AssumeRole":
        yield from _to_assume(request)
        return
    if (own := _OWN.get(service)) is not None:
        yield from own(call, operation, request)
        return
    if service == "dynamodb" and operation in {"TransactGetItems", "TransactWriteItems"}:
        yield from _of_transaction(call, operation, request)
        return
    if service == "dynamodb" and operation in {"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}:
        yield from _of_statements(call, request)
        return
    for action in permissions(service, operation):
        for resource in resources(call, service, request):
            yield Need(action, resource, service)
    passed = PASSED_ROLES.get((service, operation))
    if passed is not None and (role := _member(request, passed.member)) is not None:
        yield Need("iam:PassRole", role, "iam", keys={"iam:passedtoservice": (passed.service,)})
    yield from _beside(service, request)
    if service == "dynamodb" and operation == "CreateTable":
        yield from _of_new_table(call, request)
    if service == "dynamodb" and operation == "UpdateTable":
        yield from _of_replicas(call, request)


def _beside(service: str, request: Any) -> Iterator[Need]:
    """What members of a request need, whatever the operation."""
    if getattr(request, "reveal_secrets", None):
        yield Need("states:RevealSecrets", "*", service)
    if (config := getattr(request, "capacity_provider_config", None)) is not None:
        arn = config.lambda_managed_instances_capacity_provider_config.capacity_provider_arn
        yield Need("lambda:PassCapacityProvider", arn, service)


def _of_new_table(call: Call, request: Any) -> Iterator[Need]:
    """What comes with a table needs what it would need later."""
    made = table(call, request.table_name)
    if request.resource_policy is not None:
        yield Need("dynamodb:PutResourcePolicy", made, "dynamodb")
    if request.tags is not None:
        yield Need("dynamodb:TagResource", made, "dynamodb")
    if request.global_table_source_arn is not None:
        yield Need("dynamodb:AssociateTableReplica", request.global_table_source_arn, "dynamodb")


_TO_REPLICATE = (
    *("CreateTable", "CreateTableReplica", "Scan", "Query", "UpdateItem", "PutItem", "GetItem"),
    *("DeleteItem", "BatchWriteItem"),
)
_TO_END_REPLICATION = ("DeleteTable", "DeleteTableReplica")


def _of_replicas(call: Call, request: Any) -> Iterator[Need]:
    """Replicas are made, filled and deleted in the caller's name, each in its own region.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2gt_IAM.html
    """
    parts = table(call, request.table_name).split(":")
    kinds = (
        (request.replica_updates, _TO_REPLICATE, _TO_END_REPLICATION),
        (request.global_table_witness_updates, ("CreateGlobalTableWitness",), ("DeleteGlobalTableWitness",)),
    )
    for updates, created, deleted in kinds:
        for each in updates or ():
            for member, actions in ((each.create, created), (each.delete, deleted)):
                if member is not None:
                    arn = ":".join((*parts[:3], member.region_name, *parts[4:]))
                    there = {"aws:requestedregion": (member.region_name,)}
                    yield from (Need(f"dynamodb:{action}", arn, "dynamodb", keys=there) for action in actions)


def _of_efs(call: Call, operation: str, request: Any) -> Iterator[Need]:
    """What clients of a file system do, permissions are asked of the file system for, by whatever access point."""
    if not operation.startswith("Client"):
        for resource in resources(call, "efs", request):
            yield Need(f"elasticfilesystem:{operation}", resource, "efs")
        return
    keys = {"elasticfilesystem:accessedviamounttarget": ("true",)}
    if (point := getattr(request, "access_point_id", None)) is not None:
        keys["elasticfilesystem:accesspointarn"] = (point,)
    arn = f"arn:aws:elasticfilesystem:{call.region}:{call.account}:file-system/{request.file_system_id}"
    yield Need(f"elasticfilesystem:{operation}", arn, "efs", keys=keys)


def _of_kms(call: Call, operation: str, request: Any) -> Iterator[Need]:
    """A key's own policy is what lets anyone in, be it by leaving the matter to the account's other policies."""
    for action, resource, is_key in kms_keys.wanted(call, operation, request):
        yield Need(f"kms:{action}", resource, "kms", trust=is_key)


def _member(request: Struct, path: str) -> Any:
    """A member of a request, one within another after a dot; None where it, or what it is in, is not there."""
    found: Any = request
    for name in path.split("."):
        if found is None:
            return None
        found = getattr(found, name)
    return found


def _to_assume(request: Any) -> Iterator[Need]:
    yield Need("sts:AssumeRole", request.role_arn, "sts", trust=True)
    if request.tags:
        yield Need("sts:TagSession", request.role_arn, "sts", trust=True)
    if request.source_identity:
        yield Need("sts:SetSourceIdentity", request.role_arn, "sts", trust=True)


_TRANSACTED = {
    "get": "dynamodb:GetItem",
    "put": "dynamodb:PutItem",
    "update": "dynamodb:UpdateItem",
    "delete": "dynamodb:DeleteItem",
    "condition_check": "dynamodb:ConditionCheckItem",
}


def _of_transaction(call: Call, operation: str, request: Any) -> Iterator[Need]:
    """Each action on the table that it is for, as if it came alone."""
    enclosing = {"dynamodb:enclosingoperation": (operation,)}
    for item in request.transact_items:
        for member, action in _TRANSACTED.items():
            if (part := getattr(item, member, None)) is not None:
                yield Need(action, table(call, part.table_name), "dynamodb", keys=enclosing, part=part)


def _of_statements(call: Call, request: Any) -> Iterator[Need]:
    """Each statement on its table, or on the index that it reads."""
    for (action, name, index_name), part in statements.heads(request):
        arn = table(call, name)
        resource = f"{arn}/index/{index_name}" if index_name else arn
        yield Need(f"dynamodb:{action}", resource, "dynamodb", part=part)


_OF_A_VERSION = {
    "s3:DeleteObject": "s3:DeleteObjectVersion",
    "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:GetObjectAcl": "s3:GetObjectVersionAcl",
    "s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
    "s3:PutObjectAcl": "s3:PutObjectVersionAcl",
    "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
}
_STORING = {"PutObject", "CopyObject", "CreateMultipartUpload"}


def _of_s3(call: Call, operation: str, request: Any) -> Iterator[Need]:
    """S3 has permissions of their own for versions, and for what is set along with an object."""
    if operation == "PostObject":  # a put by HTML form, which no model has
        operation = "PutObject"
    version = getattr(request, "version_id", None)
    for action in permissions("s3", operation):
        chosen = _OF_A_VERSION.get(action, action) if version else action
        for resource in resources(call, "s3", request):
            yield Need(chosen, resource, "s3")
    if operation == "DeleteObjects" and any(item.version_id for item in request.delete.objects):
        for item in request.delete.objects:
            if item.version_id:
                yield Need("s3:DeleteObjectVersion", f"arn:aws:s3:::{request.bucket}/{item.key}", "s3")
    if operation in _STORING:
        yield from _set_along(call, request)
    if (source := getattr(request, "copy_source", None)) is not None:
        source_bucket, source_key, source_version = copy_source.split(source)
        read = "s3:GetObjectVersion" if source_version else "s3:GetObject"
        yield Need(read, f"arn:aws:s3:::{source_bucket}/{source_key}", "s3")


def _set_along(call: Call, request: Any) -> Iterator[Need]:
    extras = {
        "s3:PutObjectTagging": request.tagging,
        "s3:PutObjectAcl": request.acl,
        "s3:PutObjectRetention": request.object_lock_retain_until_date,
        "s3:PutObjectLegalHold": request.object_lock_legal_hold_status,
    }
    for action, value in extras.items():
        if value is not None:
            for resource in resources(call, "s3", request):
                yield Need(action, resource, "s3")


_OWN = {"efs": _of_efs, "kms": _of_kms, "s3": _of_s3}
"""Services whose operations need other permissions than one of their own name on what they are about."""
