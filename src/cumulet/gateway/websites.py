"""Buckets as websites, at `<bucket>.s3-website...` hosts: index and error documents, redirections, errors as HTML."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote

from cumulet.gateway.dispatch import Dispatcher
from cumulet.kernel.call import ANONYMOUS, Call
from cumulet.kernel.errors import AwsError
from cumulet.wire import route
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.rest_xml import host_id

MARK = ".s3-website"
_PASSED_ON = ("range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since")


async def serve(
    dispatcher: Dispatcher, account: str, region: str, request: HttpRequest, request_id: str
) -> HttpResponse:
    """The answer of a website: never raises an AwsError."""
    site = _Site(dispatcher, account, region, request, request_id)
    try:
        response = await site.answer()
    except AwsError as refused:
        response = site.page(refused)
    response.headers |= {"x-amz-request-id": request_id, "x-amz-id-2": host_id(request_id)}
    return response


class _Site:
    def __init__(
        self, dispatcher: Dispatcher, account: str, region: str, request: HttpRequest, request_id: str
    ) -> None:
        self._dispatcher = dispatcher
        self._request = request
        self._host = request.headers.get("host", "").lower()
        self._bucket = self._host.partition(MARK)[0]
        self._call = Call(
            account=account,
            region=region,
            principal=ANONYMOUS,
            request_id=request_id,
            endpoint=f"{request.scheme}://{self._host}",
            source_ip=request.peer,
        )

    async def answer(self) -> HttpResponse:
        # Imported when first needed, as services are.
        from cumulet.services.s3 import hosting  # noqa: PLC0415

        request = self._request
        s3: Any = (await self._dispatcher.service("s3")).state
        config = await hosting.website(s3, self._bucket)
        if request.method not in {"GET", "HEAD"}:
            raise AwsError(
                "The specified method is not allowed against this resource.",
                code="MethodNotAllowed",
                status=405,
                fields={"Method": request.method, "ResourceType": "OBJECT"},
            )
        key = unquote(request.path[1:])
        found = hosting.redirection(config, key, 0, request.scheme, self._host)
        if found is not None:
            return _redirect(*found)
        target = hosting.object_key(config, key)
        try:
            return await self._get(target)
        except AwsError as refused:
            if refused.status < 400:
                return HttpResponse(refused.status, dict(refused.headers))
            index = config.index_document
            if refused.status == 404 and index and target == key and await self._exists(f"{key}/{index.suffix}"):
                return _redirect(302, f"/{key}/")
            found = hosting.redirection(config, key, refused.status, request.scheme, self._host)
            if found is not None:
                return _redirect(*found)
            if config.error_document is None:
                raise
            return await self._error_document(config.error_document.key, refused)

    async def _error_document(self, key: str, refused: AwsError) -> HttpResponse:
        try:
            response = await self._get(key, {})
        except AwsError as again:
            return self.page(refused, again)
        if response.status == 200:
            response.status = refused.status
        return response

    async def _exists(self, key: str) -> bool:
        try:
            await self._run("HEAD", key, {})
        except AwsError:
            return False
        return True

    async def _get(self, key: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
        if headers is None:
            sent = self._request.headers
            headers = {name: sent[name] for name in _PASSED_ON if name in sent}
        result, response = await self._run(self._request.method, key, headers)
        if result.website_redirect_location:
            return _redirect(301, result.website_redirect_location)
        return response

    async def _run(self, method: str, key: str, headers: Mapping[str, str]) -> tuple[Any, HttpResponse]:
        path = f"/{quote(self._bucket)}/{quote(key)}"
        asked = HttpRequest(method, path, "", {"host": "s3.localhost", **headers}, self._request.body)
        found = route.resolve(asked)
        result = await self._dispatcher.run(self._call, "s3", found.operation, found.decode(asked))
        return result, found.codec.encode(result, self._call.request_id)

    def page(self, refused: AwsError, again: AwsError | None = None) -> HttpResponse:
        """An error as a page, with the one that came of the error document, if any."""
        title = f"{refused.status} {HTTPStatus(refused.status).phrase}"
        ids = {"RequestId": self._call.request_id, "HostId": host_id(self._call.request_id)}
        body = f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n{_list(refused, ids)}"
        if again is not None:
            words = "An Error Occurred While Attempting to Retrieve a Custom Error Document"
            body += f"<h3>{words}</h3>\n{_list(again, {})}"
        body += "<hr/>\n</body>\n</html>\n"
        return HttpResponse(refused.status, {"Content-Type": "text/html; charset=utf-8"}, body.encode())


def _list(refused: AwsError, more: Mapping[str, str]) -> str:
    lines = {"Code": refused.code, "Message": refused.message, **refused.fields, **more}
    from html import escape  # noqa: PLC0415  it has 300 KB of names, and most nodes show no such page

    return "<ul>\n" + "".join(f"<li>{name}: {escape(str(value))}</li>\n" for name, value in lines.items()) + "</ul>\n"


def _redirect(status: int, location: str) -> HttpResponse:
    return HttpResponse(status, {"Location": quote(location, safe="/:?#[]@!$&'()*+,;=%~")})
