"""The function behind the room: who is in it is in a table, and what is said is sent to all of them."""

import functools
import json
import os
import re

import boto3

room = boto3.resource("dynamodb").Table(os.environ["TABLE"])
NAME = re.compile(r"\w{1,20}")
MOST = 1000


def handler(event, context):
    """Called with what happens on a connection: it is made, says something, or is gone."""
    request = event["requestContext"]
    return ROUTES[request["routeKey"]](event, request["connectionId"])


def connect(event, connection):
    """Whatever is not 200 refuses the connection."""
    name = (event.get("queryStringParameters") or {}).get("name", "")
    if not NAME.fullmatch(name):
        return {"statusCode": 400, "body": "Connect with ?name=, 1 to 20 letters, digits or underscores."}
    tell(event, {"joined": name}, everybody())
    room.put_item(Item={"connection": connection, "name": name})
    return {"statusCode": 200}


def disconnect(event, connection):
    gone = room.delete_item(Key={"connection": connection}, ReturnValues="ALL_OLD").get("Attributes")
    if gone:
        tell(event, {"left": gone["name"]}, everybody())
    return {"statusCode": 200}


def send_message(event, connection):
    text = json.loads(event["body"]).get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= MOST:
        return misunderstood(event, connection, f"A text has 1 to {MOST} characters.")
    people = everybody()
    tell(event, {"from": people.get(connection, "somebody"), "text": text}, people)
    return {"statusCode": 200}


def default(event, connection):
    return misunderstood(event, connection, 'Send {"action": "sendmessage", "text": "..."}.')


def misunderstood(event, connection, why):
    """Told to the one who sent it."""
    tell(event, {"error": why}, {connection: ""})
    return {"statusCode": 200}


def everybody():
    """The names of all who are in the room, by connection."""
    return {item["connection"]: item["name"] for item in room.scan(ConsistentRead=True)["Items"]}


def tell(event, message, people):
    """Send to each of these connections; those that are gone without a word leave the room."""
    request = event["requestContext"]
    gateway = gateway_at(f"https://{request['domainName']}/{request['stage']}")
    data = json.dumps(message).encode()
    for connection in people:
        try:
            gateway.post_to_connection(ConnectionId=connection, Data=data)
        except gateway.exceptions.GoneException:
            room.delete_item(Key={"connection": connection})


@functools.cache
def gateway_at(url):
    """The client takes longer to make than to use."""
    return boto3.client("apigatewaymanagementapi", endpoint_url=url)


ROUTES = {"$connect": connect, "$disconnect": disconnect, "sendmessage": send_message, "$default": default}
