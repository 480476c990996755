"""Operations on a bucket's website configuration."""

from __future__ import annotations

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.services.s3.errors import invalid_argument, invalid_request, malformed_xml
from cumulet.services.s3.settings import keep, missing, setting
from cumulet.services.s3.state import S3

_PROTOCOLS = {None, "http", "https"}


async def get_bucket_website(s3: S3, call: Call, request: api.GetBucketWebsiteRequest) -> api.GetBucketWebsiteOutput:
    bucket, config = await setting(s3, call, request, "website", api.WebsiteConfiguration)
    if config is None:
        raise missing(
            bucket, "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"
        )
    return api.GetBucketWebsiteOutput(
        redirect_all_requests_to=config.redirect_all_requests_to,
        index_document=config.index_document,
        error_document=config.error_document,
        routing_rules=config.routing_rules,
    )


async def put_bucket_website(s3: S3, call: Call, request: api.PutBucketWebsiteRequest) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    _check(request.website_configuration)
    await s3.put_setting(bucket, "website", request.website_configuration)


async def delete_bucket_website(s3: S3, call: Call, request: api.DeleteBucketWebsiteRequest) -> None:
    await keep(s3, call, request, "website", None)


def _check(config: api.WebsiteConfiguration) -> None:
    everything = config.redirect_all_requests_to
    if everything is not None:
        if config.index_document or config.error_document or config.routing_rules:
            raise invalid_argument(
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
                "RedirectAllRequestsTo",
                "not null",
            )
        _check_protocol(everything.protocol)
        return
    index = config.index_document
    if index is None:
        raise invalid_argument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            "IndexDocument",
            "null",
        )
    if not index.suffix or "/" in index.suffix:
        raise invalid_argument("The IndexDocument Suffix is not well formed", "IndexDocument", index.suffix)
    if config.error_document is not None and not config.error_document.key:
        raise malformed_xml()
    for rule in config.routing_rules or []:
        _check_rule(rule)


def _check_rule(rule: api.RoutingRule) -> None:
    redirect, condition = rule.redirect, rule.condition
    _check_protocol(redirect.protocol)
    if redirect.replace_key_prefix_with is not None and redirect.replace_key_with is not None:
        raise invalid_request("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    if (
        condition is not None
        and condition.key_prefix_equals is None
        and condition.http_error_code_returned_equals is None
    ):
        raise invalid_request(
            "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be "
            "present."
        )


def _check_protocol(protocol: str | None) -> None:
    if protocol not in _PROTOCOLS:
        raise invalid_request(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically."
        )
