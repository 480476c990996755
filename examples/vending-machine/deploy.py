"""Deploys a vending machine: a shelf (a table), a coin slot (an activity) and the machine, as `cumulet env` sets boto3 up.

Usage: python examples/vending-machine/deploy.py
"""

import json
from pathlib import Path

import boto3

HERE = Path(__file__).parent
SHELF = {"cola": (150, 2), "water": (80, 10)}
"""By item: its price in cents, and how many there are."""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def fill_shelf() -> None:
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="Shelf",
        KeySchema=[{"AttributeName": "item", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "item", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName="Shelf", WaiterConfig={"Delay": 1})
    for item, (price, left) in SHELF.items():
        row = {"item": {"S": item}, "price": {"N": str(price)}, "left": {"N": str(left)}}
        dynamodb.put_item(TableName="Shelf", Item=row)


def make_role() -> str:
    """Its ARN."""
    iam = boto3.client("iam")
    role = iam.create_role(RoleName="vending-machine", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    statement = {
        "Effect": "Allow",
        "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"],
        "Resource": "arn:aws:dynamodb:*:*:table/Shelf",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="vending-machine", PolicyName="shelf", PolicyDocument=policy)
    return str(role)


def main() -> None:
    fill_shelf()
    states = boto3.client("stepfunctions")
    slot = states.create_activity(name="coin-slot")["activityArn"]
    definition = (HERE / "machine.asl.json").read_text().replace("ACTIVITY", slot)
    machine = states.create_state_machine(name="vending-machine", definition=definition, roleArn=make_role())
    print(json.dumps({"machine": machine["stateMachineArn"], "slot": slot}))


if __name__ == "__main__":
    main()
