"""Keeps totals of what is booked, by customer, by day and of all: what the stream of the transactions tells of.

A stream tells of everything at least once. So each transaction is marked as counted in the DynamoDB transaction that adds
it to the totals, and one that is marked is left out. (The mapping leaves out the changes that make the mark.)
"""

import os

import boto3
from botocore.exceptions import ClientError

dynamodb = boto3.client("dynamodb")


def handler(event, context):
    for record in event["Records"]:
        try:
            count(record["dynamodb"]["NewImage"])
        except ClientError as error:
            number = record["dynamodb"]["SequenceNumber"]
            print(f"{number} and what follows it will be tried again: {error}")
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def count(transaction):
    mark = {
        "TableName": os.environ["TRANSACTIONS"],
        "Key": {"transaction": transaction["transaction"]},
        "UpdateExpression": "SET counted = :yes",
        "ConditionExpression": "attribute_not_exists(counted)",
        "ExpressionAttributeValues": {":yes": {"BOOL": True}},
    }
    totals = ["all", f"customer#{transaction['customer']['S']}", f"day#{transaction['day']['S']}"]
    actions = [{"Update": mark}, *({"Update": added(total, transaction["amount"])} for total in totals)]
    try:
        dynamodb.transact_write_items(TransactItems=actions)
    except dynamodb.exceptions.TransactionCanceledException as error:
        if error.response["CancellationReasons"][0]["Code"] != "ConditionalCheckFailed":
            raise


def added(total, amount):
    return {
        "TableName": os.environ["TOTALS"],
        "Key": {"total": {"S": total}},
        "UpdateExpression": "ADD amount :amount, transactions :one",
        "ExpressionAttributeValues": {":amount": amount, ":one": {"N": "1"}},
    }
