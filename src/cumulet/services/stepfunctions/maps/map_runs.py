"""Operations on Map Runs.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-examine-map-run.html
"""

from __future__ import annotations

from collections import Counter

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.services.stepfunctions import arns
from cumulet.services.stepfunctions.machines import pages
from cumulet.services.stepfunctions.maps.running import Progress
from cumulet.services.stepfunctions.maps.store import MapRun
from cumulet.services.stepfunctions.state import StepFunctions

_LIST = "mapRuns"


async def describe_map_run(
    state: StepFunctions, call: Call, request: api.DescribeMapRunInput
) -> api.DescribeMapRunOutput:
    run, progress = await _find(state, call, request.map_run_arn)
    if progress is None:
        progress = Progress(run, await state.maps.store.tallies(run.id))
    running, running_items = progress.running, progress.running_items
    failed = progress.to_redrive
    children = _counts(progress.counts, running, len(failed), progress.children_found)
    items = _counts(progress.items, running_items, sum(failed.values()), progress.items_found)
    return api.DescribeMapRunOutput(
        map_run_arn=run.arn,
        execution_arn=run.execution,
        status=run.status,
        start_date=run.started,
        stop_date=run.stopped,
        max_concurrency=run.max_concurrency,
        tolerated_failure_percentage=run.tolerated_percentage or 0.0,
        tolerated_failure_count=run.tolerated_count or 0,
        item_counts=api.MapRunItemCounts(**items),
        execution_counts=api.MapRunExecutionCounts(**children),
        redrive_count=run.redrives or None,
        redrive_date=run.redriven,
    )


def _counts(ended: Counter[str], running: int, to_redrive: int, total: int) -> dict[str, int]:
    """Of children or of items. Results count as written once they are gathered, in S3 or in the state's output."""
    done = sum(ended.values())
    total = max(total, done + running + to_redrive)
    return {
        "pending": total - done - running - to_redrive,
        "running": running,
        "succeeded": ended["SUCCEEDED"],
        "failed": ended["FAILED"],
        "timed_out": ended["TIMED_OUT"],
        "aborted": ended["ABORTED"],
        "total": total,
        "results_written": done,
        **({"pending_redrive": to_redrive} if to_redrive else {}),
    }


async def list_map_runs(state: StepFunctions, call: Call, request: api.ListMapRunsInput) -> api.ListMapRunsOutput:
    arn = arns.parse(request.execution_arn, "execution")
    if (arn.account, arn.region) != (call.account, call.region) or await state.engine.store.find(
        request.execution_arn
    ) is None:
        raise api.ExecutionDoesNotExist(f"Execution Does Not Exist: '{request.execution_arn}'")
    size = pages.size(request.max_results)
    after = pages.after_in(_LIST, request.next_token)
    found, more = pages.cut(await state.maps.store.of_execution(request.execution_arn, after, size + 1), size)
    shown = [
        api.MapRunListItem(
            execution_arn=run.execution,
            map_run_arn=run.arn,
            state_machine_arn=run.machine,
            start_date=run.started,
            stop_date=run.stopped,
        )
        for run in found
    ]
    return api.ListMapRunsOutput(map_runs=shown, next_token=pages.token_of(_LIST, found[-1].arn) if more else None)


async def update_map_run(state: StepFunctions, call: Call, request: api.UpdateMapRunInput) -> api.UpdateMapRunOutput:
    """Counts from the next child on."""
    run, progress = await _find(state, call, request.map_run_arn)
    if progress is None:
        raise api.ValidationException(f"Map Run '{run.arn}' is {run.status} and cannot be updated")
    if request.max_concurrency is not None:
        run.max_concurrency = request.max_concurrency
    if request.tolerated_failure_count is not None:
        run.tolerated_count = request.tolerated_failure_count
    if request.tolerated_failure_percentage is not None:
        run.tolerated_percentage = request.tolerated_failure_percentage
    await state.maps.store.put(run)
    progress.changed()
    return api.UpdateMapRunOutput()


async def _find(state: StepFunctions, call: Call, text: str) -> tuple[MapRun, Progress | None]:
    """The Map Run, with what is known of it while it goes on. Raises InvalidArn, ResourceNotFound."""
    arn = arns.parse(text, "mapRun")
    progress = state.maps.live.get(text)
    run = progress.run if progress is not None else await state.maps.store.find(text)
    if run is None or (arn.account, arn.region) != (call.account, call.region):
        raise api.ResourceNotFound(f"Resource not found: '{text}'", fields={"resourceName": text})
    return run, progress
