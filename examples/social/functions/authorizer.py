"""Called by API Gateway with a request's Authorization header; what it says is kept for a minute."""

import tokens


def handler(event, context):
    name = tokens.read(event["authorizationToken"].removeprefix("Bearer "))
    if name is None:
        raise PermissionError("Unauthorized")  # the word that API Gateway makes a 401 of
    # Of the stage, not only of this method: the answer is kept for the token, whatever is called next.
    stage = "/".join(event["methodArn"].split("/")[:2])
    allow = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{stage}/*"}
    return {
        "principalId": name,
        "policyDocument": {"Version": "2012-10-17", "Statement": [allow]},
        "context": {"name": name},
    }
