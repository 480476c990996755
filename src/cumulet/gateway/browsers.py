"""What browsers ask of S3 beyond its operations: CORS, and uploads by HTML forms."""

from collections.abc import Mapping
from typing import Any

from cumulet.gateway import forms
from cumulet.gateway.authenticate import Authenticator
from cumulet.gateway.dispatch import Dispatcher
from cumulet.kernel.errors import AwsError
from cumulet.wire import services
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.route_s3 import bucket_of_host, labels


def _place(request: HttpRequest) -> Mapping[str, str]:
    """The Bucket and Key that the address names."""
    return labels(request.path, bucket_of_host(request.headers.get("host", "")))


async def instead(
    dispatcher: Dispatcher, authenticator: Authenticator, region: str, request: HttpRequest, request_id: str
) -> HttpResponse | None:
    """The answer to a request that means no operation, if it is one of a browser's; None when it is not."""
    place = _place(request)
    if request.method == "OPTIONS" and place:
        work = _preflight(dispatcher, request, place)
    elif request.method == "POST" and set(place) == {"Bucket"}:
        work = forms.upload(dispatcher, authenticator, region, request, request_id, place["Bucket"])
    else:
        return None
    errors = services.load("s3").errors()
    try:
        response = await work
    except AwsError as refused:
        return errors.encode_error(refused, request_id)
    response.headers |= {"x-amz-request-id": request_id, "x-amz-id-2": forms.host_id(request_id)}
    return response


async def _preflight(dispatcher: Dispatcher, request: HttpRequest, place: Mapping[str, str]) -> HttpResponse:
    # Imported when first needed, as services are.
    from cumulet.services.s3 import cors  # noqa: PLC0415

    s3: Any = (await dispatcher.service("s3")).state
    get = request.headers.get
    wanted = _wanted(request)
    headers = await cors.preflight(
        s3, place["Bucket"], place.get("Key", ""), get("origin"), get("access-control-request-method"), wanted
    )
    return HttpResponse(200, headers)


def _wanted(request: HttpRequest) -> list[str]:
    """The headers that the browser would like to send."""
    listed = request.headers.get("access-control-request-headers", "")
    return [part.strip() for part in listed.split(",") if part.strip()]


async def share(dispatcher: Dispatcher, request: HttpRequest, response: HttpResponse) -> None:
    """Put the bucket's CORS headers on the answer to a cross-origin request."""
    from cumulet.services.s3 import cors  # noqa: PLC0415  as above

    place = _place(request)
    if place:
        s3: Any = (await dispatcher.service("s3")).state
        method = request.headers.get("access-control-request-method", request.method)
        headers = await cors.shared(s3, place["Bucket"], request.headers["origin"], method, _wanted(request))
        response.headers |= headers
