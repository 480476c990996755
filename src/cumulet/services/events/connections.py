"""Connections: how endpoints elsewhere are authorized at. Their secrets are sealed, and shown to nobody.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cumulet.api import events as api
from cumulet.api import kms
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.connections import ConnectionCredentials
from cumulet.kernel.errors import AwsError, NotImplementedHere
from cumulet.kernel.ids import long_secret, new_id
from cumulet.services.events import model
from cumulet.services.events.model import AUTHORIZED, AUTHORIZING, DEAUTHORIZED, OAUTH, Connection, Secrets
from cumulet.services.events.paging import decode_page, encode_page
from cumulet.services.events.store import Place
from cumulet.storage.database import Conflict

if TYPE_CHECKING:
    from cumulet.kernel.connections import RetrieveConnectionCredentials
    from cumulet.services.events.state import Events

_MOST = 3_000
_PAGE = 100
_SUFFIX = 6


async def create_connection(
    events: Events, call: Call, request: api.CreateConnectionRequest
) -> api.CreateConnectionResponse:
    """Authorized at once, or AUTHORIZING until the endpoint has given its token."""
    _only_public(request)
    secrets = model.merged(Secrets(type=request.authorization_type), request.auth_parameters)
    await _check_key(events, call, request.kms_key_identifier)
    now = events.clock.now()
    connection = Connection(
        name=request.name,
        id=new_id(),
        secret_id=f"{new_id()}-{long_secret(_SUFFIX)}",
        type=secrets.type,
        state=AUTHORIZING if secrets.type == OAUTH else AUTHORIZED,
        description=request.description,
        kms_key=request.kms_key_identifier,
        created=now,
        modified=now,
        authorized=now,
    )
    place = Place(call.account, call.region, request.name)
    try:
        added = await events.connections.add(place, connection, secrets, _MOST)
    except Conflict:
        raise api.ResourceAlreadyExistsException(f"Connection {request.name} already exists.") from None
    if not added:
        raise api.LimitExceededException(f"The account has {_MOST} connections, which is as many as there may be.")
    _authorize(events, place, connection)
    return api.CreateConnectionResponse(
        **_told(call, connection),
        connection_state=connection.state,
    )


async def update_connection(
    events: Events, call: Call, request: api.UpdateConnectionRequest
) -> api.UpdateConnectionResponse:
    """Members that are not given stay as they were. What needs a token is authorized anew."""
    _only_public(request)
    await _check_key(events, call, request.kms_key_identifier)
    now = events.clock.now()

    def change(connection: Connection, secrets: Secrets | None) -> tuple[Connection, Secrets]:
        type = request.authorization_type or connection.type
        before = secrets if secrets is not None and secrets.type == type else Secrets(type=type)
        if secrets is not None and before is not secrets:
            before.invocation = secrets.invocation
        after = model.merged(before, request.auth_parameters)
        told = replace(connection, type=type, modified=now, serial=connection.serial + 1)
        told.description = request.description if request.description is not None else connection.description
        told.kms_key = request.kms_key_identifier if request.kms_key_identifier is not None else connection.kms_key
        told.state, told.reason = (AUTHORIZING, None) if type == OAUTH else (AUTHORIZED, None)
        told.authorized = now if type != OAUTH else connection.authorized
        return told, after

    place = Place(call.account, call.region, request.name)
    connection = await events.connections.edit(place, change)
    if connection is None:
        raise _missing("update", request.name)
    _authorize(events, place, connection)
    return api.UpdateConnectionResponse(
        **_told(call, connection),
        connection_state=connection.state,
        last_authorized_time=connection.authorized,
    )


async def describe_connection(
    events: Events, call: Call, request: api.DescribeConnectionRequest
) -> api.DescribeConnectionResponse:
    found = await events.connections.find(Place(call.account, call.region, request.name))
    if found is None:
        raise _missing("describe", request.name)
    connection, secrets = found
    return api.DescribeConnectionResponse(
        **_told(call, connection),
        name=connection.name,
        description=connection.description,
        connection_state=connection.state,
        state_reason=connection.reason,
        authorization_type=connection.type,
        secret_arn=model.secret_arn(call.account, call.region, connection) if secrets is not None else None,
        kms_key_identifier=connection.kms_key,
        auth_parameters=model.shown(secrets) if secrets is not None else None,
        last_authorized_time=connection.authorized,
    )


async def list_connections(
    events: Events, call: Call, request: api.ListConnectionsRequest
) -> api.ListConnectionsResponse:
    limit = request.limit or _PAGE
    after = decode_page(request.next_token) if request.next_token else ""
    found = await events.connections.listed(
        call.account, call.region, request.name_prefix or "", request.connection_state, after, limit + 1
    )
    return api.ListConnectionsResponse(
        connections=[
            api.Connection(
                **_told(call, each),
                name=each.name,
                connection_state=each.state,
                state_reason=each.reason,
                authorization_type=each.type,
                last_authorized_time=each.authorized,
            )
            for each in found[:limit]
        ],
        next_token=encode_page(found[limit - 1].name) if len(found) > limit else None,
    )


async def delete_connection(
    events: Events, call: Call, request: api.DeleteConnectionRequest
) -> api.DeleteConnectionResponse:
    connection = await events.connections.remove(Place(call.account, call.region, request.name))
    if connection is None:
        raise _missing("delete", request.name)
    return api.DeleteConnectionResponse(
        **_told(call, connection),
        connection_state="DELETING",
        last_authorized_time=connection.authorized,
    )


async def deauthorize_connection(
    events: Events, call: Call, request: api.DeauthorizeConnectionRequest
) -> api.DeauthorizeConnectionResponse:
    """Forget the secrets; the connection stays, for UpdateConnection to give it new ones."""
    now = events.clock.now()

    def change(connection: Connection, _: Secrets | None) -> tuple[Connection, None]:
        told = replace(connection, state=DEAUTHORIZED, modified=now, serial=connection.serial + 1)
        return told, None

    connection = await events.connections.edit(Place(call.account, call.region, request.name), change)
    if connection is None:
        raise _missing("deauthorize", request.name)
    return api.DeauthorizeConnectionResponse(
        **_told(call, connection),
        connection_state="DEAUTHORIZING",
        last_authorized_time=connection.authorized,
    )


async def retrieve_credentials(
    events: Events, _: Call, request: RetrieveConnectionCredentials
) -> ConnectionCredentials:
    """What requests of a connection's are authorized by, for other parts of the platform; see `kernel.connections`.

    Raises ResourceNotFoundException, and AwsError with the codes InvalidConnectionState and AuthInProgress.
    """
    place, id = _parsed(request.connection_arn)
    found = await events.connections.find(place)
    if found is not None and found[0].state == AUTHORIZED and found[0].type == OAUTH and found[1] is not None:
        await events.authorizing.renewed(place, found[0], found[1], request.refused)
        found = await events.connections.find(place)
    if found is None or found[0].id != id:
        raise api.ResourceNotFoundException(f"Connection {request.connection_arn} does not exist.")
    connection, secrets = found
    if connection.state == AUTHORIZING:
        raise AwsError(f"Connection {place.name} is being authorized.", code="AuthInProgress")
    if connection.state != AUTHORIZED or secrets is None:
        why = f" {connection.reason}" if connection.reason else ""
        raise AwsError(f"Connection {place.name} is {connection.state}.{why}", code="InvalidConnectionState")
    return ConnectionCredentials(
        parameters=model.of_requests(secrets), serial=connection.serial, renewable=connection.type == OAUTH
    )


def _told(call: Call, connection: Connection) -> dict[str, Any]:
    """What all answers have, whatever state they say the connection is in."""
    return {
        "connection_arn": model.arn(call.account, call.region, connection),
        "creation_time": connection.created,
        "last_modified_time": connection.modified,
    }


def _authorize(events: Events, place: Place, connection: Connection) -> None:
    if connection.state == AUTHORIZING:
        events.authorizing.begin(place)


def _parsed(text: str) -> tuple[Place, str]:
    try:
        arn = Arn.parse(text)
        kind, name, id = arn.resource.split("/")
    except ValueError:
        raise api.ResourceNotFoundException(f"Connection {text} does not exist.") from None
    if arn.service != "events" or kind != "connection":
        raise api.ResourceNotFoundException(f"Connection {text} does not exist.")
    return Place(arn.account, arn.region, name), id


def _only_public(request: api.CreateConnectionRequest | api.UpdateConnectionRequest) -> None:
    parameters = request.auth_parameters
    private = parameters is not None and parameters.connectivity_parameters is not None
    if private or request.invocation_connectivity_parameters is not None:
        raise NotImplementedHere("Connections to private endpoints (VPC Lattice) are not implemented in Cumulet.")


async def _check_key(events: Events, call: Call, key: str | None) -> None:
    """The key must be there, and the caller's to see."""
    if key:
        await events.calls.run(call, "kms", "DescribeKey", kms.DescribeKeyRequest(key_id=key))


def _missing(verb: str, name: str) -> api.ResourceNotFoundException:
    return api.ResourceNotFoundException(f"Failed to {verb} the connection(s). Connection '{name}' does not exist.")
