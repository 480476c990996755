"""Signature Version 2 of S3, which AWS still takes and boto3 presigns with by default in us-east-1.

docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

import base64
import calendar
import email.utils
import hmac

from cumulet.kernel.errors import AwsError
from cumulet.wire import signing_errors as errors
from cumulet.wire.http import HttpRequest
from cumulet.wire.signed import Signed, basic, parameters

# Query parameters that are part of the resource.
_RESOURCE = frozenset(
    {
        "accelerate",
        "acl",
        "cors",
        "defaultObjectAcl",
        "delete",
        "lifecycle",
        "location",
        "logging",
        "notification",
        "partNumber",
        "policy",
        "replication",
        "requestPayment",
        "restore",
        "select",
        "select-type",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    }
)


def from_header(request: HttpRequest, authorization: str) -> Signed:
    """`Authorization: AWS key:signature`."""
    access_key, _, signature = authorization[4:].strip().partition(":")
    date = request.headers.get("x-amz-date") or request.headers.get("date", "")
    parsed = email.utils.parsedate_tz(date)
    if not access_key or not signature:
        raise AwsError(
            'AWS authorization header is malformed; expecting the form "AWS AccessKeyId:signature".',
            code="InvalidArgument",
        )
    if parsed is None:
        raise errors.no_date("s3", authorization)
    when = basic(max(0, int(calendar.timegm((*parsed[:6], 0, 0, 0)) - (parsed[9] or 0))))
    return _signed(request, access_key, signature, when, token=request.headers.get("x-amz-security-token"))


def from_query(request: HttpRequest) -> Signed | None:
    """`?AWSAccessKeyId=...&Signature=...&Expires=...`; None when the parameters are not a signature's."""
    found = parameters(request.query)
    if "AWSAccessKeyId" not in found and "Signature" not in found:
        return None
    if not all(found.get(name) for name in ("AWSAccessKeyId", "Signature", "Expires")):
        words = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        raise AwsError(words, code="AccessDenied", status=403)
    try:
        expires = int(found["Expires"])
    except ValueError:
        words = f"Invalid date (should be seconds since epoch): {found['Expires']}"
        raise AwsError(words, code="AccessDenied", status=403) from None
    token = found.get("x-amz-security-token")
    return _signed(request, found["AWSAccessKeyId"], found["Signature"], "", expires=expires, token=token)


def _signed(
    request: HttpRequest, access_key: str, signature: str, when: str, *, expires: int | None = None, token: str | None
) -> Signed:
    return Signed(
        access_key=access_key,
        date=when[:8],
        region="us-east-1",
        service="s3",
        signed_headers=(),
        signature=signature,
        timestamp=when,
        session_token=token,
        presigned=expires is not None,
        expires=expires or 0,
        payload=request.headers.get("x-amz-content-sha256", ""),
        version=2,
    )


def verify(request: HttpRequest, signed: Signed, secret: str | None, now: float) -> None:
    """Raise unless `secret` made the signature and its time is right; without a secret only the time is checked."""
    if signed.presigned:
        if now > signed.expires:
            raise errors.expired(signed, "s3", min(signed.expires, 253_402_300_799), now)
    else:
        then = float(calendar.timegm(_tuple(signed.timestamp)))
        if abs(now - then) > errors.SKEW:
            raise errors.skewed(signed, "s3", then, now)
    if secret is None:
        return
    wanted = signed.signature.encode()
    for resource in _resources(request):
        to_sign = _to_sign(request, signed, resource)
        ours = base64.b64encode(hmac.digest(secret.encode(), to_sign.encode(), "sha1"))
        if hmac.compare_digest(ours, wanted):
            return
    raise errors.mismatch(signed, "s3", b"", _to_sign(request, signed, _resources(request)[0]))


def _tuple(timestamp: str) -> tuple[int, ...]:
    t = timestamp
    return int(t[:4]), int(t[4:6]), int(t[6:8]), int(t[9:11]), int(t[11:13]), int(t[13:15])


def _to_sign(request: HttpRequest, signed: Signed, resource: str) -> str:
    headers = request.headers
    date = "" if "x-amz-date" in headers else headers.get("date", "")
    if signed.presigned:
        date = str(signed.expires)
    amz = {name: value for name, value in headers.items() if name.startswith("x-amz-")}
    if signed.presigned and signed.session_token is not None:
        amz["x-amz-security-token"] = signed.session_token
    lines = "".join(f"{name}:{amz[name]}\n" for name in sorted(amz))
    kind = headers.get("content-type", "")
    return f"{request.method}\n{headers.get('content-md5', '')}\n{kind}\n{date}\n{lines}{resource}"


def _resources(request: HttpRequest) -> list[str]:
    """What the client may have signed as the resource: a bucket in the host's name is part of it."""
    found = parameters(request.query)
    names = sorted(name for name in found if name in _RESOURCE)
    parts = [f"{name}={found[name]}" if found[name] else name for name in names]
    path = request.path + ("?" + "&".join(parts) if parts else "")
    bucket, dot, _ = request.headers.get("host", "").partition(".s3.")
    return [f"/{bucket}{path}", path] if dot else [path]
