"""Operations on code signing configurations, and what they mean for deployments.

There is no AWS Signer here whose signatures could be verified, so no package counts as signed: with Enforce nothing can
be deployed, with Warn (as without a configuration) everything.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-codesigning.html
"""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import token
from cumulet.services.lambda_.errors import conflict
from cumulet.services.lambda_.markers import decode_marker, encode_marker
from cumulet.services.lambda_.model import timestamp
from cumulet.services.lambda_.names import FunctionKey, refer
from cumulet.services.lambda_.packages.code_signing_store import Signing
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.tags import check_tags
from cumulet.storage.database import Transaction

_PAGE = 50
_ID_LENGTH = 17


async def create_code_signing_config(
    lambda_: Lambda, call: Call, request: api.CreateCodeSigningConfigRequest
) -> api.CreateCodeSigningConfigResponse:
    tags = request.tags or {}
    check_tags(tags, lambda_.limits)
    id = f"csc-{token()[:_ID_LENGTH]}"
    signing = Signing(
        id=id,
        arn=f"arn:aws:lambda:{call.region}:{call.account}:code-signing-config:{id}",
        publishers=request.allowed_publishers.signing_profile_version_arns,
        policy=_policy(request.code_signing_policies) or "Warn",
        modified=timestamp(lambda_.clock.now()),
        description=request.description or "",
    )
    async with lambda_.db.transaction() as tx:
        await lambda_.signing.put(tx, call.account, call.region, signing)
        await lambda_.tags.put(tx, signing.arn, tags)
    return api.CreateCodeSigningConfigResponse(code_signing_config=_answer(signing))


async def update_code_signing_config(
    lambda_: Lambda, call: Call, request: api.UpdateCodeSigningConfigRequest
) -> api.UpdateCodeSigningConfigResponse:
    async with lambda_.db.transaction() as tx:
        signing = await _find(lambda_, call, request.code_signing_config_arn, tx)
        changes: dict[str, object] = {}
        if request.description is not None:
            changes["description"] = request.description
        if request.allowed_publishers is not None:
            changes["publishers"] = request.allowed_publishers.signing_profile_version_arns
        if (policy := _policy(request.code_signing_policies)) is not None:
            changes["policy"] = policy
        if changes:
            signing = replace(signing, modified=timestamp(lambda_.clock.now()), **changes)
            await lambda_.signing.put(tx, call.account, call.region, signing)
    return api.UpdateCodeSigningConfigResponse(code_signing_config=_answer(signing))


async def get_code_signing_config(
    lambda_: Lambda, call: Call, request: api.GetCodeSigningConfigRequest
) -> api.GetCodeSigningConfigResponse:
    signing = await _find(lambda_, call, request.code_signing_config_arn, None)
    return api.GetCodeSigningConfigResponse(code_signing_config=_answer(signing))


async def delete_code_signing_config(
    lambda_: Lambda, call: Call, request: api.DeleteCodeSigningConfigRequest
) -> api.DeleteCodeSigningConfigResponse:
    async with lambda_.db.transaction() as tx:
        signing = await _find(lambda_, call, request.code_signing_config_arn, tx)
        if await lambda_.signing.functions(signing.arn, "", 1, tx):
            raise conflict(f"The Lambda code signing configuration {signing.arn} is in use by functions.")
        await lambda_.signing.delete(tx, call.account, call.region, signing.id)
        await lambda_.tags.put(tx, signing.arn, {})
    return api.DeleteCodeSigningConfigResponse()


async def list_code_signing_configs(
    lambda_: Lambda, call: Call, request: api.ListCodeSigningConfigsRequest
) -> api.ListCodeSigningConfigsResponse:
    limit = min(request.max_items or _PAGE, _PAGE)
    found = await lambda_.signing.page(call.account, call.region, decode_marker(request.marker), limit + 1)
    answer = api.ListCodeSigningConfigsResponse(code_signing_configs=[_answer(signing) for signing in found[:limit]])
    if len(found) > limit:
        answer.next_marker = encode_marker(found[limit - 1].id)
    return answer


async def list_functions_by_code_signing_config(
    lambda_: Lambda, call: Call, request: api.ListFunctionsByCodeSigningConfigRequest
) -> api.ListFunctionsByCodeSigningConfigResponse:
    signing = await _find(lambda_, call, request.code_signing_config_arn, None)
    limit = min(request.max_items or _PAGE, _PAGE)
    found = await lambda_.signing.functions(signing.arn, decode_marker(request.marker), limit + 1)
    answer = api.ListFunctionsByCodeSigningConfigResponse(function_arns=[key.arn for key in found[:limit]])
    if len(found) > limit:
        answer.next_marker = encode_marker(found[limit - 1].name)
    return answer


async def put_function_code_signing_config(
    lambda_: Lambda, call: Call, request: api.PutFunctionCodeSigningConfigRequest
) -> api.PutFunctionCodeSigningConfigResponse:
    """What is deployed already stays: the configuration holds from the next deployment on."""
    key = refer(call, request.function_name).key
    async with lambda_.change(key) as tx:
        signing = await attachable(lambda_, call, request.code_signing_config_arn, tx)
        await lambda_.function(key, tx)
        await lambda_.signing.attach(tx, key, signing.arn)
    return api.PutFunctionCodeSigningConfigResponse(code_signing_config_arn=signing.arn, function_name=key.name)


async def get_function_code_signing_config(
    lambda_: Lambda, call: Call, request: api.GetFunctionCodeSigningConfigRequest
) -> api.GetFunctionCodeSigningConfigResponse:
    """An empty answer for a function without one, although the model has both members as required."""
    key = refer(call, request.function_name).key
    await lambda_.function(key)
    arn = await lambda_.signing.of(key)
    name = key.name if arn is not None else None
    return api.GetFunctionCodeSigningConfigResponse(
        code_signing_config_arn=arn,  # type: ignore[arg-type]  # as the docstring says
        function_name=name,  # type: ignore[arg-type]  # as the docstring says
    )


async def delete_function_code_signing_config(
    lambda_: Lambda, call: Call, request: api.DeleteFunctionCodeSigningConfigRequest
) -> None:
    key = refer(call, request.function_name).key
    async with lambda_.change(key) as tx:
        await lambda_.function(key, tx)
        await lambda_.signing.attach(tx, key, None)


async def attachable(lambda_: Lambda, call: Call, arn: str, tx: Transaction | None) -> Signing:
    """A configuration for a function; raises CodeSigningConfigNotFoundException."""
    signing = await lambda_.signing.get(call.account, call.region, _id(arn), tx)
    if signing is None or signing.arn != arn:
        raise api.CodeSigningConfigNotFoundException(
            "The code signing configuration cannot be found. "
            f"Check that the provided configuration is not deleted: {arn}."
        )
    return signing


async def check_deployment(lambda_: Lambda, call: Call, key: FunctionKey, arn: str | None = None) -> None:
    """Whether unsigned code and layers may be deployed; `arn` is the configuration of a function that is being created.

    Raises CodeVerificationFailedException, or CodeSigningConfigNotFoundException.
    """
    if arn is not None:
        signing: Signing | None = await attachable(lambda_, call, arn, None)
    else:
        known = await lambda_.signing.of(key)
        signing = await lambda_.signing.get(key.account, key.region, _id(known)) if known is not None else None
    if signing is not None and signing.policy == "Enforce":
        raise api.CodeVerificationFailedException(
            "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client "
            f"is not configured to accept. Check the provided signature for {key.name}."
        )


async def check_there(lambda_: Lambda, call: Call, arn: str, tx: Transaction | None) -> None:
    """For the tag store."""
    await _find(lambda_, call, arn, tx)


async def _find(lambda_: Lambda, call: Call, arn: str, tx: Transaction | None) -> Signing:
    signing = await lambda_.signing.get(call.account, call.region, _id(arn), tx)
    if signing is None or signing.arn != arn:
        raise api.ResourceNotFoundException(
            f"The Lambda code signing configuration {arn} can not be found.", fields={"Type": None}
        )
    return signing


def _id(arn: str) -> str:
    return arn.rpartition(":")[2]


def _policy(policies: api.CodeSigningPolicies | None) -> str | None:
    return policies.untrusted_artifact_on_deployment if policies is not None else None


def _answer(signing: Signing) -> api.CodeSigningConfig:
    return api.CodeSigningConfig(
        code_signing_config_id=signing.id,
        code_signing_config_arn=signing.arn,
        description=signing.description,
        allowed_publishers=api.AllowedPublishers(signing_profile_version_arns=signing.publishers),
        code_signing_policies=api.CodeSigningPolicies(untrusted_artifact_on_deployment=signing.policy),
        last_modified=signing.modified,
    )
