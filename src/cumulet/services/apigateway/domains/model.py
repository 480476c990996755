"""What AWS adds to a domain name: addresses to point DNS at, and defaults."""

from __future__ import annotations

import re

from cumulet.api import apigateway as api
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.errors import bad_request

_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_EDGE_ZONE = "Z2FDTNDATAQYW2"
_ZONES = {
    "us-east-1": "Z1UJRXOUMOOFQ8",
    "us-east-2": "ZOJJZC49E0EPZ",
    "us-west-1": "Z2MUQ32089INYE",
    "us-west-2": "Z2OJLYMUO9EFXC",
    "eu-west-1": "ZLY8HYME6SFDD",
    "eu-west-2": "ZJ5UAJN8Y3Z2Q",
    "eu-central-1": "Z1U9ULNL0V5AJ3",
    "ap-northeast-1": "Z1YSHQZHG15GKL",
    "ap-southeast-1": "ZL327KTPIQFUL",
    "ap-southeast-2": "Z2RPCDW04V8134",
}
"""Route 53's hosted zones of regional endpoints.
https://docs.aws.amazon.com/general/latest/gr/apigateway.html
"""


def check_name(name: str) -> str:
    """The name in lower case; raises BadRequestException for what is none."""
    lower = name.lower()
    if len(lower) > 253 or not _NAME.fullmatch(lower):
        raise bad_request("Domain name must be a valid fully qualified domain name")
    return lower


def addresses(domain: api.DomainName, region: str) -> None:
    """Fill in where a new domain is found, by the kind of its endpoint."""
    types = domain.endpoint_configuration.types if domain.endpoint_configuration else None
    for kind in types or ["EDGE"]:
        if kind == "EDGE" and domain.distribution_domain_name is None:
            domain.distribution_domain_name = f"d{short_id(13)}.cloudfront.net"
            domain.distribution_hosted_zone_id = _EDGE_ZONE
        elif kind == "REGIONAL" and domain.regional_domain_name is None:
            domain.regional_domain_name = f"d-{short_id(10)}.execute-api.{region}.amazonaws.com"
            domain.regional_hosted_zone_id = _ZONES.get(region, _ZONES["us-east-1"])


def arn(region: str, account: str, name: str, id: str = "") -> str:
    """A domain's ARN; those of private domains have an account and an id."""
    if id:
        return f"arn:aws:apigateway:{region}:{account}:/domainnames/{name}+{id}"
    return f"arn:aws:apigateway:{region}::/domainnames/{name}"
