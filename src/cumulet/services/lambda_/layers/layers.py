"""Operations on layers and their versions.

https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
"""

from __future__ import annotations

from typing import Any

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.compatibility import check_compatible, check_filter
from cumulet.services.lambda_.errors import not_found
from cumulet.services.lambda_.layers.names import checked_number, layer_key, split_arn
from cumulet.services.lambda_.layers.store import LayerKey, LayerVersion
from cumulet.services.lambda_.markers import PAGE, decode_marker, encode_marker, number_in
from cumulet.services.lambda_.model import code_sha256, timestamp
from cumulet.services.lambda_.names import FunctionKey
from cumulet.services.lambda_.packages import code
from cumulet.services.lambda_.state import Lambda

_NONE = "The resource you requested does not exist."
_EVERY = 2**62
_BATCH = 200


async def publish_layer_version(
    lambda_: Lambda, call: Call, request: api.PublishLayerVersionRequest
) -> api.PublishLayerVersionResponse:
    check_compatible(request.compatible_runtimes, request.compatible_architectures)
    key = layer_key(call, request.layer_name)
    if key.account != call.account:
        raise AwsError(
            f"The layer {key.arn} would be of another account than {call.account}.",
            code="AccessDeniedException",
            status=403,
        )
    async with code.staged(lambda_, call, request.content) as staged:
        package = staged.package
        version = LayerVersion(
            number=0,
            code=package.id,
            size=package.size,
            unpacked=package.unpacked,
            created=timestamp(lambda_.clock.now()),
            description=request.description or "",
            license=request.license_info,
            runtimes=request.compatible_runtimes,
            architectures=request.compatible_architectures,
            reference=staged.reference,
        )
        async with lambda_.db.transaction() as tx:
            version = await lambda_.layers.add(tx, key, version)
            await lambda_.store.put_package(tx, package)
    return api.PublishLayerVersionResponse(**_members(lambda_, call, key, version))


async def get_layer_version(
    lambda_: Lambda, call: Call, request: api.GetLayerVersionRequest
) -> api.GetLayerVersionResponse:
    number = checked_number(request.version_number)
    return await _answer(lambda_, call, layer_key(call, request.layer_name), number)


async def get_layer_version_by_arn(
    lambda_: Lambda, call: Call, request: api.GetLayerVersionByArnRequest
) -> api.GetLayerVersionResponse:
    parts = split_arn(request.arn)
    if parts is None or parts[0].region != call.region:
        raise not_found(_NONE)
    return await _answer(lambda_, call, parts[0], checked_number(parts[1]))


async def list_layer_versions(
    lambda_: Lambda, call: Call, request: api.ListLayerVersionsRequest
) -> api.ListLayerVersionsResponse:
    check_filter(request.compatible_runtime, request.compatible_architecture)
    key = layer_key(call, request.layer_name)
    limit = min(request.max_items or PAGE, PAGE)
    before = number_in(decode_marker(request.marker))
    found: list[LayerVersion] = []
    batch = await lambda_.layers.versions(key, _EVERY if before < 0 else before, _BATCH)
    while batch and len(found) <= limit:
        found += [version for version in batch if _matches(version, request)]
        batch = await lambda_.layers.versions(key, batch[-1].number, _BATCH) if len(batch) == _BATCH else []
    answer = api.ListLayerVersionsResponse(layer_versions=[_item(key, version) for version in found[:limit]])
    if len(found) > limit:
        answer.next_marker = encode_marker(str(found[limit - 1].number))
    return answer


async def list_layers(lambda_: Lambda, call: Call, request: api.ListLayersRequest) -> api.ListLayersResponse:
    """Each layer with the newest of its versions that match; layers without one are left out."""
    check_filter(request.compatible_runtime, request.compatible_architecture)
    limit = min(request.max_items or PAGE, PAGE)
    layers: dict[str, LayerVersion] = {}
    after = (decode_marker(request.marker), 0)
    while len(layers) <= limit:
        batch = await lambda_.layers.all_versions(call.account, call.region, after, _BATCH)
        for name, version in batch:
            if name not in layers and _matches(version, request):
                layers[name] = version
        if len(batch) < _BATCH:
            break
        after = (batch[-1][0], batch[-1][1].number)
    names = list(layers)[:limit]
    answer = api.ListLayersResponse(layers=[_layer(call, name, layers[name]) for name in names])
    if len(layers) > limit:
        answer.next_marker = encode_marker(names[-1])
    return answer


async def delete_layer_version(lambda_: Lambda, call: Call, request: api.DeleteLayerVersionRequest) -> None:
    """Functions that have the version as a layer keep it; nothing happens when there is no such version."""
    number = checked_number(request.version_number)
    async with lambda_.db.transaction() as tx:
        used = await lambda_.layers.delete(tx, layer_key(call, request.layer_name), number)
        dropped = await lambda_.store.drop_unused(tx, used)
    lambda_.retire((), dropped)


async def _answer(lambda_: Lambda, call: Call, key: LayerKey, number: int) -> api.GetLayerVersionResponse:
    version = await lambda_.layers.version(key, number)
    if version is None:
        raise not_found(_NONE)
    return api.GetLayerVersionResponse(**_members(lambda_, call, key, version))


def _members(lambda_: Lambda, call: Call, key: LayerKey, version: LayerVersion) -> dict[str, Any]:
    """What publishing a version answers, and asking for it."""
    return {
        "content": _content(lambda_, call, key, version),
        "layer_arn": key.arn,
        "layer_version_arn": f"{key.arn}:{version.number}",
        "description": version.description,
        "created_date": version.created,
        "version": version.number,
        "compatible_architectures": version.architectures,
        "compatible_runtimes": version.runtimes,
        "license_info": version.license,
    }


def _content(lambda_: Lambda, call: Call, key: LayerKey, version: LayerVersion) -> api.LayerVersionContentOutput:
    return api.LayerVersionContentOutput(
        location=lambda_.locations.make(call.endpoint, FunctionKey(*key), version.code),
        code_sha256=code_sha256(bytes.fromhex(version.code)),
        code_size=version.size,
        resolved_s3_object=version.reference,
    )


def _layer(call: Call, name: str, version: LayerVersion) -> api.LayersListItem:
    key = LayerKey(call.account, call.region, name)
    return api.LayersListItem(layer_name=name, layer_arn=key.arn, latest_matching_version=_item(key, version))


def _item(key: LayerKey, version: LayerVersion) -> api.LayerVersionsListItem:
    return api.LayerVersionsListItem(
        layer_version_arn=f"{key.arn}:{version.number}",
        version=version.number,
        description=version.description,
        created_date=version.created,
        compatible_architectures=version.architectures,
        compatible_runtimes=version.runtimes,
        license_info=version.license,
    )


def _matches(version: LayerVersion, request: api.ListLayersRequest | api.ListLayerVersionsRequest) -> bool:
    runtime, architecture = request.compatible_runtime, request.compatible_architecture
    return (runtime is None or runtime in (version.runtimes or ())) and (
        architecture is None or architecture in (version.architectures or ())
    )
