"""The managed policies that AWS itself publishes, as data: `data/aws_policies.json`."""

from functools import cached_property
from pathlib import Path

import msgspec
from msgspec import Struct

from cumulet.kernel.ids import derived_id
from cumulet.services.iam.model import Policy, Version

_DATA = Path(__file__).with_name("data") / "aws_policies.json"


class Published(Struct):
    """One policy of the data file: dates are seconds since 1970, `version` is the one in force (AWS keeps older ones)."""

    name: str
    path: str
    version: str
    created: int
    updated: int
    document: str
    description: str = ""


class Catalogue:
    """AWS's managed policies by ARN; read when first asked for."""

    @cached_property
    def policies(self) -> dict[str, Policy]:
        published = msgspec.json.decode(_DATA.read_bytes(), type=list[Published])
        return {policy.arn("aws"): policy for policy in map(_policy, published)}

    def get(self, arn: str) -> Policy | None:
        return self.policies.get(arn)


def _policy(published: Published) -> Policy:
    return Policy(
        name=published.name,
        id=derived_id("ANPA", published.path + published.name),
        path=published.path,
        created=published.created,
        updated=published.updated,
        description=published.description,
        versions=[Version(published.version, published.document, published.updated)],
        default=published.version,
    )
