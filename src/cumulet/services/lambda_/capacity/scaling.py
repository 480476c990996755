"""Operations on how many environments a version has that runs by a capacity provider."""

from __future__ import annotations

from msgspec import json

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.capacity.model import SCALING, Scaling, managed
from cumulet.services.lambda_.errors import conflict, invalid, no_function
from cumulet.services.lambda_.model import CREATING, Version
from cumulet.services.lambda_.names import FunctionKey, Reference, refer
from cumulet.services.lambda_.state import Lambda
from cumulet.storage.database import Transaction

_OFF = "The function version is deactivated: it has no execution environments."


async def put_function_scaling_config(
    lambda_: Lambda, call: Call, request: api.PutFunctionScalingConfigRequest
) -> api.PutFunctionScalingConfigResponse:
    """Without a configuration, the default one. Version and environments are brought to it in the background."""
    reference = refer(call, request.function_name, request.qualifier)
    key = reference.key
    config = request.function_scaling_config or api.FunctionScalingConfig()
    scaling = Scaling(config.min_execution_environments, config.max_execution_environments)
    if scaling.least is not None and scaling.most is not None and scaling.least > scaling.most:
        raise invalid("MinExecutionEnvironments must not be greater than MaxExecutionEnvironments.")
    if scaling.most == 0 and not scaling.off:
        raise invalid("MaxExecutionEnvironments can only be 0 when MinExecutionEnvironments is 0 as well.")
    await lambda_.settled(key)
    async with lambda_.change(key) as tx:
        version = await _version(lambda_, reference, tx)
        if version.pending:
            raise conflict(
                f"The operation cannot be performed at this time. An update is in progress for resource: {reference.arn}"
            )
        await lambda_.store.put_setting(tx, SCALING, key, version.number, json.encode(scaling))
        version = _with(version, scaling)
        await lambda_.store.put_version(tx, key, version)
    if scaling.off:
        lambda_.retire([version.deployment], ())
    elif version.pending:
        lambda_.settle(key)
    return api.PutFunctionScalingConfigResponse(function_state=version.configuration.state)


async def get_function_scaling_config(
    lambda_: Lambda, call: Call, request: api.GetFunctionScalingConfigRequest
) -> api.GetFunctionScalingConfigResponse:
    reference = refer(call, request.function_name, request.qualifier)
    version = await _version(lambda_, reference, None)
    scaling = await scaling_of(lambda_, reference.key, version.number)
    return api.GetFunctionScalingConfigResponse(
        function_arn=reference.arn,
        applied_function_scaling_config=scaling.answer(),
        requested_function_scaling_config=scaling.answer(),
    )


async def scaling_of(lambda_: Lambda, key: FunctionKey, version: str, within: Transaction | None = None) -> Scaling:
    document = await lambda_.store.setting(SCALING, key, version, within)
    return Scaling() if document is None else json.decode(document, type=Scaling)


async def _version(lambda_: Lambda, reference: Reference, tx: Transaction | None) -> Version:
    version = await lambda_.store.version(reference.key, reference.qualifier or "", tx)
    if version is None:
        raise no_function(reference.arn)
    if not managed(version.configuration):
        raise invalid("Scaling configurations are only supported for functions with a capacity provider.")
    return version


def _with(version: Version, scaling: Scaling) -> Version:
    """Off, or on again if it was off."""
    state = version.configuration.state
    if scaling.off:
        return version.changed(state="Deactivated", state_reason=_OFF, state_reason_code=None, revision_id=new_id())
    if state == "Active":
        return version
    return version.changed(state="Pending", state_reason=CREATING, state_reason_code="Creating", revision_id=new_id())
