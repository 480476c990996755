"""Operations on activities, and the one that workers ask for tasks with.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-activities.html
"""

from __future__ import annotations

import asyncio

import msgspec

from cumulet.api import stepfunctions as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.services.stepfunctions import arns
from cumulet.services.stepfunctions.machines import configuration, keys, pages, tags
from cumulet.services.stepfunctions.machines.model import Encryption
from cumulet.services.stepfunctions.machines.names import check_name
from cumulet.services.stepfunctions.state import StepFunctions
from cumulet.services.stepfunctions.tasks.activity_store import Activity, Waiting
from cumulet.storage.database import Conflict, Transaction

POLL = 60.0
"""Seconds that GetActivityTask waits for a task."""
_LIST = "activities"
_OWN_KEY = "AWS_OWNED_KEY"


async def create_activity(
    state: StepFunctions, call: Call, request: api.CreateActivityInput
) -> api.CreateActivityOutput:
    check_name(request.name)
    given = tags.read(request.tags or [])
    encryption = configuration.read_encryption(request.encryption_configuration)
    arn = f"arn:aws:states:{call.region}:{call.account}:activity:{request.name}"
    await keys.check_key(state, call, arn, encryption)
    text = "" if encryption is None or encryption.type == _OWN_KEY else msgspec.json.encode(encryption).decode()
    activity = Activity(call.account, call.region, request.name, arn, state.clock.now(), text)

    async def tag(tx: Transaction) -> None:
        await state.machines.tags.put(tx, arn, given)

    try:
        await state.activities.create(activity, tag)
    except Conflict:
        found = await state.activities.store.find(call.account, call.region, request.name)
        if found is None or found.encryption != text:
            raise api.ActivityAlreadyExists(f"Activity Already Exists: '{arn}'") from None
        activity = found
    return api.CreateActivityOutput(activity_arn=arn, creation_date=activity.created)


async def describe_activity(
    state: StepFunctions, call: Call, request: api.DescribeActivityInput
) -> api.DescribeActivityOutput:
    activity = await _find(state, call, request.activity_arn)
    encryption = msgspec.json.decode(activity.encryption, type=Encryption) if activity.encryption else None
    return api.DescribeActivityOutput(
        activity_arn=activity.arn,
        name=activity.name,
        creation_date=activity.created,
        encryption_configuration=configuration.write_encryption(encryption or Encryption(_OWN_KEY)),
    )


async def delete_activity(
    state: StepFunctions, call: Call, request: api.DeleteActivityInput
) -> api.DeleteActivityOutput:
    """Deleting what is not there is fine, as on AWS."""
    arn = arns.parse(request.activity_arn, "activity")
    activity = await state.activities.store.find(arn.account, arn.region, _name(arn))
    if activity is not None and (activity.account, activity.region) == (call.account, call.region):

        async def untag(tx: Transaction) -> None:
            await state.machines.tags.put(tx, activity.arn, {})

        await state.activities.delete(activity, untag)
    return api.DeleteActivityOutput()


async def list_activities(
    state: StepFunctions, call: Call, request: api.ListActivitiesInput
) -> api.ListActivitiesOutput:
    size = pages.size(request.max_results)
    after = pages.after_in(_LIST, request.next_token)
    found, more = pages.cut(
        await state.activities.store.page(call.account, call.region, after, size + 1),
        size,
    )
    shown = [
        api.ActivityListItem(activity_arn=activity.arn, name=activity.name, creation_date=activity.created)
        for activity in found
    ]
    return api.ListActivitiesOutput(
        activities=shown, next_token=pages.token_of(_LIST, found[-1].name) if more else None
    )


async def get_activity_task(
    state: StepFunctions, call: Call, request: api.GetActivityTaskInput
) -> api.GetActivityTaskOutput:
    """Waits a minute at most; what nobody waits for any more is passed over."""
    activity = await _find(state, call, request.activity_arn)
    left = POLL
    while True:
        began = state.wall()
        task = await state.activities.take(activity.arn, left)
        if task is None:
            return api.GetActivityTaskOutput()
        if await _started(state, call, task, request.worker_name or ""):
            return api.GetActivityTaskOutput(task_token=task.token, input=task.input)
        if _gone(call):
            return api.GetActivityTaskOutput()
        left -= state.wall() - began


async def _started(state: StepFunctions, call: Call, task: Waiting, worker: str) -> bool:
    """Give a task to the worker that asks; one that has hung up meanwhile has not got it."""
    if _gone(call):
        state.activities.put_back(task)
        return False
    try:
        started = await state.engine.activity_started(task.token, worker)
    except asyncio.CancelledError:
        state.activities.put_back(task)
        raise
    if started and _gone(call):
        state.activities.put_back(task)
        return False
    return started


def _gone(call: Call) -> bool:
    return call.presence is not None and call.presence.gone


async def exists(state: StepFunctions, arn: Arn) -> bool:
    """For tags: whether there is an activity of that ARN."""
    return state.activities.knows(str(arn))


async def _find(state: StepFunctions, call: Call, text: str) -> Activity:
    """Raises InvalidArn, ActivityDoesNotExist."""
    arn = arns.parse(text, "activity")
    activity = await state.activities.store.find(arn.account, arn.region, _name(arn))
    if activity is None or (activity.account, activity.region) != (call.account, call.region):
        raise api.ActivityDoesNotExist(f"Activity Does Not Exist: '{text}'")
    return activity


def _name(arn: Arn) -> str:
    return arn.resource.partition(":")[2]
