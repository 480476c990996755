"""Operations on the policies of layer versions: which other accounts may use them."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.errors import conflict, not_found, stale_revision
from cumulet.services.lambda_.layers.names import checked_number, layer_key, split_arn
from cumulet.services.lambda_.layers.store import LayerKey, LayerVersion
from cumulet.services.lambda_.state import Lambda
from cumulet.storage.database import Transaction

Statement = dict[str, object]


async def add_layer_version_permission(
    lambda_: Lambda, call: Call, request: api.AddLayerVersionPermissionRequest
) -> api.AddLayerVersionPermissionResponse:
    key, number = layer_key(call, request.layer_name), checked_number(request.version_number)
    async with lambda_.db.transaction() as tx:
        version = await _version(lambda_, key, number, tx)
        if any(known["Sid"] == request.statement_id for known in version.statements):
            raise conflict(
                f"The statement id ({request.statement_id}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            )
        _check_revision(version, request.revision_id)
        statement = _statement(request, f"{key.arn}:{number}")
        version = await _put(lambda_, tx, key, version, [*version.statements, statement])
    return api.AddLayerVersionPermissionResponse(
        statement=msgspec.json.encode(statement).decode(), revision_id=version.revision
    )


async def remove_layer_version_permission(
    lambda_: Lambda, call: Call, request: api.RemoveLayerVersionPermissionRequest
) -> None:
    key, number = layer_key(call, request.layer_name), checked_number(request.version_number)
    async with lambda_.db.transaction() as tx:
        version = await _version(lambda_, key, number, tx)
        _check_revision(version, request.revision_id)
        left = [known for known in version.statements if known["Sid"] != request.statement_id]
        if len(left) == len(version.statements):
            raise not_found(f"Statement {request.statement_id} is not found in resource policy.")
        await _put(lambda_, tx, key, version, left)


async def get_layer_version_policy(
    lambda_: Lambda, call: Call, request: api.GetLayerVersionPolicyRequest
) -> api.GetLayerVersionPolicyResponse:
    key, number = layer_key(call, request.layer_name), checked_number(request.version_number)
    version = await _version(lambda_, key, number, None)
    if not version.statements:
        raise not_found("No policy is associated with the given resource.")
    return api.GetLayerVersionPolicyResponse(policy=_document(version), revision_id=version.revision)


async def policy_of(lambda_: Lambda, arn: str) -> str | None:
    """The policy document of a layer's version; None when it has no statements, or is no such thing."""
    parts = split_arn(arn)
    version = None if parts is None else await lambda_.layers.version(*parts)
    return _document(version) if version is not None and version.statements else None


def _document(version: LayerVersion) -> str:
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": version.statements}
    return msgspec.json.encode(policy).decode()


async def _version(lambda_: Lambda, key: LayerKey, number: int, tx: Transaction | None) -> LayerVersion:
    version = await lambda_.layers.version(key, number, tx)
    if version is None:
        raise not_found(f"Layer version {key.arn}:{number} does not exist.")
    return version


def _check_revision(version: LayerVersion, revision: str | None) -> None:
    if revision is not None and revision != version.revision:
        raise stale_revision("GetLayerPolicy")


async def _put(
    lambda_: Lambda, tx: Transaction, key: LayerKey, version: LayerVersion, statements: list[Statement]
) -> LayerVersion:
    size, limit = len(msgspec.json.encode(statements)), lambda_.limits.policy_size
    if size > limit:
        raise api.PolicyLengthExceededException(f"The final policy size ({size}) is bigger than the limit ({limit}).")
    changed = replace(version, statements=statements, revision=new_id())
    await lambda_.layers.put(tx, key, changed)
    return changed


def _statement(request: api.AddLayerVersionPermissionRequest, arn: str) -> Statement:
    principal = request.principal
    if principal.isdecimal():
        principal = f"arn:aws:iam::{principal}:root"
    statement: Statement = {
        "Sid": request.statement_id,
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": principal},
        "Action": request.action,
        "Resource": arn,
    }
    if request.organization_id is not None:
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": request.organization_id}}
    return statement
