"""How layers and their versions are named."""

import re

from cumulet.kernel.call import Call
from cumulet.services.lambda_.errors import invalid, not_found
from cumulet.services.lambda_.layers.store import LayerKey

_VERSION_ARN = re.compile(r"arn:[a-zA-Z0-9-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+):([0-9]{1,18})")
_ARN = re.compile(r"arn:[a-zA-Z0-9-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+)")


def layer_key(call: Call, name: str) -> LayerKey:
    """The layer that `name` (LayerName: a name or an ARN) means. Raises ResourceNotFoundException for another region's."""
    match = _ARN.fullmatch(name)
    if match is None:
        return LayerKey(call.account, call.region, name)
    if match[1] != call.region:
        raise not_found("The resource you requested does not exist.")
    return LayerKey(match[2], match[1], match[3])


def split_arn(arn: str) -> tuple[LayerKey, int] | None:
    """The layer and number in the ARN of a layer's version; None for those of AWS's own layers, which have neither."""
    match = _VERSION_ARN.fullmatch(arn)
    return None if match is None else (LayerKey(match[2], match[1], match[3]), int(match[4]))


def checked_number(number: int) -> int:
    """Raises InvalidParameterValueException."""
    if number < 1:
        raise invalid("Layer Version Cannot be less than 1")
    return number
