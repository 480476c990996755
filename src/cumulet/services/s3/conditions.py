"""Conditional requests: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html"""

from cumulet.kernel.errors import AwsError
from cumulet.services.s3.errors import conflict, error, no_such_key, precondition_failed, unsupported_header
from cumulet.services.s3.model import Stored, Upload, quoted, unquoted


def check_read(
    row: Stored,
    if_match: str | None,
    if_none_match: str | None,
    if_modified_since: float | None,
    if_unmodified_since: float | None,
    now: float,
) -> None:
    """The conditions of GetObject and HeadObject, in RFC 9110's order: 412 or 304 when they do not hold.

    An If-Modified-Since in the future of `now` is ignored.
    """
    if if_match is not None:
        if not _matches(if_match, row.etag):
            raise precondition_failed("If-Match")
    elif if_unmodified_since is not None and row.modified > if_unmodified_since:
        raise precondition_failed("If-Unmodified-Since")
    if if_none_match is not None:
        if _matches(if_none_match, row.etag):
            raise not_modified(row)
    elif if_modified_since is not None and row.modified <= if_modified_since <= now:
        raise not_modified(row)


def not_modified(row: Stored) -> AwsError:
    problem = error(304, "304", "Not Modified")
    problem.headers = {"ETag": quoted(row.etag)}
    return problem


def check_source(
    row: Stored,
    now: float,
    if_match: str | None,
    if_none_match: str | None,
    if_modified_since: float | None,
    if_unmodified_since: float | None,
) -> None:
    """The x-amz-copy-source-if-* conditions; dates in the future of `now` are ignored."""
    prefix = "x-amz-copy-source-"
    if if_match is not None:
        if not _matches(if_match, row.etag):
            raise precondition_failed(f"{prefix}If-Match")
    elif if_unmodified_since is not None and row.modified > if_unmodified_since:
        raise precondition_failed(f"{prefix}If-Unmodified-Since")
    if if_none_match is not None:
        if _matches(if_none_match, row.etag):
            raise precondition_failed(f"{prefix}If-None-Match")
    elif if_modified_since is not None and row.modified <= if_modified_since < now:
        raise precondition_failed(f"{prefix}If-Modified-Since")


def _matches(sent: str, etag: str) -> bool:
    return sent.strip() == "*" or any(unquoted(one) == etag for one in sent.split(","))


def check_write_headers(if_match: str | None, if_none_match: str | None) -> None:
    """Which conditions S3 takes on writes at all."""
    if if_match is None and if_none_match is None:
        return
    if if_match is not None and if_none_match is not None:
        raise unsupported_header(
            "If-Match,If-None-Match", "Multiple conditional request headers present in the request"
        )
    for header, value, fits in (
        ("If-None-Match", if_none_match, if_none_match == "*"),
        ("If-Match", if_match, if_match != "*"),
    ):
        if value is not None and not fits:
            raise unsupported_header(header, f"We don't accept the provided value of {header} header for this API")


def check_write(current: Stored | None, key: str, if_match: str | None, if_none_match: str | None) -> None:
    """The conditions of a write against what the key is at that moment."""
    exists = current is not None and not current.marker
    if if_none_match is not None and exists:
        raise precondition_failed("If-None-Match")
    if if_match is not None:
        if current is None or current.marker:
            raise no_such_key(key)
        if unquoted(if_match) != current.etag:
            raise precondition_failed("If-Match")


def check_completion(current: Stored | None, upload: Upload, if_match: str | None, if_none_match: str | None) -> None:
    """As `check_write`; besides, a key that was written or deleted since the upload began is a conflict."""
    check_write(current, upload.key, if_match, if_none_match)
    if if_match is not None and (upload.disturbed or (current is not None and current.order > upload.order)):
        raise conflict("If-Match", upload.key)
    if if_none_match is not None and upload.disturbed:
        raise conflict("If-None-Match", upload.key)
