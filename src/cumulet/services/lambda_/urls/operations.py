"""Operations on function URLs' configurations."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from urllib.parse import urlsplit

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.errors import conflict, not_found
from cumulet.services.lambda_.markers import decode_marker, encode_marker
from cumulet.services.lambda_.model import iso
from cumulet.services.lambda_.names import LATEST, Reference, is_version, refer
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.urls.store import Url
from cumulet.storage.database import Transaction

NAME_TAG = "_custom_id_"
"""A tag whose value becomes the id of the function's URL: a name that is easy to remember. Not of AWS."""
_PAGE = 50
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


async def create_function_url_config(
    lambda_: Lambda, call: Call, request: api.CreateFunctionUrlConfigRequest
) -> api.CreateFunctionUrlConfigResponse:
    reference = _reference(call, request.function_name, request.qualifier)
    key, alias = reference.key, reference.qualifier or ""
    now = lambda_.clock.now()
    async with lambda_.change(key) as tx:
        await _check(lambda_, tx, reference)
        arn = reference.arn
        if await lambda_.urls.get(key, alias, tx) is not None:
            raise conflict(
                f"Failed to create function url config for [functionArn = {arn}]. "
                "Error message:  FunctionUrlConfig exists for this Lambda function"
            )
        url = Url(
            id=await _id(lambda_, tx, reference),
            account=key.account,
            region=key.region,
            name=key.name,
            qualifier=alias,
            auth_type=request.auth_type,
            invoke_mode=request.invoke_mode or "BUFFERED",
            cors=request.cors,
            created=now,
            modified=now,
        )
        await lambda_.urls.put(tx, url)
    return api.CreateFunctionUrlConfigResponse(
        function_url=address(url, call.endpoint),
        function_arn=url.function_arn,
        auth_type=url.auth_type,
        cors=url.cors,
        creation_time=iso(url.created),
        invoke_mode=request.invoke_mode,
    )


async def get_function_url_config(
    lambda_: Lambda, call: Call, request: api.GetFunctionUrlConfigRequest
) -> api.GetFunctionUrlConfigResponse:
    reference = _reference(call, request.function_name, request.qualifier)
    url = await lambda_.urls.get(reference.key, reference.qualifier or "")
    if url is None:
        raise _missing()
    shown = _shown(url, call)
    return api.GetFunctionUrlConfigResponse(**{name: getattr(shown, name) for name in shown.__struct_fields__})


async def update_function_url_config(
    lambda_: Lambda, call: Call, request: api.UpdateFunctionUrlConfigRequest
) -> api.UpdateFunctionUrlConfigResponse:
    reference = _reference(call, request.function_name, request.qualifier)
    async with lambda_.change(reference.key) as tx:
        await _check(lambda_, tx, reference)
        url = await lambda_.urls.get(reference.key, reference.qualifier or "", tx)
        if url is None:
            raise _missing()
        url = replace(
            url,
            auth_type=request.auth_type or url.auth_type,
            invoke_mode=request.invoke_mode or url.invoke_mode,
            cors=url.cors if request.cors is None else request.cors,
            modified=lambda_.clock.now(),
        )
        await lambda_.urls.put(tx, url)
    shown = _shown(url, call)
    return api.UpdateFunctionUrlConfigResponse(**{name: getattr(shown, name) for name in shown.__struct_fields__})


async def delete_function_url_config(lambda_: Lambda, call: Call, request: api.DeleteFunctionUrlConfigRequest) -> None:
    reference = _reference(call, request.function_name, request.qualifier)
    async with lambda_.change(reference.key) as tx:
        if not await lambda_.urls.delete(tx, reference.key, reference.qualifier or ""):
            raise _missing()


async def list_function_url_configs(
    lambda_: Lambda, call: Call, request: api.ListFunctionUrlConfigsRequest
) -> api.ListFunctionUrlConfigsResponse:
    key = refer(call, request.function_name).key
    if await lambda_.store.function(key) is None:
        raise not_found("Function does not exist")
    limit = min(request.max_items or _PAGE, _PAGE)
    marker = decode_marker(request.marker)
    found = await lambda_.urls.of(key, marker.removeprefix("after:") if marker else None, limit + 1)
    answer = api.ListFunctionUrlConfigsResponse(function_url_configs=[_shown(url, call) for url in found[:limit]])
    if len(found) > limit:
        answer.next_marker = encode_marker(f"after:{found[limit - 1].qualifier}")
    return answer


def address(url: Url, endpoint: str) -> str:
    """Where the function answers, for a client that reached this node at `endpoint`.

    A subdomain of the client's own name for the node; of `localhost`, which browsers and curl find by themselves, where it
    came by an address.
    """
    return f"{urlsplit(endpoint).scheme}://{url.id}.lambda-url.{url.region}.{host_at(endpoint)}/"


def host_at(endpoint: str) -> str:
    """What addresses of functions end in, with the port, for a client that reached this node at `endpoint`."""
    parts = urlsplit(endpoint)
    host = parts.hostname or "localhost"
    try:
        ipaddress.ip_address(host)
        host = "localhost"
    except ValueError:
        pass
    return f"{host}:{parts.port}" if parts.port else host


def _shown(url: Url, call: Call) -> api.FunctionUrlConfig:
    return api.FunctionUrlConfig(
        function_url=address(url, call.endpoint),
        function_arn=url.function_arn,
        creation_time=iso(url.created),
        last_modified_time=iso(url.modified),
        cors=url.cors,
        auth_type=url.auth_type,
        invoke_mode=url.invoke_mode,
    )


def _reference(call: Call, name: str, qualifier: str | None) -> Reference:
    """Functions and aliases have URLs, versions have none."""
    reference = refer(call, name, qualifier)
    derived = reference.qualifier
    if derived is not None and (derived == LATEST or is_version(derived)):
        raise AwsError(
            f"1 validation error detected: Value '{derived}' at 'qualifier' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)",
            code="ValidationException",
            status=400,
        )
    return reference


async def _check(lambda_: Lambda, tx: Transaction, reference: Reference) -> None:
    """Raises ResourceNotFoundException when there is no such function, or alias of it."""
    there: object = await lambda_.store.function(reference.key, tx)
    if there is not None and reference.qualifier is not None:
        there = await lambda_.store.alias(reference.key, reference.qualifier, tx)
    if there is None:
        raise not_found("Function does not exist")


async def _id(lambda_: Lambda, tx: Transaction, reference: Reference) -> str:
    """The same whenever the same function or alias gets a URL, as in AWS: addresses survive a deployment made anew."""
    function = await lambda_.function(reference.key, tx)
    name = function.tags.get(NAME_TAG)
    if name is None:
        digest = hashlib.sha256(reference.arn.encode()).digest()
        return base64.b32encode(digest[:20]).decode().lower()
    id = f"{name}-{reference.qualifier}".lower() if reference.qualifier else name.lower()
    if not _NAME.fullmatch(id):
        raise api.InvalidParameterValueException(
            f"The tag {NAME_TAG} makes the URL's name {id}, which cannot be part of a host's name: "
            "use letters, digits and hyphens, at most 63."
        )
    if await lambda_.urls.by_id(reference.key.region, id, tx) is not None:
        raise conflict(f"Another function has the URL {id}: give this one another tag {NAME_TAG}.")
    return id


def _missing() -> api.ResourceNotFoundException:
    return not_found("The resource you requested does not exist.")
