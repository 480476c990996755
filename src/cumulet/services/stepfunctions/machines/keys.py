"""Customers' keys of KMS: whether they can be used, asked when something is configured to have one and when executions begin.

https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cumulet.api import kms
from cumulet.api import stepfunctions as api
from cumulet.delivery.roles import Roles
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.errors import AwsError
from cumulet.services.stepfunctions.machines.model import Encryption, MachineVersion

if TYPE_CHECKING:
    from cumulet.services.stepfunctions.state import StepFunctions

_ENABLED = "Enabled"
_DATA_KEY = 32
_KEPT = 10_000
_PRINCIPAL = "states.amazonaws.com"


async def check_key(state: StepFunctions, call: Call, arn: str, encryption: Encryption | None) -> None:
    """The key must be there, be the caller's to see, and encrypt. `arn` is what is to be encrypted by it.

    Raises InvalidEncryptionConfiguration, KmsAccessDeniedException, KmsInvalidStateException.
    """
    if encryption is None or encryption.key is None:
        return
    asking = replace(call, source_arn=arn)
    try:
        wanted = kms.DescribeKeyRequest(key_id=encryption.key)
        key = (await state.calls.run(asking, "kms", "DescribeKey", wanted)).key_metadata
    except AwsError as error:
        raise _told(error) from error
    if key.key_spec != "SYMMETRIC_DEFAULT" or key.key_usage != "ENCRYPT_DECRYPT":
        raise _invalid(f"{key.arn} is no symmetric encryption key.")
    if key.key_state != _ENABLED:
        raise api.KmsInvalidStateException(
            f"{key.arn} is {key.key_state}.", fields={"kmsKeyState": _state_of(key.key_state)}
        )


class DataKeys:
    """Data keys of machines, asked for as their roles, again after the time for which one is used.

    What is stored is not encrypted with them: they show that the role may use the key, and that the key may be used.
    """

    def __init__(self, calls: Calls, roles: Roles, clock: Clock) -> None:
        self._calls = calls
        self._roles = roles
        self._clock = clock
        self._good: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    async def ask(self, call: Call, version: MachineVersion) -> None:
        """Before an execution begins. Raises KmsAccessDeniedException, KmsInvalidStateException."""
        encryption = version.revision.content.encryption
        if encryption is None or encryption.key is None:
            return
        place = (version.arn, encryption.key, version.role_arn)
        now = self._clock.now()
        if self._good.get(place, 0.0) > now:
            return
        asking = replace(call, source_arn=version.arn)
        wanted = kms.GenerateDataKeyRequest(
            key_id=encryption.key,
            number_of_bytes=_DATA_KEY,
            encryption_context={"aws:states:stateMachineArn": version.arn},
        )
        try:
            acting, _ = await self._roles.assume(asking, version.role_arn, "StartExecution", _PRINCIPAL)
            await self._calls.run(acting, "kms", "GenerateDataKey", wanted)
        except AwsError as error:
            raise _told(error) from error
        self._good[place] = now + (encryption.reuse_seconds or 0)
        while len(self._good) > _KEPT:
            self._good.popitem(last=False)


def _told(error: AwsError) -> AwsError:
    if error.code in ("AccessDeniedException", "AccessDenied"):
        return api.KmsAccessDeniedException(error.message)
    if error.code in ("DisabledException", "KMSInvalidStateException"):
        state = "DISABLED" if error.code == "DisabledException" else "UNAVAILABLE"
        return api.KmsInvalidStateException(error.message, fields={"kmsKeyState": state})
    return _invalid(error.message)


def _invalid(message: str) -> AwsError:
    return api.InvalidEncryptionConfiguration(f"Invalid Encryption Configuration: {message}")


def _state_of(key_state: str | None) -> str:
    """KMS's states in Step Functions' spelling."""
    return {
        "Disabled": "DISABLED",
        "PendingDeletion": "PENDING_DELETION",
        "PendingImport": "PENDING_IMPORT",
        "Creating": "CREATING",
    }.get(key_state or "", "UNAVAILABLE")
