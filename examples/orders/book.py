"""Books the lines of a file of transactions: what S3 tells of, once a line, however often it is told.

A line is one DynamoDB transaction: the transaction is put if it is not there yet, and only then its customer is
written. So a line whose file comes twice, or whose function is run again after a failure, changes nothing.
"""

import csv
import io
import json
import os
from decimal import Decimal, InvalidOperation
from urllib.parse import unquote_plus

import boto3

COLUMNS = ("transaction", "customer", "name", "day", "amount")
dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")


def handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        report = book(text)
        print(json.dumps({"file": key, **report}))
        place = f"reports/{key.removeprefix('incoming/')}.json"
        s3.put_object(Bucket=bucket, Key=place, Body=json.dumps(report, indent=2))


def book(text):
    """How many lines were booked and how many were booked before, and what is wrong with the others."""
    report = {"booked": 0, "repeated": 0, "rejected": []}
    lines = csv.reader(io.StringIO(text))
    next(lines, None)  # the heads of the columns
    for row in lines:
        try:
            line = checked(row)
            report["booked" if write(line) else "repeated"] += 1
        except ValueError as error:
            report["rejected"].append({"line": lines.line_num, "text": ",".join(row), "why": str(error)})
    return report


def checked(row):
    """The line as a dict; a ValueError says what is wrong with it."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} columns instead of {len(COLUMNS)}")
    line = dict(zip(COLUMNS, row, strict=True))
    for column in ("transaction", "customer", "day"):
        if not line[column]:
            raise ValueError(f"no {column}")
    try:
        amount = Decimal(line["amount"])
    except InvalidOperation:
        raise ValueError(f"{line['amount']!r} is no amount") from None
    if not amount.is_finite() or amount != round(amount, 2):
        raise ValueError(f"{line['amount']!r} is no amount in cents")
    return line


def write(line):
    """Whether the line was new. A ValueError says that its transaction was booked with other content."""
    item = {column: {"S": line[column]} for column in ("transaction", "customer", "day")}
    item["amount"] = {"N": line["amount"]}
    put = {
        "TableName": os.environ["TRANSACTIONS"],
        "Item": item,
        "ConditionExpression": "attribute_not_exists(#id)",
        "ExpressionAttributeNames": {"#id": "transaction"},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    update = {
        "TableName": os.environ["CUSTOMERS"],
        "Key": {"customer": item["customer"]},
        "UpdateExpression": "SET #name = :name ADD transactions :one",
        "ExpressionAttributeNames": {"#name": "name"},
        "ExpressionAttributeValues": {":name": {"S": line["name"]}, ":one": {"N": "1"}},
    }
    try:
        dynamodb.transact_write_items(TransactItems=[{"Put": put}, {"Update": update}])
    except dynamodb.exceptions.TransactionCanceledException as error:
        reason = error.response["CancellationReasons"][0]
        if reason["Code"] != "ConditionalCheckFailed":
            raise
        there = reason["Item"]
        if any(there[name] != item[name] for name in ("customer", "day")) or (
            Decimal(there["amount"]["N"]) != Decimal(line["amount"])
        ):
            raise ValueError(f"transaction {line['transaction']} is booked with other content") from None
        return False
    return True
