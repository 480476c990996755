"""A function's place in a VPC: kept and shown as AWS does. A node has no VPCs: its functions are all on the node's network."""

from __future__ import annotations

import hashlib

from cumulet.api import lambda_ as api
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.names import FunctionKey


def answer(key: FunctionKey, config: api.VpcConfig) -> api.VpcConfigResponse:
    """What answers show of a VpcConfig. Raises InvalidParameterValueException.

    There is nobody to ask which VPC the subnets are in: an account has one in each region.
    """
    subnets, groups = config.subnet_ids or [], config.security_group_ids or []
    if bool(subnets) != bool(groups):
        raise invalid("SubnetIds and SecurityIds must coexist or be both empty list.")
    return api.VpcConfigResponse(
        subnet_ids=subnets,
        security_group_ids=groups,
        vpc_id=_vpc(key) if subnets else "",
        ipv6_allowed_for_dual_stack=bool(config.ipv6_allowed_for_dual_stack),
    )


def _vpc(key: FunctionKey) -> str:
    return "vpc-" + hashlib.sha256(f"{key.account}/{key.region}".encode()).hexdigest()[:17]
