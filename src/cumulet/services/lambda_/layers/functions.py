"""The layers of a function: which they may be, and that their packages stay while it has them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.layers.names import split_arn
from cumulet.services.lambda_.layers.store import LayerVersion
from cumulet.services.lambda_.model import Version
from cumulet.services.lambda_.state import Lambda
from cumulet.storage.database import Transaction


def check_arns(lambda_: Lambda, call: Call, arns: Sequence[str]) -> None:
    """What can be said without a look at the layers. Raises InvalidParameterValueException."""
    if len(arns) > lambda_.limits.layers:
        raise invalid(f"Cannot reference more than {lambda_.limits.layers} layers.")
    known: dict[str, str] = {}
    for arn in arns:
        parts = split_arn(arn)
        if parts is not None and parts[0].region != call.region:
            raise invalid(
                f"Layers are not in the same region as the function. Layers are expected to be in region {call.region}."
            )
        layer = arn.rpartition(":")[0]
        if layer in known:
            raise invalid(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{known[layer]} and {arn} are versions of the same layer."
            )
        known[layer] = arn


async def check_allowed(lambda_: Lambda, call: Call, arns: Sequence[str]) -> None:
    """Whether the caller may use the layers, which can be another account's. Raises AWS's errors."""
    for arn in arns:
        request = api.GetLayerVersionByArnRequest(arn=arn)
        try:
            await lambda_.calls.run(call, "lambda", "GetLayerVersionByArn", request)
        except api.ResourceNotFoundException as error:
            raise _missing(arn) from error


async def dressed(lambda_: Lambda, tx: Transaction, version: Version, arns: Sequence[str], code: int) -> Version:
    """`version` with these layers, as they are in the transaction; its own code unpacks to `code` bytes.

    `lambda_.layers.use` must then tell that it has them. Raises InvalidParameterValueException.
    """
    found = [(arn, await _find(lambda_, tx, arn)) for arn in arns]
    _check_size(lambda_, sum(layer.unpacked for _, layer in found), code)
    shown = [api.Layer(arn=arn, code_size=layer.size) for arn, layer in found]
    return replace(version.changed(layers=shown or None), layers=tuple(layer.code for _, layer in found))


async def check_code(lambda_: Lambda, tx: Transaction, version: Version, code: int) -> None:
    """Whether new code, which unpacks to `code` bytes, has room beside the layers. Raises InvalidParameterValueException."""
    packages = [await lambda_.store.package(layer, tx) for layer in version.layers]
    _check_size(lambda_, sum(package.unpacked for package in packages if package is not None), code)


def _check_size(lambda_: Lambda, layers: int, code: int) -> None:
    limit = lambda_.limits.code_size_unzipped
    if layers and layers + code > limit:
        raise invalid(
            f"Function code combined with layers exceeds the maximum allowed size of {limit} bytes. "
            f"The actual size is {layers + code} bytes."
        )


async def _find(lambda_: Lambda, tx: Transaction, arn: str) -> LayerVersion:
    parts = split_arn(arn)
    version = None if parts is None else await lambda_.layers.version(*parts, tx)
    if version is None:
        raise _missing(arn)
    return version


def _missing(arn: str) -> api.InvalidParameterValueException:
    return invalid(f"Layer version {arn} does not exist.")
