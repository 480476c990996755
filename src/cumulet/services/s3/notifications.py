"""Operations on a bucket's event notifications.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
"""

from __future__ import annotations

import fnmatch
import json
from typing import Any

import msgspec

from cumulet import delivery
from cumulet.api import lambda_, sns, sqs
from cumulet.api import s3 as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError, NotImplementedHere
from cumulet.kernel.ids import new_id, token
from cumulet.services.s3 import events
from cumulet.services.s3.errors import error, invalid_argument, malformed_xml
from cumulet.services.s3.model import Bucket
from cumulet.services.s3.state import S3

_EVENTS = {
    "s3:ReducedRedundancyLostObject", "s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload", "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated", "s3:ObjectRestore:*", "s3:ObjectRestore:Post",
    "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete", "s3:Replication:*",
    "s3:Replication:OperationFailedReplication", "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationMissedThreshold", "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:LifecycleTransition", "s3:IntelligentTiering", "s3:ObjectAcl:Put", "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated", "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete",
}  # fmt: skip
_MOST_CONFIGURATIONS = 100
_OVERLAP = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
_UNREACHABLE = "Unable to validate the following destination configurations"


async def get_bucket_notification_configuration(
    s3: S3, call: Call, request: api.GetBucketNotificationConfigurationRequest
) -> api.NotificationConfiguration:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    found = bucket.setting("notification", api.NotificationConfiguration)
    return found if found is not None else api.NotificationConfiguration()


async def put_bucket_notification_configuration(
    s3: S3, call: Call, request: api.PutBucketNotificationConfigurationRequest
) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    config = request.notification_configuration
    every = _kinds(config)
    if len(every) > _MOST_CONFIGURATIONS:
        raise malformed_xml()
    for one, kind, target in every:
        _check_target(kind, target)
        _check(one)
    _check_overlaps([one for one, _, _ in every])
    if not request.skip_destination_validation:
        await _check_destinations(s3, call, bucket, every)
    _check_deliverable(config)
    await _keep(s3, call, bucket, config, every)


def _kinds(config: api.NotificationConfiguration) -> list[tuple[Any, str, str]]:
    """Every configuration with the element that holds its target, and the target's ARN."""
    return [
        *((one, "Queue", one.queue_arn) for one in config.queue_configurations or []),
        *((one, "CloudFunction", one.lambda_function_arn) for one in config.lambda_function_configurations or []),
        *((one, "Topic", one.topic_arn) for one in config.topic_configurations or []),
    ]


def _check_target(kind: str, target: str) -> None:
    """The ARN must be one, and of the kind of target that its element is for."""
    try:
        arn = Arn.parse(target)
    except ValueError:
        raise invalid_argument("The ARN could not be parsed", kind, target) from None
    if arn.service != {"Queue": "sqs", "CloudFunction": "lambda", "Topic": "sns"}[kind]:
        raise invalid_argument("The ARN is not of the type of the destination", kind, target)


def _check(one: Any) -> None:
    """Events and filter rules of a configuration; gives it an Id when it has none, and names rules as S3 does."""
    if not one.events:
        raise malformed_xml()
    for event in one.events:
        if event not in _EVENTS:
            raise malformed_xml()
    if not one.id:
        one.id = token(16)
    elif len(one.id) > 255:
        raise invalid_argument("The Id of a configuration has at most 255 characters", "Id", one.id)
    rules = one.filter.key.filter_rules or [] if one.filter and one.filter.key else []
    seen = set()
    for rule in rules:
        name = (rule.name or "").lower()
        if name not in {"prefix", "suffix"}:
            raise invalid_argument(
                "filter rule name must be either prefix or suffix", "FilterRule.Name", rule.name or ""
            )
        if name in seen:
            raise invalid_argument(
                f"Cannot specify more than one {name} rule in a filter.", "FilterRule.Name", rule.name
            )
        if len(rule.value or "") > 1024:
            raise invalid_argument("Size of filter rule value cannot exceed 1024 bytes in UTF-8", "FilterRule.Value")
        seen.add(name)
        rule.name = name.capitalize()


def _check_overlaps(every: list[Any]) -> None:
    """Two configurations that some key and event would both match are refused."""
    ids = [one.id for one in every]
    if len(set(ids)) < len(ids):
        raise error(400, "InvalidArgument", "Same ID used for multiple configurations. IDs must be unique")
    for i, one in enumerate(every):
        for other in every[:i]:
            if _share_events(one.events, other.events) and _share_keys(_affixes(one), _affixes(other)):
                raise error(400, "InvalidArgument", _OVERLAP)


def _share_events(some: list[str], others: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(a, b) or fnmatch.fnmatchcase(b, a) for a in some for b in others)


def _affixes(one: Any) -> tuple[str, str]:
    rules = one.filter.key.filter_rules or [] if one.filter and one.filter.key else []
    found = {rule.name: rule.value or "" for rule in rules}
    return found.get("Prefix", ""), found.get("Suffix", "")


def _share_keys(a: tuple[str, str], b: tuple[str, str]) -> bool:
    prefixes = a[0].startswith(b[0]) or b[0].startswith(a[0])
    suffixes = a[1].endswith(b[1]) or b[1].endswith(a[1])
    return prefixes and suffixes


def _check_deliverable(config: api.NotificationConfiguration) -> None:
    """What cannot be delivered yet is refused rather than lost."""
    if config.topic_configurations and "sns" not in delivery.TARGETS:
        raise NotImplementedHere("Bucket notifications to SNS topics are not implemented in Cumulet yet.")
    if config.event_bridge_configuration is not None:
        raise NotImplementedHere("Bucket notifications to EventBridge are not implemented in Cumulet yet.")


async def _check_destinations(s3: S3, call: Call, bucket: Bucket, every: list[tuple[Any, str, str]]) -> None:
    """Ask every target whether it is there and lets S3 deliver; raises InvalidArgument naming those that do not."""
    problems: dict[str, str] = {}
    for _, kind, target in every:
        problem = await _ASK[kind](s3, call, bucket, Arn.parse(target))
        if problem is not None:
            number = len(problems) // 2 + 1
            problems[f"ArgumentName{number}"], problems[f"ArgumentValue{number}"] = problem
    if problems:
        raise error(400, "InvalidArgument", _UNREACHABLE, **problems)


def _looking(call: Call, bucket: Bucket, target: Arn) -> Call:
    """To see whether a target is there and lets S3 in; a target's policy rarely lets S3 read it, so the owner does."""
    return Call(
        account=target.account,
        region=target.region,
        principal=Principal.root(target.account),
        request_id=new_id(),
        endpoint=call.endpoint,
        source_ip=call.source_ip,
        source_arn=bucket.arn,
    )


async def _queue_problem(s3: S3, call: Call, bucket: Bucket, target: Arn) -> tuple[str, str] | None:
    url = f"{call.endpoint}/{target.account}/{target.resource}"
    request = sqs.GetQueueAttributesRequest(queue_url=url, attribute_names=["QueueArn", "Policy"])
    try:
        answer = await s3.calls.run(_looking(call, bucket, target), "sqs", "GetQueueAttributes", request)
    except AwsError as problem:
        if problem.status >= 500:
            raise
        return str(target), "The destination queue does not exist"
    if not _lets_s3_in((answer.attributes or {}).get("Policy") or "{}", bucket):
        return str(target), (
            "Permissions on the destination queue do not allow S3 to publish notifications from this bucket"
        )
    return None


async def _function_problem(s3: S3, call: Call, bucket: Bucket, target: Arn) -> tuple[str, str] | None:
    refused = (f"{target}, null", f"Not authorized to invoke function [{target}]")
    try:
        answer = await s3.calls.run(
            _looking(call, bucket, target), "lambda", "GetPolicy", lambda_.GetPolicyRequest(function_name=str(target))
        )
    except AwsError as problem:
        if problem.status >= 500:
            raise
        return refused
    return None if _lets_s3_in(answer.policy or "{}", bucket) else refused


async def _topic_problem(s3: S3, call: Call, bucket: Bucket, target: Arn) -> tuple[str, str] | None:
    request = sns.GetTopicAttributesInput(topic_arn=str(target))
    try:
        await s3.calls.run(_looking(call, bucket, target), "sns", "GetTopicAttributes", request)
    except AwsError:
        return str(target), "The destination topic does not exist"
    return None


_ASK = {"Queue": _queue_problem, "CloudFunction": _function_problem, "Topic": _topic_problem}


def _lets_s3_in(policy: str, bucket: Bucket) -> bool:
    """Whether a target's policy has a statement for S3 that this bucket meets (the dispatcher decides in the end)."""
    for statement in _list(json.loads(policy).get("Statement", [])):
        principal = statement.get("Principal")
        named = (
            [*_list(principal.get("Service")), *_list(principal.get("AWS"))]
            if isinstance(principal, dict)
            else [principal]
        )
        if statement.get("Effect") != "Allow" or not any(name in ("s3.amazonaws.com", "*") for name in named):
            continue
        conditions = statement.get("Condition") or {}
        if isinstance(conditions, dict) and all(_meets(*condition, bucket) for condition in conditions.items()):
            return True
    return False


def _meets(operator: str, test: Any, bucket: Bucket) -> bool:
    if not isinstance(test, dict):
        return False
    facts = {"aws:sourcearn": bucket.arn, "aws:sourceaccount": bucket.account}
    like = "Like" in operator
    for key, wanted in test.items():
        fact = facts.get(key.lower())
        if fact is not None and not any(
            fnmatch.fnmatchcase(fact, str(one)) if like else fact == one for one in _list(wanted)
        ):
            return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


async def _keep(
    s3: S3, call: Call, bucket: Bucket, config: api.NotificationConfiguration, every: list[tuple[Any, str, str]]
) -> None:
    """Put the configuration in place and, in the same transaction, a test event to each queue."""
    test = msgspec.json.encode(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": events.iso_millis(s3.clock.now()),
            "Bucket": bucket.name,
            "RequestId": call.request_id,
            "HostId": token(38),
        }
    )
    async with s3.db.transaction() as tx:
        await s3.buckets.put_setting(tx, bucket, "notification", msgspec.json.encode(config) if every else None)
        for _, kind, target in every:
            if kind != "CloudFunction":
                await events.send(s3, tx, call, bucket, target, test)
        tx.after_commit(lambda: s3.forget(bucket.name))
