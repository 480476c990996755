"""AWS's answers to signatures it does not take, in the words of each family of services.

S3's are those of docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; the others' those of each API's "Common Errors".
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cumulet.kernel.errors import AwsError
from cumulet.wire.signed import Signed, Style, basic, extended

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key"
    " and signing method. Consult the service documentation for details."
)
MISMATCH_S3 = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
_MALFORMED = "The authorization header is malformed; "
_FORM = '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
SKEW = 900

# code of the query and REST-XML services -> of the JSON ones; statuses: query and rest-xml, json, rest-json
_FAMILIES = {
    "SignatureDoesNotMatch": ("InvalidSignatureException", 403, 400, 403),
    "IncompleteSignature": ("IncompleteSignatureException", 400, 400, 403),
    "MissingAuthenticationToken": ("MissingAuthenticationTokenException", 403, 400, 403),
    "InvalidClientTokenId": ("UnrecognizedClientException", 403, 400, 403),
    "ExpiredToken": ("ExpiredTokenException", 403, 400, 403),
    "RequestExpired": ("InvalidSignatureException", 400, 400, 403),
}


def _common(style: Style, code: str, message: str) -> AwsError:
    exception, query, json, rest_json = _FAMILIES[code]
    if style == "json":
        return AwsError(message, code=exception, status=json)
    if style == "rest-json":
        return AwsError(message, code=exception, status=rest_json)
    return AwsError(message, code=code, status=query)


def _s3(code: str, status: int, message: str, fields: Mapping[str, Any] | None = None) -> AwsError:
    return AwsError(message, code=code, status=status, fields=fields)


def unknown_key(signed: Signed, style: Style) -> AwsError:
    """No such access key."""
    if style == "s3":
        return _s3(
            "InvalidAccessKeyId",
            403,
            "The AWS Access Key Id you provided does not exist in our records.",
            {"AWSAccessKeyId": signed.access_key},
        )
    return _common(style, "InvalidClientTokenId", "The security token included in the request is invalid.")


def missing(style: Style) -> AwsError:
    """The operation wants a signature and there is none."""
    if style == "s3":
        return _s3("AccessDenied", 403, "Access Denied")
    words = "Missing Authentication Token" if style == "rest-json" else "Request is missing Authentication Token"
    return _common(style, "MissingAuthenticationToken", words)


def invalid_token(style: Style) -> AwsError:
    """The session token is not the key's."""
    if style == "s3":
        return _s3("InvalidToken", 400, "The provided token is malformed or otherwise invalid.")
    return _common(style, "InvalidClientTokenId", "The security token included in the request is invalid.")


def expired_token(style: Style) -> AwsError:
    """The session is over."""
    if style == "s3":
        return _s3("ExpiredToken", 400, "The provided token has expired.")
    return _common(style, "ExpiredToken", "The security token included in the request is expired")


def mismatch(signed: Signed, style: Style, canonical: bytes, to_sign: str) -> AwsError:
    """The signature is not ours. S3 shows what it signed, which holds nothing secret, so that one can compare."""
    if style != "s3":
        return _common(style, "SignatureDoesNotMatch", MISMATCH)
    fields = {
        "AWSAccessKeyId": signed.access_key,
        "StringToSign": to_sign,
        "SignatureProvided": signed.signature,
        "StringToSignBytes": to_sign.encode().hex(" "),
    }
    if canonical:
        fields["CanonicalRequest"] = canonical.decode("latin-1")
        fields["CanonicalRequestBytes"] = canonical.hex(" ")
    return _s3("SignatureDoesNotMatch", 403, MISMATCH_S3, fields)


def skewed(signed: Signed, style: Style, then: float, now: float) -> AwsError:
    """The request's time is too far from ours."""
    if style == "s3":
        fields = {
            "RequestTime": signed.timestamp,
            "ServerTime": extended(int(now)),
            "MaxAllowedSkewMilliseconds": str(SKEW * 1000),
        }
        words = "The difference between the request time and the current time is too large."
        return _s3("RequestTimeTooSkewed", 403, words, fields)
    ours = basic(int(now))
    if then < now:
        words = f"Signature expired: {signed.timestamp} is now earlier than {basic(int(now - SKEW))} ({ours} - 15 min.)"
    else:
        edge = basic(int(now + SKEW))
        words = f"Signature not yet current: {signed.timestamp} is still later than {edge} ({ours} + 15 min.)"
    return _common(style, "SignatureDoesNotMatch", words)


def expired(signed: Signed, style: Style, end: float, now: float) -> AwsError:
    """A presigned URL is past its time."""
    if style != "s3":
        return _common(style, "RequestExpired", "Request has expired.")
    fields = {"Expires": extended(int(end)), "ServerTime": extended(int(now))}
    if signed.version == 4:
        fields = {"X-Amz-Expires": str(signed.expires), **fields}
    return _s3("AccessDenied", 403, "Request has expired", fields)


def not_yet(signed: Signed, style: Style, then: float, now: float) -> AwsError:
    """A presigned URL was made by a clock ahead of ours."""
    if style != "s3":
        return skewed(signed, style, then, now)
    fields = {"X-Amz-Date": signed.timestamp, "ServerTime": extended(int(now))}
    return _s3("AccessDenied", 403, "Request is not yet valid", fields)


def not_signed(names: list[str]) -> AwsError:
    """S3 wants every x-amz- header signed."""
    words = "There were headers present in the request which were not signed"
    return _s3("AccessDenied", 403, words, {"HeadersNotSigned": ", ".join(names)})


def no_date(style: Style, authorization: str) -> AwsError:
    """Neither x-amz-date nor a readable Date."""
    if style == "s3":
        return _s3("AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header")
    return _incomplete(
        style, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.", authorization
    )


def incomplete_header(style: Style, authorization: str, absent: list[str]) -> AwsError:
    """The Authorization header lacks parts."""
    if style == "s3":
        words = "the authorization header requires three components: Credential, SignedHeaders, and Signature."
        return _s3("AuthorizationHeaderMalformed", 400, _MALFORMED + words)
    words = " ".join(f"Authorization header requires '{name}' parameter." for name in absent)
    return _incomplete(style, words, authorization)


def bad_credential(style: Style, credential: str, authorization: str, *, presigned: bool) -> AwsError:
    """The credential is not five elements that end in aws4_request."""
    if style == "s3":
        if presigned:
            words = f"Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting {_FORM}"
            return _s3("AuthorizationQueryParametersError", 400, words)
        words = f"{_MALFORMED}the Credential is mal-formed; expecting {_FORM}"
        return _s3("AuthorizationHeaderMalformed", 400, words)
    words = (
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term,"
        f" got '{credential}'"
    )
    return _common(style, "IncompleteSignature", words) if presigned else _incomplete(style, words, authorization)


def bad_scope_date(style: Style, date: str, timestamp: str, *, presigned: bool) -> AwsError:
    """The scope's day is not that of the request."""
    if style == "s3":
        words = f'Invalid credential date "{date}". This date is not the same as X-Amz-Date: "{timestamp[:8]}".'
        if presigned:
            return _s3("AuthorizationQueryParametersError", 400, words)
        return _s3("AuthorizationHeaderMalformed", 400, _MALFORMED + words)
    words = (
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP:"
        f" '{date}' != '{timestamp[:8]}', from '{timestamp}'."
    )
    return _common(style, "SignatureDoesNotMatch", words)


def bad_query(style: Style, message: str) -> AwsError:
    """A presigned URL's parameters do not do; the message is S3's."""
    if style == "s3":
        return _s3("AuthorizationQueryParametersError", 400, message)
    return _common(style, "IncompleteSignature", message)


def unsupported(style: Style, authorization: str) -> AwsError:
    """An Authorization header of another scheme."""
    if style == "s3":
        fields = {"ArgumentName": "Authorization", "ArgumentValue": authorization.partition(" ")[0]}
        return _s3("InvalidArgument", 400, "Unsupported Authorization Type", fields)
    return missing(style)


def _incomplete(style: Style, words: str, authorization: str) -> AwsError:
    # As AWS does since 2023: whoever sees the message must not see the header.
    digest = base64.b64encode(hashlib.sha256(authorization.encode()).digest()).decode()
    shown = f"{words} (Hashed with SHA-256 and encoded with Base64) Authorization={digest}"
    return _common(style, "IncompleteSignature", shown)
