"""Mapping expressions of integrations: what may come from where.

https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
"""

from __future__ import annotations

import re

from cumulet.api import apigateway as api
from cumulet.kernel.errors import AwsError
from cumulet.services.apigateway.errors import bad_request

_NAME = r"[^\s'\"]+"
_ANYWHERE = rf"'.*'|context\.{_NAME}|stageVariables\.{_NAME}"
_TO_INTEGRATION = re.compile(rf"integration\.request\.(?:querystring|header|path)\.{_NAME}")
_FROM_METHOD = re.compile(
    rf"method\.request\.(?:(?:multivalue)?querystring|(?:multivalue)?header|path)\.{_NAME}"
    rf"|method\.request\.body(?:[.\[].*)?|{_ANYWHERE}",
    re.DOTALL,
)
_TO_METHOD = re.compile(rf"method\.response\.header\.{_NAME}")
_FROM_INTEGRATION = re.compile(
    rf"integration\.response\.(?:multivalue)?header\.{_NAME}|integration\.response\.body(?:[.\[].*)?|{_ANYWHERE}",
    re.DOTALL,
)
_DECLARED = re.compile(r"method\.request\.(?:multivalue)?(?:querystring|header|path)\.(.+)")


def check_request(parameters: dict[str, str] | None, method: api.Method) -> None:
    """Parameters of an integration request; those that come from the method must be declared there. Raises BadRequestException.

    AWS takes a name that is declared in another place of the request too, as it was recorded doing.
    """
    declared = {name.split(".", 3)[-1] for name in method.request_parameters or {}}
    for target, source in (parameters or {}).items():
        if not _TO_INTEGRATION.fullmatch(target):
            raise _invalid(target)
        if not _FROM_METHOD.fullmatch(source):
            raise _invalid(source)
        found = _DECLARED.fullmatch(source)
        if found is not None and found[1] not in declared:
            raise _invalid(source, "Invalid mapping expression parameter specified")


def check_response(parameters: dict[str, str] | None, response: api.MethodResponse | None) -> None:
    """Headers of an integration response, which the method's response must have too. Raises BadRequestException."""
    declared = (response.response_parameters if response is not None else None) or {}
    for target, source in (parameters or {}).items():
        if not _TO_METHOD.fullmatch(target):
            raise _invalid(target)
        if not _FROM_INTEGRATION.fullmatch(source):
            raise _invalid(source)
        if target not in declared:
            raise _invalid(target, "Invalid mapping expression parameter specified")


def check_templates(templates: dict[str, str] | None) -> None:
    """Content types of templates. Raises BadRequestException."""
    for content_type in templates or ():
        if "/" not in content_type and content_type != "$default":
            raise bad_request(
                f"Validation Result: warnings : [], errors : [Invalid content type specified: {content_type}]"
            )


def _invalid(expression: str, what: str = "Invalid mapping expression specified") -> AwsError:
    return bad_request(
        f"Invalid mapping expression specified: Validation Result: warnings : [], errors : [{what}: {expression}]"
    )
