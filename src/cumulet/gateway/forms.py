"""Uploads to S3 by HTML form (PostObject): https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html"""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from cumulet.gateway.authenticate import Authenticator
from cumulet.gateway.dispatch import Dispatcher
from cumulet.gateway.multipart import Form, malformed
from cumulet.kernel.call import ANONYMOUS, Call
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import Stream
from cumulet.wire import route, xml
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.rest_xml import host_id
from cumulet.wire.signed import signing_key

__all__ = ["host_id", "upload"]

_V4 = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_V4_NAMES = {
    "x-amz-algorithm": "X-Amz-Algorithm",
    "x-amz-credential": "X-Amz-Credential",
    "x-amz-date": "X-Amz-Date",
    "x-amz-signature": "X-Amz-Signature",
}
_AS_HEADERS = {
    "acl": "x-amz-acl",
    "cache-control": "cache-control",
    "content-type": "content-type",
    "content-disposition": "content-disposition",
    "content-encoding": "content-encoding",
    "expires": "expires",
}


# What else may be in a form; anything more could make it another operation than a put.
_TAKEN = (
    "x-amz-meta-", "x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-website-redirect-location",
    "x-amz-checksum-", "x-amz-sdk-checksum-algorithm", "x-amz-object-lock-",
)  # fmt: skip


class _File:
    """The file of a form as a request's body, held to the sizes that the policy allows."""

    length = None

    def __init__(self, form: Form, limits: tuple[int, int] | None, problems: Any) -> None:
        self._form = form
        self._limits = limits
        self._problems = problems

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, most = 0, self._limits[1] if self._limits else None
        async for piece in self._form.file():
            size += len(piece)
            if most is None or size <= most:
                yield piece  # past the limit it is only counted, for the error to tell
        if most is not None and size > most:
            raise self._problems.too_large(size, most)
        if self._limits and size < self._limits[0]:
            raise self._problems.too_small(size, self._limits[0])


async def upload(
    dispatcher: Dispatcher,
    authenticator: Authenticator,
    region: str,
    request: HttpRequest,
    request_id: str,
    bucket: str,
) -> HttpResponse:
    """Check a form's policy and signature, and put its file."""
    # Imported when first needed, as services are.
    from cumulet.services.s3 import post_policy  # noqa: PLC0415

    form = await _read(request)
    fields = form.fields
    if "key" not in fields:
        raise _missing("key")
    credential = await _credential(authenticator, fields)
    limits = None
    if credential is not None:
        limits = post_policy.check(fields["policy"], fields, bucket, authenticator.now())
    call = Call(
        account=(credential.principal.account if credential else "") or authenticator.account,
        region=region,
        principal=credential.principal if credential else ANONYMOUS,
        request_id=request_id,
        endpoint=f"{request.scheme}://{request.headers.get('host', 'localhost')}",
        source_ip=request.peer,
    )
    key = fields["key"].replace("${filename}", form.file_name)
    put = _put(request, bucket, key, fields, _File(form, limits, post_policy))
    found = route.resolve(put)
    result = await dispatcher.run(call, "s3", "PostObject", found.decode(put), credential)
    headers = found.codec.encode(result, request_id).headers
    return _answer(call, bucket, key, headers, fields)


async def _read(request: HttpRequest) -> Form:
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "multipart/form-data":
        raise AwsError(
            "At least one of the pre-conditions you specified did not hold",
            code="PreconditionFailed",
            status=412,
            fields={"Condition": "Bucket POST must be of the enclosure-type multipart/form-data"},
        )
    boundary = next(
        (part.partition("=")[2].strip().strip('"') for part in rest.split(";") if part.strip().startswith("boundary=")),
        "",
    )
    if not boundary:
        raise malformed()
    form = Form(request.body, boundary)
    await form.read_fields()
    if not form.has_file:
        raise AwsError(
            "POST requires exactly one file upload per request.",
            code="IncorrectNumberOfFilesInPostRequest",
            status=400,
        )
    return form


def _missing(name: str) -> AwsError:
    return AwsError(
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields.",
        code="InvalidArgument",
        status=400,
        fields={"ArgumentName": name, "ArgumentValue": ""},
    )


async def _credential(authenticator: Authenticator, fields: Mapping[str, str]) -> Credential | None:
    """Who signed the form's policy; None when nobody did. Raises for a form that is signed in part, or wrongly."""
    version4 = any(name in fields for name in _V4)
    version2 = "awsaccesskeyid" in fields or "signature" in fields
    if not version4 and not version2:
        if "policy" in fields:
            raise AwsError("Access Denied", code="AccessDenied", status=403)
        return None
    names = _V4_NAMES if version4 else {"awsaccesskeyid": "AWSAccessKeyId", "signature": "Signature"}
    for name, shown in (names | {"policy": "Policy"}).items():
        if not fields.get(name):
            raise _missing(shown)
    scope = fields["x-amz-credential"].split("/") if version4 else [fields["awsaccesskeyid"]]
    found = await authenticator.credential(scope[0], fields.get("x-amz-security-token"))
    if found is None:
        raise AwsError(
            "The AWS Access Key Id you provided does not exist in our records.",
            code="InvalidAccessKeyId",
            status=403,
            fields={"AWSAccessKeyId": scope[0]},
        )
    if found.secret is not None:
        _verify(found.secret, scope, fields)
    return found


def _verify(secret: str, scope: list[str], fields: Mapping[str, str]) -> None:
    policy = fields["policy"].encode()
    if len(scope) == 5:
        expected = hmac.new(signing_key(secret, scope[1], scope[2], scope[3]), policy, hashlib.sha256).hexdigest()
        sent = fields["x-amz-signature"]
    else:
        expected = base64.b64encode(hmac.new(secret.encode(), policy, hashlib.sha1).digest()).decode()
        sent = fields.get("signature", "")
    if not hmac.compare_digest(expected.encode(), sent.encode()):
        raise AwsError(
            "The request signature we calculated does not match the signature you provided. Check your key and signing "
            "method.",
            code="SignatureDoesNotMatch",
            status=403,
            fields={
                "AWSAccessKeyId": scope[0],
                "StringToSign": fields["policy"],
                "SignatureProvided": sent,
                "StringToSignBytes": policy.hex(" "),
            },
        )


def _put(request: HttpRequest, bucket: str, key: str, fields: Mapping[str, str], body: Stream) -> HttpRequest:
    """The PutObject request that the form stands for."""
    headers = {"host": "s3.localhost"}
    for name, value in fields.items():
        if name in _AS_HEADERS:
            headers[_AS_HEADERS[name]] = "".join(
                char if 0x1F < ord(char) < 0x100 and ord(char) != 0x7F else " " for char in value
            )
        elif name.startswith(_TAKEN):
            headers[name] = _as_is(value) if value.startswith("=?") else value
    if fields.get("tagging"):
        headers["x-amz-tagging"] = _tags(fields["tagging"])
        if not headers["x-amz-tagging"]:
            del headers["x-amz-tagging"]
    path = f"/{quote(bucket)}/{quote(key)}"
    return HttpRequest("PUT", path, "", headers, body, request.scheme, request.peer)


def _as_is(value: str) -> str:
    """A value that looks like an RFC 2047 word, so that it is still that when it has been decoded as headers are."""
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def _tags(document: str) -> str:
    """The tags of a Tagging document, as the x-amz-tagging header has them."""
    try:
        root = xml.parse(document.encode())
    except (ValueError, OverflowError):
        raise AwsError(
            "The XML you provided was not well-formed or did not validate against our published schema",
            code="MalformedXML",
            status=400,
        ) from None
    pairs = []
    tag_set = root.child("TagSet") if root.name == "Tagging" else None
    for tag in tag_set.children if tag_set else ():
        name, value = tag.child("Key"), tag.child("Value")
        if name is not None and value is not None:
            pairs.append((name.text, value.text))
    return urlencode(pairs)


def _answer(call: Call, bucket: str, key: str, headers: dict[str, str], fields: Mapping[str, str]) -> HttpResponse:
    """204, 200 or 201 as the form asks, or a redirection to where it says."""
    location = f"{call.endpoint}/{bucket}/{quote(key)}"
    etag = headers["ETag"]
    headers = headers | {"Location": location}
    redirect = fields.get("success_action_redirect") or fields.get("redirect")
    if redirect and redirect.startswith(("http://", "https://")):
        mark = "&" if "?" in redirect else "?"
        query = urlencode({"bucket": bucket, "key": key, "etag": etag}, quote_via=quote)
        return HttpResponse(303, headers | {"Location": f"{redirect}{mark}{query}"})
    status = fields.get("success_action_status")
    if status != "201":
        return HttpResponse(200 if status == "200" else 204, headers)
    body = "".join(
        xml.element(name, value)
        for name, value in (("Location", location), ("Bucket", bucket), ("Key", key), ("ETag", etag))
    )
    return HttpResponse(
        201, headers | {"Content-Type": "application/xml"}, f"{xml.HEADER}<PostResponse>{body}</PostResponse>".encode()
    )
