"""Operations on network connectors. A node has no VPCs: connectors are kept and named, and lead nowhere.

What AWS does in minutes is done when the answer comes: the answer shows the state on the way (PENDING, InProgress,
DELETING), the next one what it came to.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cumulet.api import lambda_core as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.custom.connector_model import (
    ACTIVE,
    DELETING,
    PENDING,
    Connector,
    ConnectorKey,
    Version,
    check,
    parse,
)
from cumulet.services.lambda_.custom.pages import page
from cumulet.services.lambda_.custom.state import CustomRuntimes
from cumulet.services.lambda_.errors import not_found
from cumulet.storage.database import Transaction

_TYPE = "VPC_EGRESS"
_PAGE = 50
_TAGS = 50


async def create_network_connector(
    custom: CustomRuntimes, call: Call, request: api.CreateNetworkConnectorRequest
) -> api.CreateNetworkConnectorResponse:
    key, version = parse(call, request.name)
    if version is not None or key[:2] != (call.account, call.region):
        raise api.InvalidParameterValueException(
            f"{request.name} is no name for a network connector of this account and region."
        )
    check(request.configuration)
    tags = request.tags or {}
    if len(tags) > _TAGS:
        raise api.InvalidParameterValueException("Number of tags exceeds resource tag limit.")
    now = custom.clock.now()
    first = Version(number=1, configuration=request.configuration, role=request.operator_role, made=now)
    async with custom.db.transaction() as tx:
        found = await custom.connectors.get(key, tx)
        if found is not None and not found[1].gone:
            key, connector = found
            token = request.client_token
            if token is None or connector.tokens[0] != token or not _same(connector.versions[0], first):
                raise api.ResourceConflictException(f"The network connector {key.name} exists already.")
        else:
            connector = Connector(id=new_id(), versions=(first,), modified=now, tokens=(request.client_token, None))
            await custom.connectors.put(tx, key, connector)
            await custom.tags.put(tx, key.arn, tags)
    return api.CreateNetworkConnectorResponse(
        **_shown(key, connector), **_qualified(key, connector.latest), state=PENDING
    )


async def get_network_connector(
    custom: CustomRuntimes, call: Call, request: api.GetNetworkConnectorRequest
) -> api.GetNetworkConnectorResponse:
    key, connector, version = await _find(custom, call, request.identifier)
    shown = _shown(key, connector, version)
    latest = connector.latest
    if version is not None:
        return api.GetNetworkConnectorResponse(
            **shown, **_qualified(key, version), state=ACTIVE, last_modified=version.made
        )
    return api.GetNetworkConnectorResponse(
        **shown,
        version=latest.number,
        latest_version_arn=_arn(key, latest),
        latest_version=latest.number,
        state=ACTIVE,
        last_update_status="Successful",
        last_modified=connector.modified,
    )


async def list_network_connectors(
    custom: CustomRuntimes, call: Call, request: api.ListNetworkConnectorsRequest
) -> api.ListNetworkConnectorsResponse:
    found = [
        api.NetworkConnectorSummary(
            arn=key.arn,
            name=key.name,
            id=connector.id,
            type=_TYPE,
            state=ACTIVE,
            last_modified=connector.modified,
            latest_version_arn=_arn(key, connector.latest),
            latest_version=connector.latest.number,
        )
        for key, connector in await custom.connectors.page(call.account, call.region, "")
        if not connector.gone and request.state in {None, ACTIVE}
    ]
    shown, marker = page(found, min(request.max_items or _PAGE, _PAGE), request.marker, lambda one: one.name)
    return api.ListNetworkConnectorsResponse(network_connectors=shown, next_marker=marker)


async def list_network_connector_versions(
    custom: CustomRuntimes, call: Call, request: api.ListNetworkConnectorVersionsRequest
) -> api.ListNetworkConnectorVersionsResponse:
    key, connector, version = await _find(custom, call, request.identifier)
    if version is not None:
        raise api.InvalidParameterValueException("Specify an unqualified identifier to list versions.")
    found = [
        api.NetworkConnectorVersionSummary(
            arn=key.arn,
            name=key.name,
            id=connector.id,
            state=ACTIVE,
            last_modified=one.made,
            **_qualified(key, one),
        )
        for one in connector.versions
        if request.state in {None, ACTIVE}
    ]
    shown, marker = page(found, request.max_items, request.marker, lambda one: f"{one.version:018}")
    return api.ListNetworkConnectorVersionsResponse(network_connector_versions=shown, next_marker=marker)


async def update_network_connector(
    custom: CustomRuntimes, call: Call, request: api.UpdateNetworkConnectorRequest
) -> api.UpdateNetworkConnectorResponse:
    """What changes nothing makes no version."""
    if request.configuration is not None:
        check(request.configuration)
    now = custom.clock.now()
    async with custom.db.transaction() as tx:
        key, connector, version = await _find(custom, call, request.identifier, tx)
        if version is not None:
            raise api.InvalidParameterValueException("Specify an unqualified identifier to update a network connector.")
        latest = connector.latest
        token = request.client_token
        changed = replace(
            latest,
            configuration=request.configuration or latest.configuration,
            role=request.operator_role or latest.role,
        )
        repeated = token is not None and connector.tokens[1] == token
        if not repeated and not _same(latest, changed):
            changed = replace(changed, number=latest.number + 1, made=now)
            connector = replace(
                connector,
                versions=(*connector.versions, changed),
                modified=now,
                tokens=(connector.tokens[0], token),
            )
            await custom.connectors.put(tx, key, connector)
    return api.UpdateNetworkConnectorResponse(
        **_shown(key, connector),
        **_qualified(key, connector.latest),
        state=ACTIVE,
        last_update_status="InProgress",
        last_modified=connector.modified,
    )


async def delete_network_connector(
    custom: CustomRuntimes, call: Call, request: api.DeleteNetworkConnectorRequest
) -> api.DeleteNetworkConnectorResponse:
    """All of it, or one version that is not the latest. What was deleted already may be once more."""
    async with custom.db.transaction() as tx:
        key, connector, version = await _find(custom, call, request.identifier, tx, gone=True)
        if version is not None and version is connector.latest:
            raise api.ResourceConflictException(
                "The latest version of a network connector cannot be deleted on its own. Delete the network connector."
            )
        if version is not None:
            left = tuple(one for one in connector.versions if one is not version)
            await custom.connectors.put(tx, key, replace(connector, versions=left))
        elif not connector.gone:
            await custom.connectors.put(tx, key, replace(connector, gone=True))
            await custom.tags.put(tx, key.arn, {})
    shown = _shown(key, connector, version)
    return api.DeleteNetworkConnectorResponse(**shown, **_qualified(key, version or connector.latest), state=DELETING)


async def check_tagged(custom: CustomRuntimes, call: Call, arn: str, within: Transaction | None) -> None:
    """Raises Lambda's ResourceNotFoundException when the ARN is of no connector of the caller's."""
    try:
        key, _, version = await _find(custom, call, arn, within)
    except api.ResourceNotFoundException as error:
        raise not_found(error.message) from error
    if version is not None or key.arn != arn:
        raise not_found(f"The network connector {arn} does not exist.")


async def _find(
    custom: CustomRuntimes, call: Call, identifier: str, within: Transaction | None = None, *, gone: bool = False
) -> tuple[ConnectorKey, Connector, Version | None]:
    """With the version that a qualified ARN names. Raises ResourceNotFoundException."""
    asked = parse(call, identifier)
    found = await custom.connectors.get(asked.key, within) if asked.key[:2] == (call.account, call.region) else None
    if found is not None and (gone or not found[1].gone):
        key, connector = found
        if asked.version is None:
            return key, connector, None
        version = connector.version(asked.version)
        if version is not None:
            return key, connector, version
    raise api.ResourceNotFoundException(f"The network connector {identifier} does not exist.")


def _same(one: Version, other: Version) -> bool:
    return (one.configuration, one.role) == (other.configuration, other.role)


def _arn(key: ConnectorKey, version: Version) -> str:
    return f"{key.arn}:{version.number}"


def _qualified(key: ConnectorKey, version: Version) -> dict[str, Any]:
    return {"version_arn": _arn(key, version), "version": version.number}


def _shown(key: ConnectorKey, connector: Connector, version: Version | None = None) -> dict[str, Any]:
    """What all answers have."""
    version = version or connector.latest
    return {
        "arn": key.arn,
        "name": key.name,
        "id": connector.id,
        "configuration": version.configuration,
        "operator_role": version.role,
    }
