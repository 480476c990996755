"""Documents that the tests of IAM use."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


def document(action: Any = "s3:GetObject", resource: Any = "*", effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(**principal: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": principal or {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def fails(operation: Any, code: str, message: str | None = None, **parameters: Any) -> None:
    """The operation answers that error, and that message when one is given."""
    with pytest.raises(ClientError) as caught:
        operation(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    if message is not None:
        assert error["Message"] == message
