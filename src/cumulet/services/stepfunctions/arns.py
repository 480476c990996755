"""ARNs of Step Functions' resources, as requests name them."""

from __future__ import annotations

from collections.abc import Container

from cumulet.api import stepfunctions as api
from cumulet.kernel.arn import Arn


def parse(text: str, wanted: str) -> Arn:
    """The parts of `arn:aws:states:REGION:ACCOUNT:WANTED:...`; raises InvalidArn as AWS words it."""
    return parse_any(text, (wanted,))[0]


def parse_any(text: str, wanted: Container[str]) -> tuple[Arn, str]:
    """As `parse`, for an ARN of any of these kinds; gives the kind too."""
    if not text.startswith("arn:"):
        raise api.InvalidArn(f"Invalid Arn: 'Invalid ARN prefix: {text}'")
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise api.InvalidArn(f"Invalid Arn: 'Invalid ARN: {text}'") from None
    kind, _, name = arn.resource.partition(":")
    if arn.service != "states" or not name:
        raise api.InvalidArn(f"Invalid Arn: 'Invalid ARN: {text}'")
    if kind not in wanted:
        raise api.InvalidArn(f"Invalid Arn: 'Resource type not valid in this context: {kind}'")
    return arn, kind
