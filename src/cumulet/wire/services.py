"""The services on the wire: each loaded when first asked for, each operation's codec made when first used."""

from functools import cache
from typing import Any

from cumulet.api.model import MODELS, Model
from cumulet.api.model import load as load_model
from cumulet.wire.codec import Codec, ErrorCodec
from cumulet.wire.context import Context
from cumulet.wire.json import JsonCodec, JsonErrors
from cumulet.wire.query import QueryCodec, QueryErrors
from cumulet.wire.rest_json import RestJsonCodec, RestJsonErrors
from cumulet.wire.rest_xml import RestXmlCodec, RestXmlErrors

CBOR = "smithy-rpc-v2-cbor"
_CODECS: dict[str, tuple[Any, Any]] = {
    "json": (JsonCodec, JsonErrors),
    "json-1.0": (lambda context, name: JsonCodec(context, name, "1.0"), JsonErrors),
    "json-1.1": (lambda context, name: JsonCodec(context, name, "1.1"), JsonErrors),
    "query": (QueryCodec, QueryErrors),
    "rest-json": (RestJsonCodec, RestJsonErrors),
    "rest-xml": (RestXmlCodec, RestXmlErrors),
}


def _classes(protocol: str) -> tuple[Any, Any]:
    """What encodes and decodes operations, and what errors. Those for CBOR are loaded with the first client that speaks it."""
    if protocol == CBOR:
        from cumulet.wire.cbor import CborCodec, CborErrors  # noqa: PLC0415

        return CborCodec, CborErrors
    if protocol == "json-cbor":
        from cumulet.wire.amz_cbor import AmzCborCodec, AmzCborErrors  # noqa: PLC0415

        return AmzCborCodec, AmzCborErrors
    return _CODECS[protocol]


class ServiceWire:
    """One service in all the protocols it answers. `service` is botocore's name of it, `signing_name` that in credential scopes."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.service = model.metadata.service
        self.protocols = tuple(model.metadata.protocols)
        self.context = Context(model)
        self._codecs: dict[tuple[str, str], Codec] = {}
        self.signing_name = model.metadata.signing_name or model.metadata.endpoint_prefix

    def codec(self, operation: str, protocol: str = "") -> Codec:
        """The codec of an operation, in the service's first protocol unless told. KeyError for an unknown operation."""
        key = (protocol or self.protocols[0], operation)
        found = self._codecs.get(key)
        if found is None:
            found = self._codecs[key] = _classes(key[0])[0](self.context, operation)
        return found

    def errors(self, protocol: str = "") -> ErrorCodec:
        """Errors in a protocol of the service, for requests that name no operation of its."""
        made: ErrorCodec = _classes(protocol or self.protocols[0])[1](self.context)
        return made

    def check(self, operation: str, request: Any) -> None:
        """Validate a request that did not come by wire. Raises AwsError."""
        self.codec(operation).check(request, nulls=True)


def names() -> list[str]:
    """Every service there is a model of, by botocore's names."""
    return sorted(path.stem.rstrip("_").replace("_", "-") for path in MODELS.glob("*.json"))


@cache
def load(service: str) -> ServiceWire:
    """A service by botocore's name (`lambda`, `cognito-idp`, `stepfunctions`). KeyError when there is none."""
    if service not in names():
        raise KeyError(service)
    module = "lambda_" if service == "lambda" else service.replace("-", "_")
    return ServiceWire(load_model(module))
