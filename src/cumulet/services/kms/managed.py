"""AWS's own keys: one a service, account and region, made when it is first asked for.

https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key
"""

from collections.abc import Callable

import msgspec

from cumulet.kernel.clock import Clock
from cumulet.services.kms import store, vault
from cumulet.services.kms.aliases_store import Alias, AliasStore, insert
from cumulet.services.kms.model import DAY, Key
from cumulet.services.kms.names import AWS_ALIAS, Name, new_key_id
from cumulet.services.kms.specs import ENCRYPT, SYMMETRIC
from cumulet.services.kms.store import KeyStore
from cumulet.services.kms.vault import Vault
from cumulet.storage.database import Conflict

_YEAR = 365

_PROTECTS = {
    "acm": "ACM private keys",
    "backup": "Backup data",
    "codecommit": "CodeCommit repositories",
    "dynamodb": "DynamoDB data",
    "ebs": "EBS volumes",
    "elasticfilesystem": "EFS filesystems",
    "es": "Elasticsearch data",
    "glue": "Glue data",
    "kinesis": "Kinesis data",
    "kinesisvideo": "Kinesis Video data",
    "lambda": "Lambda functions",
    "rds": "RDS database volumes",
    "redshift": "Redshift clusters",
    "s3": "S3 objects",
    "secretsmanager": "Secrets Manager data",
    "sns": "SNS data",
    "sqs": "SQS messages",
    "ssm": "SSM parameters",
    "xray": "X-Ray data",
}
"""The services that have such a key, and what it is for."""


class Managed:
    """Makes them."""

    def __init__(
        self, keys: KeyStore, aliases: AliasStore, vault: Vault, clock: Clock, woken: Callable[[], None]
    ) -> None:
        """`woken` is told of a new key that time has something to do with."""
        self._woken = woken
        self._keys = keys
        self._aliases = aliases
        self._vault = vault
        self._clock = clock

    async def make(self, name: Name) -> str | None:
        """The id of the key of an alias such as `alias/aws/s3`, made now; None when no service has an alias of that name."""
        service = name.alias.removeprefix(AWS_ALIAS)
        if not name.alias.startswith(AWS_ALIAS) or service not in _PROTECTS:
            return None
        now = self._clock.now()
        key = Key(
            account=name.account,
            region=name.region,
            id=new_key_id(multi_region=False),
            created=now,
            spec=SYMMETRIC,
            usage=ENCRYPT,
            manager="AWS",
            description=f"Default key that protects my {_PROTECTS[service]} when no other key is defined",
            rotation_days=_YEAR,
            next_rotation=now + _YEAR * DAY,
        )
        secret, _ = await vault.generate(SYMMETRIC)
        material = self._vault.material(key, secret, 0)
        key = msgspec.structs.replace(key, material=material.id)
        try:
            async with self._keys.db.transaction() as tx:
                await insert(tx, Alias(key.account, key.region, name.alias, key.id, now, now))
                await store.add(tx, key, policy(key, service), [material])
        except Conflict:
            return await self._aliases.target(name)  # another call was first
        self._woken()
        return key.id


def policy(key: Key, service: str) -> str:
    """Whoever may use the service may have it use the key; the account may look at it."""
    through = {
        "StringEquals": {
            "kms:CallerAccount": key.account,
            "kms:ViaService": f"{service}.{key.region}.amazonaws.com",
        }
    }
    statements = [
        {
            "Sid": f"Allow access through {service} for all principals in the account that are authorized to use {service}",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant",
                       "kms:DescribeKey"],
            "Resource": "*",
            "Condition": through,
        },
        {
            "Sid": "Allow direct access to key metadata to the account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{key.account}:root"},
            "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
            "Resource": "*",
        },
    ]  # fmt: skip
    document = {"Version": "2012-10-17", "Id": f"auto-{service}-1", "Statement": statements}
    return msgspec.json.encode(document).decode()
