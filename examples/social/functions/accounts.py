"""Registers people and logs them in. What comes here has been checked against the model Credentials."""

import hashlib
import hmac
import json
import secrets

import boto3
import tokens
from answers import answer, is_json, refused

accounts = boto3.resource("dynamodb").Table("social-accounts")


def handler(event, context):
    if not is_json(event):
        return refused(415, "Send application/json.")
    asked = json.loads(event["body"])
    act = register if event["resource"] == "/accounts" else login
    return act(asked["name"], asked["password"])


def register(name, password):
    salt = secrets.token_bytes(16)
    item = {"name": name, "salt": salt, "password": scrambled(password, salt)}
    try:
        accounts.put_item(
            Item=item, ConditionExpression="attribute_not_exists(#n)", ExpressionAttributeNames={"#n": "name"}
        )
    except accounts.meta.client.exceptions.ConditionalCheckFailedException:
        return refused(409, f"The name {name} is taken.")
    return answer(201, {"name": name})


def login(name, password):
    item = accounts.get_item(Key={"name": name}).get("Item")
    salt = item["salt"].value if item else b"nobody"  # takes as long for nobody as for somebody
    known = item["password"].value if item else b""
    if not hmac.compare_digest(scrambled(password, salt), known):
        return refused(403, "Name or password is wrong.")
    return answer(200, {"token": tokens.make(name)})


def scrambled(password, salt):
    return hashlib.scrypt(password.encode(), salt=salt, n=2**13, r=8, p=1)
