"""Operations on when a function gets a newer version of its runtime.

A node has one version of each runtime, so that Auto and FunctionUpdate come to the same; Manual can name no other one.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html
"""

from __future__ import annotations

from msgspec import Struct, json

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.model import Version
from cumulet.services.lambda_.names import LATEST, Reference, is_version, refer
from cumulet.services.lambda_.state import Lambda

_KIND = "runtime-management"


class Management(Struct, frozen=True, kw_only=True):
    """`version` is the ARN of the runtime's version in mode Manual."""

    mode: str = "Auto"
    version: str | None = None


async def put_runtime_management_config(
    lambda_: Lambda, call: Call, request: api.PutRuntimeManagementConfigRequest
) -> api.PutRuntimeManagementConfigResponse:
    reference = _reference(call, request.function_name, request.qualifier)
    mode, arn = request.update_runtime_on, request.runtime_version_arn
    if mode == "Manual" and arn is None:
        raise invalid("You must specify a runtime version ARN when the runtime update mode is Manual.")
    if mode != "Manual" and arn is not None:
        raise invalid(f"You cannot specify a runtime version ARN when the runtime update mode is {mode}.")
    async with lambda_.change(reference.key) as tx:
        version = await lambda_.version(reference, tx)
        if arn is not None and arn != _runtime(version):
            raise invalid(f"Runtime version {arn} does not exist or is not compatible with the function's runtime.")
        document = json.encode(Management(mode=mode, version=arn))
        await lambda_.store.put_setting(tx, _KIND, reference.key, version.number, document)
    return api.PutRuntimeManagementConfigResponse(
        update_runtime_on=mode, function_arn=_arn(reference, version), runtime_version_arn=arn
    )


async def get_runtime_management_config(
    lambda_: Lambda, call: Call, request: api.GetRuntimeManagementConfigRequest
) -> api.GetRuntimeManagementConfigResponse:
    reference = _reference(call, request.function_name, request.qualifier)
    version = await lambda_.version(reference)
    document = await lambda_.store.setting(_KIND, reference.key, version.number)
    management = json.decode(document, type=Management) if document else Management()
    return api.GetRuntimeManagementConfigResponse(
        update_runtime_on=management.mode,
        function_arn=_arn(reference, version),
        runtime_version_arn=management.version,
    )


def _reference(call: Call, name: str, qualifier: str | None) -> Reference:
    """Of a version: aliases have no configuration of their own."""
    reference = refer(call, name, qualifier)
    if reference.qualifier not in {None, LATEST} and not is_version(reference.qualifier or ""):
        raise invalid("Runtime management configurations are of versions: give $LATEST or a version's number.")
    return reference


def _arn(reference: Reference, version: Version) -> str:
    return f"{reference.key.arn}:{version.number}"


def _runtime(version: Version) -> str | None:
    config = version.configuration.runtime_version_config
    return config.runtime_version_arn if config is not None else None
