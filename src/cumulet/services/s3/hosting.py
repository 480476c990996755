"""How a website's configuration answers: https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html"""

from __future__ import annotations

from typing import NamedTuple

from cumulet.api import s3 as api
from cumulet.services.s3.errors import error, no_such_bucket
from cumulet.services.s3.state import S3


class Redirection(NamedTuple):
    """An HTTP redirection: its status, and where to."""

    status: int
    location: str


async def website(s3: S3, bucket: str) -> api.WebsiteConfiguration:
    """The website of a bucket; raises NoSuchBucket and NoSuchWebsiteConfiguration."""
    found = s3.cache.get(bucket) or await s3.buckets.find(bucket)
    if found is None:
        raise no_such_bucket(bucket)
    config = found.setting("website", api.WebsiteConfiguration)
    if config is None:
        raise error(
            404,
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
            BucketName=bucket,
        )
    assert isinstance(config, api.WebsiteConfiguration)
    return config


def object_key(config: api.WebsiteConfiguration, key: str) -> str:
    """The object that a path means: folders mean their index document."""
    if config.index_document is not None and (not key or key.endswith("/")):
        return key + config.index_document.suffix
    return key


def redirection(config: api.WebsiteConfiguration, key: str, status: int, scheme: str, host: str) -> Redirection | None:
    """Where a path is redirected: by rules on keys when `status` is 0, by rules on errors when it is an error's."""
    everything = config.redirect_all_requests_to
    if everything is not None:
        return Redirection(301, f"{everything.protocol or scheme}://{everything.host_name}/{key}")
    for rule in config.routing_rules or []:
        condition = rule.condition
        prefix = condition.key_prefix_equals if condition else None
        code = condition.http_error_code_returned_equals if condition else None
        if (code or "0") == str(status) and key.startswith(prefix or "") and (key or not prefix):
            return _redirected(rule.redirect, key, prefix or "", scheme, host)
    return None


def _redirected(redirect: api.Redirect, key: str, prefix: str, scheme: str, host: str) -> Redirection:
    if redirect.replace_key_with is not None:
        key = redirect.replace_key_with
    elif redirect.replace_key_prefix_with is not None:
        key = redirect.replace_key_prefix_with + key[len(prefix) :]
    address = f"{redirect.protocol or scheme}://{redirect.host_name or host}/{key}"
    return Redirection(int(redirect.http_redirect_code or 301), address)
