"""The registry of container images at `<account>.dkr.ecr.<region>...` hosts, as `docker push` and its like speak to it.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import base64
import hmac
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import msgspec

from cumulet.gateway.authenticate import Authenticator
from cumulet.gateway.strangers import is_of_another_site
from cumulet.kernel.errors import AwsError
from cumulet.storage.database import StorageError
from cumulet.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:  # Lambda starts when it is first called
    from cumulet.services.lambda_.images.names import Repository
    from cumulet.services.lambda_.images.registry import Registry

log = logging.getLogger(__name__)

MARK: Final = ".dkr"
_HOST = re.compile(r"(\d{12})\.dkr[.-]ecr\.([a-z0-9-]+)\.", re.ASCII)
_VERSION: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}
_NAME = r"([a-z0-9]+(?:(?:\.|_{1,2}|-+|/)[a-z0-9]+)*)"
_MAX_MANIFEST = 4 << 20
_MAX_PATH = 600
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})", re.ASCII)
_CHUNK = re.compile(r"(\d{1,18})-\d{1,18}", re.ASCII)

Open = Callable[[], Awaitable["Registry"]]


class Front:
    """`public` is whether who does not say who he is may push and pull, as on a laptop; else the root of the account that
    the host names, whose access key and secret are user and password."""

    def __init__(self, registry: Open, authenticator: Authenticator, *, public: bool) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._public = public

    def answer(self, request: HttpRequest) -> Awaitable[HttpResponse] | None:
        """The answer for one of the registry's hosts."""
        match = _HOST.match(request.headers.get("host", ""))
        return None if match is None else self._answer(request, match[1], match[2])

    async def _answer(self, request: HttpRequest, account: str, region: str) -> HttpResponse:
        try:
            await self._check(request, account)
            if request.path in {"/v2", "/v2/"}:
                return HttpResponse(200, _VERSION | {"content-type": "application/json"}, b"{}")
            exchange = _Exchange(request, await self._registry(), account, region)
            response = await exchange.answer()
        except AwsError as refused:
            response = _error(refused)
        except FileNotFoundError:
            log.exception("a blob of the registry is gone")
            response = _error(AwsError("blob unknown to registry", code="BLOB_UNKNOWN", status=404))
        except StorageError as broken:
            log.error("an upload could not be stored: %s", broken)  # noqa: TRY400  the cause is in the text
            message = "The upload could not be stored; nothing was kept. Is the disk full?"
            response = _error(AwsError(message, code="UNKNOWN", status=507))
        response.headers = _VERSION | response.headers
        if request.method == "HEAD":
            response.body = b""
        return response

    async def _check(self, request: HttpRequest, account: str) -> None:
        if is_of_another_site(request):
            raise AwsError("this is not for pages of other sites", code="DENIED", status=403)
        if self._public:
            return
        kind, _, sent = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(sent, validate=True).decode().partition(":")
        except ValueError:
            kind = user = password = ""
        credential = await self._authenticator.credential(user, None) if kind.lower() == "basic" and user else None
        known = credential is not None and (
            credential.secret is None or hmac.compare_digest(credential.secret.encode(), password.encode())
        )
        if credential is None or not known:
            headers = {"WWW-Authenticate": f'Basic realm="{account}"'}
            message = "log in with an access key and its secret"
            raise AwsError(message, code="UNAUTHORIZED", status=401, headers=headers)
        if credential.principal.arn != f"arn:aws:iam::{account}:root":
            raise AwsError(f"only the root of account {account} may", code="DENIED", status=403)


class _Exchange:
    """One request, and what it asks for."""

    def __init__(self, request: HttpRequest, registry: "Registry", account: str, region: str) -> None:
        self._request = request
        self._registry = registry
        self._account = account
        self._region = region
        self._query = {name: values[0] for name, values in parse_qs(request.query).items()}

    async def answer(self) -> HttpResponse:
        path = self._request.path
        for (method, pattern), action in _ACTIONS.items():
            if self._request.method in method and len(path) < _MAX_PATH and (match := pattern.fullmatch(path)):
                return await action(self, self._repository(match[1]), *match.groups()[1:])
        raise AwsError("The operation is unsupported", code="UNSUPPORTED", status=405)

    def _repository(self, name: str) -> "Repository":
        from cumulet.services.lambda_.images.names import Repository  # noqa: PLC0415  when Lambda is there already

        return Repository(self._account, self._region, name)

    async def blob(self, repository: "Repository", digest: str) -> HttpResponse:
        blob = await self._registry.blob(repository, digest, pushing=self._request.method == "HEAD")
        headers = {"Docker-Content-Digest": digest, "content-type": "application/octet-stream", "etag": f'"{digest}"'}
        headers["accept-ranges"] = "bytes"
        asked = _RANGE.fullmatch(self._request.headers.get("range", ""))
        if asked is None:
            return self._content(200, headers, blob.size, lambda: self._registry.read(blob))
        start, end = int(asked[1]), min(int(asked[2] or blob.size - 1), blob.size - 1)
        if start > end:
            raise AwsError("the range is outside of the blob", code="SIZE_INVALID", status=416)
        headers["content-range"] = f"bytes {start}-{end}/{blob.size}"
        length = end - start + 1
        return self._content(206, headers, length, lambda: self._registry.read(blob, start, length))

    def _content(
        self, status: int, headers: dict[str, str], length: int, body: Callable[[], AsyncIterator[bytes]]
    ) -> HttpResponse:
        headers["content-length"] = str(length)
        return HttpResponse(status, headers, b"" if self._request.method == "HEAD" else body())

    async def begin(self, repository: "Repository") -> HttpResponse:
        """A new upload, which may come whole with its digest, or be a blob that another repository has."""
        mount, digest = self._query.get("mount"), self._query.get("digest")
        if mount is not None and await self._registry.mount(repository, mount):
            return self._created(f"/v2/{repository.name}/blobs/{mount}", mount)
        id = await self._registry.begin(repository)
        return await self.finish(repository, id) if digest else self._accepted(repository, id, 0)

    async def progress(self, repository: "Repository", id: str) -> HttpResponse:
        answer = self._accepted(repository, id, self._registry.uploaded(repository, id))
        answer.status = 204
        return answer

    async def append(self, repository: "Repository", id: str) -> HttpResponse:
        sent = _CHUNK.fullmatch(self._request.headers.get("content-range", ""))
        if sent is not None and int(sent[1]) != self._registry.uploaded(repository, id):
            raise AwsError("the chunk does not follow what is there", code="RANGE_INVALID", status=416)
        size = await self._registry.append(repository, id, aiter(self._request.body))
        return self._accepted(repository, id, size)

    async def finish(self, repository: "Repository", id: str) -> HttpResponse:
        await self._registry.append(repository, id, aiter(self._request.body))
        digest = self._query.get("digest", "")
        await self._registry.finish(repository, id, digest)
        return self._created(f"/v2/{repository.name}/blobs/{digest}", digest)

    async def cancel(self, repository: "Repository", id: str) -> HttpResponse:
        await self._registry.cancel(repository, id)
        return HttpResponse(204, {"content-length": "0"})

    async def manifest(self, repository: "Repository", wanted: str) -> HttpResponse:
        found = await self._registry.manifest(repository, wanted)
        headers = {"Docker-Content-Digest": found.digest, "content-type": found.media_type}
        headers |= {"etag": f'"{found.digest}"', "content-length": str(len(found.content))}
        return HttpResponse(200, headers, found.content)

    async def put_manifest(self, repository: "Repository", wanted: str) -> HttpResponse:
        content = bytearray()
        async for piece in self._request.body:
            content += piece
            if len(content) > _MAX_MANIFEST:
                raise AwsError("manifest larger than 4 MB", code="SIZE_INVALID", status=413)
        kind = self._request.headers.get("content-type", "")
        digest = await self._registry.put_manifest(repository, wanted, kind, bytes(content))
        return self._created(f"/v2/{repository.name}/manifests/{digest}", digest)

    async def delete(self, repository: "Repository", wanted: str) -> HttpResponse:
        """A tag or, by digest, a manifest."""
        await self._registry.delete(repository, wanted)
        return HttpResponse(202, {"content-length": "0"})

    async def delete_blob(self, repository: "Repository", digest: str) -> HttpResponse:
        await self._registry.delete_blob(repository, digest)
        return HttpResponse(202, {"content-length": "0"})

    async def tags(self, repository: "Repository") -> HttpResponse:
        tags = await self._registry.tags(repository)
        if not tags:
            raise AwsError("repository name not known to registry", code="NAME_UNKNOWN", status=404)
        body = msgspec.json.encode({"name": repository.name, "tags": tags})
        return HttpResponse(200, {"content-type": "application/json"}, body)

    @staticmethod
    def _accepted(repository: "Repository", id: str, size: int) -> HttpResponse:
        headers = {"location": f"/v2/{repository.name}/blobs/uploads/{id}", "range": f"0-{max(0, size - 1)}"}
        return HttpResponse(202, headers | {"Docker-Upload-UUID": id, "content-length": "0"})

    @staticmethod
    def _created(location: str, digest: str) -> HttpResponse:
        return HttpResponse(201, {"location": location, "Docker-Content-Digest": digest, "content-length": "0"})


_UPLOAD = re.compile(rf"/v2/{_NAME}/blobs/uploads/([0-9a-f]+)")
_UPLOADS = re.compile(rf"/v2/{_NAME}/blobs/uploads/?")
_BLOB = re.compile(rf"/v2/{_NAME}/blobs/(sha256:[0-9a-f]{{64}})")
_MANIFEST = re.compile(rf"/v2/{_NAME}/manifests/([A-Za-z0-9_][A-Za-z0-9._:-]{{0,255}})")
_TAGS = re.compile(rf"/v2/{_NAME}/tags/list")

_ACTIONS: dict[tuple[tuple[str, ...], re.Pattern[str]], Callable[..., Awaitable[HttpResponse]]] = {
    (("GET", "HEAD"), _BLOB): _Exchange.blob,
    (("GET", "HEAD"), _MANIFEST): _Exchange.manifest,
    (("GET",), _TAGS): _Exchange.tags,
    (("GET",), _UPLOAD): _Exchange.progress,
    (("POST",), _UPLOADS): _Exchange.begin,
    (("PATCH",), _UPLOAD): _Exchange.append,
    (("PUT",), _UPLOAD): _Exchange.finish,
    (("DELETE",), _UPLOAD): _Exchange.cancel,
    (("DELETE",), _MANIFEST): _Exchange.delete,
    (("DELETE",), _BLOB): _Exchange.delete_blob,
    (("PUT",), _MANIFEST): _Exchange.put_manifest,
}


def _error(refused: AwsError) -> HttpResponse:
    body = msgspec.json.encode({"errors": [{"code": refused.code, "message": refused.message, "detail": None}]})
    return HttpResponse(refused.status, {"content-type": "application/json", **refused.headers}, body)
