"""Operations on published versions."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id, token
from cumulet.services.lambda_.capacity import providers
from cumulet.services.lambda_.capacity.model import managed
from cumulet.services.lambda_.concurrency.snap_start import asked, published
from cumulet.services.lambda_.errors import invalid, no_function, stale_revision
from cumulet.services.lambda_.markers import PAGE, decode_marker, encode_marker, number_in
from cumulet.services.lambda_.model import Version, timestamp
from cumulet.services.lambda_.names import LATEST, LATEST_PUBLISHED, FunctionKey, Reference, refer
from cumulet.services.lambda_.packages.packages import Package
from cumulet.services.lambda_.state import Lambda
from cumulet.storage.database import Transaction

_SAME = (
    "architectures",
    "capacity_provider_config",
    "code_sha256",
    "dead_letter_config",
    "environment",
    "ephemeral_storage",
    "handler",
    "kms_key_arn",
    "layers",
    "logging_config",
    "memory_size",
    "role",
    "runtime",
    "runtime_config",
    "timeout",
    "tracing_config",
    "vpc_config",
)
"""Members that make another version of a function; a new description alone does not."""


async def publish_version(lambda_: Lambda, call: Call, request: api.PublishVersionRequest) -> api.FunctionConfiguration:
    key = refer(call, request.function_name).key
    await lambda_.settled(key)
    async with lambda_.change(key) as tx:
        latest = await lambda_.version(Reference(key, None), tx)
        configuration = latest.configuration
        if request.revision_id is not None and request.revision_id != configuration.revision_id:
            raise stale_revision()
        if request.code_sha256 and request.code_sha256 != configuration.code_sha256:
            raise invalid(
                f"CodeSHA256 ({request.code_sha256}) is different from current CodeSHA256 in $LATEST "
                f"({configuration.code_sha256}). Please try again with the CodeSHA256 in $LATEST."
            )
        replaced: list[Version] = []
        dropped: list[Package] = []
        if request.publish_to:
            version, replaced = await publish_latest(lambda_, tx, key, latest, request.description)
            dropped = await lambda_.store.drop_unused(tx, [one.code for one in replaced])
        else:
            version = await publish(lambda_, tx, key, latest, request.description)
    if replaced:
        lambda_.retire([one.deployment for one in replaced], dropped)
    if version.pending:
        lambda_.settle(key)
    return version.answer(f"{key.arn}:{version.number}")


async def publish(
    lambda_: Lambda, tx: Transaction, key: FunctionKey, latest: Version, description: str | None
) -> Version:
    """The version that $LATEST is now: the last one published when nothing changed since, else a new one."""
    last = await lambda_.store.last_published(key, tx)
    if (
        last is not None
        and all(getattr(last.configuration, member) == getattr(latest.configuration, member) for member in _SAME)
        and asked(last.configuration) == asked(latest.configuration)
    ):
        return last
    function = await lambda_.function(key, tx)
    version = _copy(lambda_, latest, str(function.next_version), description)
    await _put(lambda_, tx, key, latest, version)
    await lambda_.store.put_function(tx, key, replace(function, next_version=function.next_version + 1))
    return version


async def publish_latest(
    lambda_: Lambda, tx: Transaction, key: FunctionKey, latest: Version, description: str | None
) -> tuple[Version, list[Version]]:
    """$LATEST.PUBLISHED as $LATEST is now, and what it was before, if it was. Raises InvalidParameterValueException."""
    if not managed(latest.configuration):
        raise invalid("PublishTo is only supported for functions with a capacity provider.")
    before = await lambda_.store.version(key, LATEST_PUBLISHED, tx)
    version = _copy(lambda_, latest, LATEST_PUBLISHED, description)
    await _put(lambda_, tx, key, latest, version)
    return version, [] if before is None else [before]


async def _put(lambda_: Lambda, tx: Transaction, key: FunctionKey, latest: Version, version: Version) -> None:
    """Store a version that was made of $LATEST."""
    await lambda_.store.put_version(tx, key, version)
    await providers.use(lambda_, tx, key, [version])
    if version.layers:
        await lambda_.layers.use(tx, key, version.number, version.layers)
    await lambda_.store.put_version(tx, key, latest.changed(revision_id=new_id()))


def _copy(lambda_: Lambda, latest: Version, number: str, description: str | None) -> Version:
    states: dict[str, object] = {}
    if latest.pending or asked(latest.configuration) or managed(latest.configuration):
        states = published(latest.configuration) | {
            "state": "Pending",
            "state_reason": "The function is being created.",
            "state_reason_code": "Creating",
            "last_update_status": None,
            "last_update_status_reason": None,
            "last_update_status_reason_code": None,
        }
    return replace(
        latest.changed(
            version=number,
            revision_id=new_id(),
            description=latest.configuration.description if description is None else description,
            last_modified=timestamp(lambda_.clock.now()),
            **states,
        ),
        deployment=token(),
    )


async def list_versions_by_function(
    lambda_: Lambda, call: Call, request: api.ListVersionsByFunctionRequest
) -> api.ListVersionsByFunctionResponse:
    key = refer(call, request.function_name).key
    limit = min(request.max_items or PAGE, PAGE)
    after = number_in(decode_marker(request.marker))
    found = await lambda_.store.versions(key, after, limit + 1)
    if not found and await lambda_.store.function(key) is None:
        raise no_function(key.arn)
    page = found[:limit]
    answer = api.ListVersionsByFunctionResponse(
        versions=[version.listed(f"{key.arn}:{version.number}") for version in page]
    )
    if len(found) > limit:
        last = page[-1].number
        answer.next_marker = encode_marker("0" if last == LATEST else last)
    return answer
