"""Posts and comments. Who writes is what the authorizer found out."""

import json
import secrets
import time

import boto3
from answers import answer, is_json, refused
from boto3.dynamodb.conditions import Key

PAGE = 20
dynamodb = boto3.resource("dynamodb")
posts = dynamodb.Table("social-posts")
comments = dynamodb.Table("social-comments")


def handler(event, context):
    if event["httpMethod"] == "POST" and not is_json(event):
        return refused(415, "Send application/json.")
    act = ACTS[event["httpMethod"], event["resource"]]
    return act(event, (event["pathParameters"] or {}).get("post"))


def create_post(event, _):
    item = {"wall": "all", "post": new_id(), **written(event), "comments": 0}
    posts.put_item(Item=item)
    return answer(201, shown(item))


def list_posts(event, _):
    """The newest first; `before` is the last post of the page before."""
    wanted = Key("wall").eq("all")
    if before := (event["queryStringParameters"] or {}).get("before"):
        wanted &= Key("post").lt(before)
    found = posts.query(KeyConditionExpression=wanted, ScanIndexForward=False, Limit=PAGE)
    return answer(200, {"posts": [shown(item) for item in found["Items"]]})


def read_post(event, post):
    item = posts.get_item(Key={"wall": "all", "post": post}).get("Item")
    return answer(200, shown(item)) if item else no_such_post()


def delete_post(event, post):
    """Only its author may."""
    item = posts.get_item(Key={"wall": "all", "post": post}).get("Item")
    if item is None:
        return no_such_post()
    if item["author"] != me(event):
        return refused(403, f"This is {item['author']}'s post.")
    posts.delete_item(Key={"wall": "all", "post": post})
    with comments.batch_writer() as batch:
        for comment in all_comments(post):
            batch.delete_item(Key={"post": post, "comment": comment["comment"]})
    return answer(200, {"deleted": post})


def create_comment(event, post):
    """The comment and the post's number of them, in one transaction."""
    item = {"post": post, "comment": new_id(), **written(event)}
    counted = {
        "TableName": posts.name,
        "Key": {"wall": "all", "post": post},
        "UpdateExpression": "ADD comments :one",
        "ConditionExpression": "attribute_exists(post)",
        "ExpressionAttributeValues": {":one": 1},
    }
    client = dynamodb.meta.client
    try:
        client.transact_write_items(
            TransactItems=[{"Update": counted}, {"Put": {"TableName": comments.name, "Item": item}}]
        )
    except client.exceptions.TransactionCanceledException as error:
        if error.response["CancellationReasons"][0]["Code"] != "ConditionalCheckFailed":
            raise
        return no_such_post()
    return answer(201, item)


def list_comments(event, post):
    return answer(200, {"comments": all_comments(post)})


def all_comments(post):
    return comments.query(KeyConditionExpression=Key("post").eq(post))["Items"]


def written(event):
    return {"author": me(event), "text": json.loads(event["body"])["text"], "written": int(time.time())}


def me(event):
    return event["requestContext"]["authorizer"]["name"]


def shown(item):
    """A post as clients see it: how many like it, not who."""
    shown = {name: value for name, value in item.items() if name not in ("wall", "likers")}
    return {**shown, "likes": len(item.get("likers", ()))}


def new_id():
    """Later ones sort after earlier ones."""
    return f"{time.time_ns():020}-{secrets.token_hex(4)}"


def no_such_post():
    return refused(404, "There is no such post.")


ACTS = {
    ("GET", "/posts"): list_posts,
    ("GET", "/feed"): list_posts,
    ("POST", "/posts"): create_post,
    ("GET", "/posts/{post}"): read_post,
    ("DELETE", "/posts/{post}"): delete_post,
    ("GET", "/posts/{post}/comments"): list_comments,
    ("POST", "/posts/{post}/comments"): create_comment,
}
