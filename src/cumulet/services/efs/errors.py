"""EFS's errors in AWS's words. Each body has the code beside the text."""

from __future__ import annotations

from cumulet.api import efs as api
from cumulet.kernel.errors import AwsError


def refusal(kind: type[AwsError], message: str, **fields: str) -> AwsError:
    return kind(message, fields={"ErrorCode": kind.code, **fields})


def bad_request(message: str) -> AwsError:
    return refusal(api.BadRequest, message)


def no_file_system(id: str) -> AwsError:
    return refusal(api.FileSystemNotFound, f"File system '{id}' does not exist.")


def no_mount_target(id: str) -> AwsError:
    return refusal(api.MountTargetNotFound, f"Mount target '{id}' does not exist.")


def no_access_point(id: str) -> AwsError:
    return refusal(api.AccessPointNotFound, f"Access point '{id}' does not exist.")


def not_available(id: str, state: str) -> AwsError:
    return refusal(api.IncorrectFileSystemLifeCycleState, f"File system '{id}' is {state}, not available.")
