"""What functions behind the API share: bodies that are JSON, and answers in the form that API Gateway makes HTTP of."""

import json
from decimal import Decimal

HEADERS = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}


def is_json(event):
    """API Gateway checks bodies against the model of their Content-Type, and passes on those of other types unchecked."""
    types = [value for name, value in event["headers"].items() if name.lower() == "content-type"]
    return types == ["application/json"]


def answer(status, value):
    return {"statusCode": status, "headers": HEADERS, "body": json.dumps(value, default=plain)}


def refused(status, why):
    return answer(status, {"error": why})


def plain(value):
    """What DynamoDB's resource gives and JSON does not know."""
    if isinstance(value, Decimal):
        return int(value)
    raise TypeError(type(value).__name__)
