"""What an integration may be, and how PATCH changes it."""

from __future__ import annotations

import re

from cumulet.api import apigateway as api
from cumulet.kernel.arn import Arn
from cumulet.services.apigateway.errors import bad_request
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.rest.patch import (
    REPLACE,
    Rule,
    Rules,
    Step,
    entries,
    flag,
    items,
    no_content_type,
    no_parameter,
    value,
    whole,
)
from cumulet.services.apigateway.rest.resources.mappings import check_request, check_templates
from cumulet.services.apigateway.rest.resources.methods import VERBS

_HTTP = ("HTTP", "HTTP_PROXY")
_LAMBDA = re.compile(
    r"path/(2015-03-31/functions/.+/invocations|2021-11-15/functions/.+/response-streaming-invocations)", re.DOTALL
)
_FIREHOSE = re.compile(r"action/PutRecord(Batch)?")


def check(integration: api.Integration, method: api.Method, limits: Limits) -> None:
    """Raises BadRequestException."""
    kind = integration.type or ""
    if kind != "MOCK":
        if not integration.http_method:
            raise bad_request("Enumeration value for HttpMethod must be non-empty")
        if integration.http_method not in VERBS:
            raise bad_request(f"Invalid HttpMethod specified. Valid options are {','.join(VERBS)}")
        _check_uri(integration, kind)
    if integration.timeout_in_millis is not None and not 50 <= integration.timeout_in_millis <= _longest(
        integration, limits
    ):
        raise bad_request(f"Timeout should be between 50 ms and {_longest(integration, limits)} ms")
    if integration.connection_type == "VPC_LINK" and not integration.connection_id:
        raise bad_request("Connection ID must be specified for VPC_LINK connections")
    check_request(integration.request_parameters, method)
    check_templates(integration.request_templates)
    for template in (integration.request_templates or {}).values():
        if template and len(template) > limits.template:
            raise bad_request(f"Template exceeds the maximum size of {limits.template} bytes")


def _longest(integration: api.Integration, limits: Limits) -> int:
    return 900_000 if integration.response_transfer_mode == "STREAM" else limits.timeout_ms


def _check_uri(integration: api.Integration, kind: str) -> None:
    uri = integration.uri or ""
    if kind in _HTTP:
        if not uri.startswith(("http://", "https://", "${")):
            raise bad_request("Invalid HTTP endpoint specified for URI")
        return
    try:
        arn = Arn.parse(uri)
    except ValueError:
        raise bad_request("Invalid ARN specified in the request") from None
    # arn:aws:apigateway:REGION:SERVICE:path/... keeps the service where other ARNs have an account.
    if arn.service != "apigateway" or not arn.resource.startswith(("path/", "action/")):
        raise bad_request("AWS ARN for integration must contain path or action")
    is_lambda = arn.account.split(".")[-1] == "lambda"
    if kind == "AWS_PROXY":
        firehose = arn.account == "firehose" and _FIREHOSE.fullmatch(arn.resource)
        if not (is_lambda and _LAMBDA.fullmatch(arn.resource)) and not firehose:
            raise bad_request(
                "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
            )
    elif not is_lambda and not integration.credentials:
        raise bad_request("Role ARN must be specified for AWS integrations")


def _set_tls(integration: api.Integration, step: Step) -> None:
    integration.tls_config = api.TlsConfig(insecure_skip_verification=flag(step))


def _chosen(field: str, name: str, valid: tuple[str, ...]) -> Rule:
    def take(step: Step) -> str | None:
        if step.value and step.value not in valid:
            raise bad_request(f"Enumeration value for {name} must be one of: [{', '.join(valid)}]")
        return step.value or None

    return value(field, take, ("add", "remove", "replace"))


def _key_parameter(integration: api.Integration, step: Step) -> None:
    items("cache_key_parameters").act(integration, step)
    integration.cache_key_parameters = integration.cache_key_parameters or []


_OPTIONAL = ("add", "remove", "replace")
RULES = Rules(
    {
        "/type": _chosen("type", "IntegrationType", ("HTTP", "AWS", "MOCK", "HTTP_PROXY", "AWS_PROXY")),
        "/httpMethod": value("http_method"),
        "/uri": value("uri"),
        "/connectionType": _chosen("connection_type", "ConnectionType", ("INTERNET", "VPC_LINK")),
        "/connectionId": value("connection_id"),
        "/credentials": value("credentials", lambda step: step.value or None, _OPTIONAL),
        "/requestParameters/{}": entries("request_parameters", missing=no_parameter),
        "/requestTemplates/{}": entries("request_templates", missing=no_content_type),
        "/passthroughBehavior": _chosen(
            "passthrough_behavior", "PassthroughBehavior", ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER")
        ),
        "/contentHandling": _chosen("content_handling", "ContentHandling", ("CONVERT_TO_BINARY", "CONVERT_TO_TEXT")),
        "/timeoutInMillis": value("timeout_in_millis", whole),
        "/cacheNamespace": value("cache_namespace"),
        "/cacheKeyParameters/{}": Rule(("add", "remove"), _key_parameter),
        "/tlsConfig/insecureSkipVerification": Rule(REPLACE, _set_tls),
        "/responseTransferMode": _chosen("response_transfer_mode", "ResponseTransferMode", ("BUFFERED", "STREAM")),
        "/integrationTarget": value("integration_target"),
    }
)
RESPONSE_RULES = Rules(
    {
        "/selectionPattern": value("selection_pattern", ops=_OPTIONAL),
        "/contentHandling": _chosen("content_handling", "ContentHandling", ("CONVERT_TO_BINARY", "CONVERT_TO_TEXT")),
        "/responseParameters/{}": entries("response_parameters", missing=no_parameter),
        "/responseTemplates/{}": entries("response_templates", missing=no_content_type),
    }
)
