"""What x-amz-copy-source names: read here for the permission and for the copy alike, so that both mean the same object."""

from urllib.parse import unquote, unquote_plus


def split(text: str) -> tuple[str, str, str | None]:
    """Bucket, key and version id, decoded; bucket or key are empty when the text names none.

    It is `bucket/key`, `/bucket/key` or `http://host/bucket/key`, URL-encoded, perhaps with `?versionId=`.
    """
    path, _, version = text.partition("?versionId=")
    if path.startswith(("http://", "https://")):
        path = path.split("/", 3)[3] if path.count("/") > 2 else ""
    bucket, _, key = unquote_plus(path.removeprefix("/")).partition("/")
    return bucket, key, unquote(version) or None
