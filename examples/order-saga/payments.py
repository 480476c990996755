"""Charges and refunds, once an order however often it is asked. Some orders meet trouble, so that there is something to see."""

import boto3

table = boto3.resource("dynamodb").Table("Payments")


class Busy(Exception):
    """The bank has no time: ask again."""


class Declined(Exception):
    """The bank says no."""


def handler(event, context):
    order = event["order"]
    if event["do"] == "refund":
        table.update_item(
            Key={"order": order},
            UpdateExpression="SET #state = :refunded",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":refunded": "refunded"},
        )
        return {"refunded": order}
    tried = table.update_item(
        Key={"order": order},
        UpdateExpression="ADD tries :one",
        ExpressionAttributeValues={":one": 1},
        ReturnValues="ALL_NEW",
    )["Attributes"]["tries"]
    if order.startswith("busy") and tried < 3:
        raise Busy("try again in a moment")
    if event["amount"] > 1000:
        raise Declined(f"{event['amount']} is too much")
    table.update_item(
        Key={"order": order},
        UpdateExpression="SET #state = :charged, amount = :amount",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":charged": "charged", ":amount": event["amount"]},
    )
    return {"payment": f"P-{order}"}
