"""The context object that handlers get as their second argument.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

_W3C = ("traceparent", "tracestate", "baggage")


class Client:
    """The mobile application that called."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.installation_id = values.get("installation_id")
        self.app_title = values.get("app_title")
        self.app_version_name = values.get("app_version_name")
        self.app_version_code = values.get("app_version_code")
        self.app_package_name = values.get("app_package_name")

    def __repr__(self) -> str:
        return _members(self)


class ClientContext:
    """What the caller sent in X-Amz-Client-Context."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.custom = values.get("custom")
        self.env = values.get("env")
        client = values.get("client")
        self.client = Client(client) if client else None

    def __repr__(self) -> str:
        return _members(self)


class CognitoIdentity:
    """The Amazon Cognito identity that called."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.cognito_identity_id = values.get("cognitoIdentityId")
        self.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")

    def __repr__(self) -> str:
        return _members(self)


class Function:
    """What every invocation's context says of the function; read once, when it is loaded."""

    def __init__(self) -> None:
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")


class LambdaContext:
    """One invocation, and the function it is for."""

    def __init__(self, header: dict[str, Any], function: Function) -> None:
        client_context = header.get("client_context")
        w3c = client_context.pop("w3c", None) if isinstance(client_context, dict) else None
        self._w3c = w3c if isinstance(w3c, dict) else {}
        self.aws_request_id: str = header["request_id"]
        self.log_group_name = function.log_group_name
        self.log_stream_name = function.log_stream_name
        self.function_name = function.function_name
        self.memory_limit_in_mb = function.memory_limit_in_mb
        self.function_version = function.function_version
        self.invoked_function_arn: str = header["function_arn"]
        self.tenant_id = header.get("tenant_id") or None
        self.client_context = ClientContext(client_context) if client_context else None
        self.identity = CognitoIdentity(header.get("identity") or {})
        self._epoch_deadline_time_in_ms: int = header["deadline_ms"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function must have answered; never below 0."""
        left = self._epoch_deadline_time_in_ms - int(time.time() * 1000)
        return max(left, 0)

    def w3c(self) -> dict[str, str]:
        """The W3C trace context that the caller sent in its client context."""
        return {name: self._w3c[name] for name in _W3C if isinstance(self._w3c.get(name), str)}

    def log(self, message: object) -> None:
        """Write to the function's log."""
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        return _members(self)


def _members(value: object) -> str:
    members = ",".join(f"{name}={member}" for name, member in vars(value).items() if not name.startswith("_"))
    return f"{type(value).__name__}([{members}])"
