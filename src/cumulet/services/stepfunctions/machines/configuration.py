"""Logging, tracing and encryption of a machine: what may be asked for, how it is kept, and how it is answered."""

from __future__ import annotations

from cumulet.api import logs as logs_api
from cumulet.api import stepfunctions as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.stepfunctions.machines.model import Encryption, Logging
from cumulet.services.stepfunctions.state import StepFunctions

_ONE_DESTINATION = "Invalid Logging Configuration: Must specify exactly one Log Destination."
_NOT_FOUND = "Invalid Logging Configuration: Log Destination not found."
_CUSTOMER = "CUSTOMER_MANAGED_KMS_KEY"
_USUAL_REUSE = 300
_TRIAL = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"
_TRIAL_LINE = (
    "Permissions are set correctly to allow AWS CloudWatch Logs to write into your logs while creating a subscription."
)
PRINCIPAL = "states.amazonaws.com"


class AccessDenied(AwsError):
    """The machine's role may not be used, or may not do what the configuration needs."""

    code = "AccessDeniedException"


def read_logging(given: api.LoggingConfiguration | None) -> Logging:
    """The configuration that was asked for. Raises InvalidLoggingConfiguration."""
    if given is None:
        return Logging()
    groups = None
    if given.destinations is not None:
        found = [destination.cloud_watch_logs_log_group for destination in given.destinations]
        groups = tuple((group.log_group_arn if group else None) or "" for group in found)
    level = given.level or "OFF"
    if (groups and len(groups) != 1) or (level != "OFF" and not groups):
        raise api.InvalidLoggingConfiguration(_ONE_DESTINATION)
    return Logging(level, given.include_execution_data or False, groups)


def write_logging(logging: Logging) -> api.LoggingConfiguration:
    destinations = None
    if logging.groups is not None:
        groups = [api.CloudWatchLogsLogGroup(log_group_arn=arn) for arn in logging.groups]
        destinations = [api.LogDestination(cloud_watch_logs_log_group=group) for group in groups]
    return api.LoggingConfiguration(
        level=logging.level, include_execution_data=logging.include_data, destinations=destinations
    )


def read_encryption(given: api.EncryptionConfiguration | None) -> Encryption | None:
    """The configuration that was asked for. Raises InvalidEncryptionConfiguration."""
    if given is None:
        return None
    if given.type != _CUSTOMER:
        if given.kms_key_id is not None or given.kms_data_key_reuse_period_seconds is not None:
            raise api.InvalidEncryptionConfiguration(
                "Invalid Encryption Configuration: KmsKeyId and KmsDataKeyReusePeriodSeconds must not be set "
                f"when type is {given.type}"
            )
        return Encryption(given.type)
    if not given.kms_key_id:
        raise api.InvalidEncryptionConfiguration(
            f"Invalid Encryption Configuration: KmsKeyId must be set when type is {_CUSTOMER}"
        )
    return Encryption(given.type, given.kms_key_id, given.kms_data_key_reuse_period_seconds or _USUAL_REUSE)


def write_encryption(encryption: Encryption | None) -> api.EncryptionConfiguration | None:
    if encryption is None:
        return None
    return api.EncryptionConfiguration(
        type=encryption.type,
        kms_key_id=encryption.key,
        kms_data_key_reuse_period_seconds=encryption.reuse_seconds,
    )


def check_role_arn(role_arn: str) -> None:
    """Raises InvalidArn."""
    if not role_arn.startswith("arn:"):
        raise api.InvalidArn(f"Invalid Arn: 'Invalid ARN prefix: {role_arn}'")
    try:
        arn = Arn.parse(role_arn)
    except ValueError:
        raise api.InvalidArn(f"Invalid Arn: 'Invalid ARN: {role_arn}'") from None
    if arn.service != "iam" or not arn.resource.startswith("role/"):
        raise api.InvalidArn(
            f"Invalid Arn: 'Resource type not valid in this context: {arn.resource.partition('/')[0]}'"
        )


async def check_role(state: StepFunctions, call: Call, role_arn: str) -> Call:
    """What the role may do is asked with the call that this gives. Where permissions are enforced, a role that Step Functions
    cannot assume is refused with AccessDeniedException."""
    try:
        acting, _ = await state.roles.assume(call, role_arn, "CreateStateMachine", PRINCIPAL)
    except AwsError:
        if Arn.parse(role_arn).account != call.account:
            raise AccessDenied("Cross-account pass role is not allowed.") from None
        raise AccessDenied(
            f"Neither the global service principal {PRINCIPAL}, nor the regional one is authorized to assume the provided role."
        ) from None
    return acting


async def check_groups(state: StepFunctions, acting: Call, logging: Logging) -> None:
    """Whether the log group is there, as the machine's role sees it: it has to deliver to it.

    Raises InvalidLoggingConfiguration, AccessDeniedException.
    """
    for text in logging.groups or ():
        name = group_name(text)
        if name is None:
            raise api.InvalidLoggingConfiguration(_NOT_FOUND)
        wanted = logs_api.DescribeLogGroupsRequest(log_group_name_prefix=name)
        try:
            found = await state.calls.run(acting, "logs", "DescribeLogGroups", wanted)
        except AwsError as error:
            if error.code != "AccessDeniedException":
                raise
            raise AccessDenied("The state machine IAM Role is not authorized to access the Log Destination") from None
        if not any(group.log_group_name == name for group in found.log_groups or ()):
            raise api.InvalidLoggingConfiguration(_NOT_FOUND)
        await _try(state, text, name)


async def _try(state: StepFunctions, arn: str, group: str) -> None:
    """Write to the group once, as AWS does: to a stream that is there for that alone."""
    parsed = Arn.parse(arn)
    call = Call(parsed.account, parsed.region, Principal.root(parsed.account), new_id())
    try:
        made = logs_api.CreateLogStreamRequest(log_group_name=group, log_stream_name=_TRIAL)
        await state.calls.run(call, "logs", "CreateLogStream", made)
    except logs_api.ResourceAlreadyExistsException:
        return
    line = logs_api.InputLogEvent(timestamp=int(state.clock.now() * 1000), message=_TRIAL_LINE)
    written = logs_api.PutLogEventsRequest(log_group_name=group, log_stream_name=_TRIAL, log_events=[line])
    await state.calls.run(call, "logs", "PutLogEvents", written)


def group_name(arn: str) -> str | None:
    """The name in a log group's ARN, which ends with `:*`; None when the text is no such ARN."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        return None
    kind, _, rest = parsed.resource.partition(":")
    name = rest.removesuffix(":*")
    return name if parsed.service == "logs" and kind == "log-group" and name else None
