"""Logos of portals: pictures in S3, read as whoever names them, and kept as they were then.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-portals-create-portal.html
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from cumulet.delivery.objects import NotReadable, is_uri, read_uri
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.services.apigateway.http.errors import bad
from cumulet.storage.database import Transaction

SCHEMA = ("CREATE TABLE apigatewayv2_logo (portal TEXT NOT NULL PRIMARY KEY, body BYTEA NOT NULL)",)
NONE = msgspec.Raw(b"null")
_TYPES = {"svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg"}
_LARGEST_MB = 1


class Logo(Struct, frozen=True):
    """A picture and its media type."""

    type: str
    data: bytes


async def read(calls: Calls, call: Call, uri: str) -> Logo:
    """The picture at an S3 address. Raises BadRequestException where there is none that a page can show."""
    kind = _TYPES.get(uri.rpartition(".")[2].lower())
    if kind is None or not is_uri(uri):
        raise bad(
            "Invalid logo URI. It must be an S3 location of a .svg, .png or .jpg file, such as s3://bucket/logo.png"
        )
    try:
        return Logo(kind, await read_uri(calls, call, uri, what="logo", limit_mb=_LARGEST_MB))
    except NotReadable as error:
        raise bad(str(error)) from error


async def kept(tx: Transaction, portal: str) -> msgspec.Raw:
    """A portal's logo as JSON, which is null for none."""
    rows = await tx.read("SELECT body FROM apigatewayv2_logo WHERE portal = $1", (portal,))
    return msgspec.Raw(rows[0][0]) if rows else NONE


async def keep(tx: Transaction, portal: str, logo: Logo | None) -> None:
    """Have a logo in place of what there is; None for none."""
    await tx.write("DELETE FROM apigatewayv2_logo WHERE portal = $1", (portal,))
    if logo is not None:
        body = msgspec.json.encode(logo)
        await tx.write("INSERT INTO apigatewayv2_logo (portal, body) VALUES ($1, $2)", (portal, body))
