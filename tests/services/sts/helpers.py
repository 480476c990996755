"""Clients that sign with what STS gave."""

from collections.abc import Callable
from typing import Any


def signed(client: Callable[..., Any], service: str, credentials: dict[str, Any]) -> Any:
    """A client with session credentials, or with an access key of IAM."""
    return client(
        service,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
    )
