"""Puts coins into the vending machine's slot, one after the other, whenever it asks for one.

Usage: python examples/vending-machine/insert.py 100 50 20
"""

import json
import sys

import boto3


def main() -> None:
    states = boto3.client("stepfunctions")
    slots = states.list_activities()["activities"]
    slot = next(found["activityArn"] for found in slots if found["name"] == "coin-slot")
    for coin in map(int, sys.argv[1:]):
        task = states.get_activity_task(activityArn=slot, workerName="customer")
        if not task.get("taskToken"):
            print("The machine wants no more coins.")
            return
        asked = json.loads(task["input"])
        print(f"{asked['item']}: {asked['missing']} are missing, here are {coin}")
        states.send_task_success(taskToken=task["taskToken"], output=json.dumps({"coin": coin}))


if __name__ == "__main__":
    main()
