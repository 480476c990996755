"""Encryption of tables by a key of KMS: the one that is named, or the account's own for DynamoDB.

The key must be there and be one that encrypts; which it is, is kept and shown. Rows are not encrypted with it.
"""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.api import kms
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid_values
from cumulet.services.dynamodb.model import Encryption
from cumulet.services.dynamodb.names import Place
from cumulet.services.dynamodb.state import DynamoDb

_OWN_KEY = "alias/aws/dynamodb"


async def encryption_of(
    dynamodb: DynamoDb, call: Call, place: Place, given: api.SSESpecification | None
) -> Encryption | None:
    """What a request asks for; None for the encryption that every table has. Raises ValidationException."""
    if given is None or not given.enabled:
        if given is not None and (given.kms_master_key_id or given.sse_type):
            raise invalid_values("SSEType or KMSMasterKeyId cannot be specified when SSE is disabled")
        return None
    account, region, name = place
    asking = replace(call, source_arn=f"arn:aws:dynamodb:{region}:{account}:table/{name}")
    wanted = kms.DescribeKeyRequest(key_id=given.kms_master_key_id or _OWN_KEY)
    try:
        key = (await dynamodb.calls.run(asking, "kms", "DescribeKey", wanted)).key_metadata
    except AwsError as refused:
        if refused.code == "AccessDeniedException" or refused.status >= 500:
            raise
        raise invalid_values(f"KMS validation error: {refused.message}") from None
    if not key.enabled:
        raise invalid_values(f"KMS validation error: {key.arn} is {key.key_state}.")
    if key.key_spec != "SYMMETRIC_DEFAULT":
        raise invalid_values(f"KMS validation error: {key.arn} is no symmetric key.")
    return Encryption(key.arn)
