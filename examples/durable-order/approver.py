"""Answers for the manager: who asks for more than 1,000 gets a no."""

import boto3

functions = boto3.client("lambda")


def handler(event, context):
    answer = "approved" if event["amount"] <= 1000 else "refused"
    functions.send_durable_execution_callback_success(CallbackId=event["callback"], Result=answer.encode())
    print(f"{event['order']}: {answer}")
