"""TestState: the operation."""

from __future__ import annotations

import random
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.engine import inputs
from cumulet.services.stepfunctions.engine.ports import Done, Facts, HttpExchange, TaskCall
from cumulet.services.stepfunctions.machines import arns
from cumulet.services.stepfunctions.machines.configuration import check_role_arn
from cumulet.services.stepfunctions.machines.model import ACTIVE, EXPRESS, Content, Machine, MachineVersion, Revision
from cumulet.services.stepfunctions.state import StepFunctions
from cumulet.services.stepfunctions.trials import contexts, inspection, mocked
from cumulet.services.stepfunctions.trials.mocked import Mock
from cumulet.services.stepfunctions.trials.subject import Subject, read

_EXCEEDED = "States.ExceedToleratedFailureThreshold"
_LONGEST = 300.0
_MOST_RETRIERS = 1_000
_TYPES = "TestState does not support the '{}' service integration pattern without a mock."


class _Trial(Struct):
    """A test under way. `trace` is what the state has left behind so far."""

    subject: Subject
    text: str
    input: Any
    scope: asl.Scope
    configuration: api.TestStateConfiguration
    trace: dict[str, Any]
    exchange: HttpExchange
    details: api.InspectionErrorDetails | None = None


async def test_state(state: StepFunctions, call: Call, request: api.TestStateInput) -> api.TestStateOutput:
    """Try one state: with its work really done, or with a mock of what the work gives."""
    subject = await read(state.apart, request.definition, request.state_name)
    if request.role_arn is not None:
        check_role_arn(request.role_arn)
    mock = mocked.read(request, subject)
    text = request.input or "{}"
    input = inputs.read(text, state.limits.payload)
    variables = _variables(request.variables)
    configuration = request.state_configuration or api.TestStateConfiguration()
    now = state.clock.now()
    if request.context is not None:
        context = contexts.read(request.context, subject)
    else:
        retries = configuration.retrier_retry_count or 0
        context = contexts.made(call, subject, input, request.role_arn, now, retries)
    scope = asl.Scope(context, variables, now=lambda: int(state.clock.now() * 1000), patience=state.apart.patience)
    exchange = HttpExchange(bool(request.reveal_secrets))
    trial = _Trial(subject, text, input, scope, configuration, {}, exchange)
    try:
        answer, assigned = await _tried(state, call, trial, mock, request.role_arn)
    except StatesError as error:
        failure = error
        answer, assigned = await state.apart.evaluated(lambda: _failed(trial, failure))
    if request.inspection_level in ("DEBUG", "TRACE"):
        answer.inspection_data = inspection.shown(
            subject, text, trial.trace, {**variables, **(assigned or {})}, trial.details
        )
    if request.inspection_level == "TRACE" and answer.inspection_data is not None:
        inspection.add_exchange(answer.inspection_data, exchange)
    return answer


_Outcome = tuple[api.TestStateOutput, dict[str, Any] | None]


async def _tried(state: StepFunctions, call: Call, trial: _Trial, mock: Mock | None, role_arn: str | None) -> _Outcome:
    """The state from its beginning to its end. Raises StatesError."""
    tested, input, scope = trial.subject.state, trial.input, trial.scope
    try:
        begun = await state.apart.evaluated(lambda: tested.begin(input, scope, inspect=True))
    except StatesError:
        if tested.query_language == "JSONPath" and "InputPath" not in trial.subject.document:
            trial.trace["afterInputPath"] = input
        raise
    if begun.trace is not None:
        begun.trace.update(trial.trace)
        trial.trace = begun.trace
    if isinstance(tested, asl.Fail):
        trial.trace["afterInputPath"] = input
        return api.TestStateOutput(status="FAILED", error=begun.error, cause=begun.cause), None
    if isinstance(tested, asl.Map):
        await state.apart.evaluated(lambda: _map(trial, tested, begun, mock))
    if mock is not None and mock.error is not None:
        raise mock.error
    result = mock.result if mock is not None else await _work(state, call, trial, begun, role_arn)
    if isinstance(tested, asl.Task):
        trial.trace["result"] = result
    finished = await state.apart.evaluated(lambda: tested.finish(input, begun, result, scope))
    output = inspection.text(finished.output)
    return api.TestStateOutput(status="SUCCEEDED", output=output, next_state=finished.next), finished.assigned


def _map(trial: _Trial, tested: asl.Map, begun: asl.Begun, mock: Mock | None) -> None:
    """What is special about a Map: its items may come from the test, and some are said to have failed."""
    configuration = trial.configuration
    if configuration.map_item_reader_data is not None:
        if not tested.has_reader:
            raise api.ValidationException("MapItemReaderData is only supported for Map states with an ItemReader.")
        items = _json(configuration.map_item_reader_data, "MapItemReaderData")
        begun.items = items if isinstance(items, list) else [items]
    items = begun.items or []
    if "ItemSelector" in trial.subject.document or "Parameters" in trial.subject.document:
        trial.trace["afterItemSelector"] = [
            tested.item(trial.input, begun, index, value, trial.scope) for index, value in enumerate(items)
        ]
    found = tested.distribute(trial.input, begun, trial.scope) if tested.mode == "DISTRIBUTED" else None
    failures = configuration.map_iteration_failure_count
    if failures is None:
        return
    result = mock.result if mock is not None else None
    number = len(items) if begun.items is not None or not isinstance(result, list) else len(result)
    if failures > number:
        raise api.ValidationException(
            "Map iteration failure count must be less than or equal to the number of Map iterations"
        )
    if found is None or (mock is not None and mock.error is not None):
        return
    too_many = found.tolerated_count is not None and failures > found.tolerated_count
    if found.tolerated_percentage is not None and number:
        too_many = too_many or failures * 100 / number > found.tolerated_percentage
    if too_many:
        raise StatesError(_EXCEEDED, "The specified tolerated failure threshold was exceeded")


async def _work(state: StepFunctions, call: Call, trial: _Trial, begun: asl.Begun, role_arn: str | None) -> Any:
    """What the state has to wait for: a task's result, or the time of a Wait."""
    tested = trial.subject.state
    if isinstance(tested, asl.Wait):
        now = state.clock.now()
        seconds = begun.timestamp - now if begun.timestamp is not None else begun.seconds or 0.0
        await state.clock.sleep(min(max(0.0, seconds), _LONGEST))
        if seconds > _LONGEST:
            raise StatesError("States.Timeout", "The test took longer than five minutes.")
        return None
    if not isinstance(tested, asl.Task):
        return None
    kind = state.engine.work.kind(tested.resource)
    if kind.pattern != "request":
        raise api.ValidationException(_TYPES.format("activity" if kind.family == "activity" else kind.pattern))
    state.engine.work.check(tested.resource, begun.arguments)
    task = TaskCall(
        id=new_id(),
        facts=_facts(state, call, trial, role_arn or ""),
        state=tested.name,
        resource=tested.resource,
        arguments=begun.arguments,
        credentials=begun.credentials,
        timeout=begun.timeout,
        exchange=trial.exchange,
    )
    done = await state.engine.work.start(task)
    assert isinstance(done, Done)
    return done.output


def _facts(state: StepFunctions, call: Call, trial: _Trial, role_arn: str) -> Facts:
    """An execution that there is not: for the work of the one state."""
    name, now = new_id(), state.clock.now()
    machine_arn = arns.machine_arn("aws", call.region, call.account, f"TestState-{name}")
    content = Content(trial.subject.machine.definition, role_arn)
    machine = Machine("", "aws", call.region, call.account, f"TestState-{name}", EXPRESS, ACTIVE, now, 1, 0)
    revision = Revision("", 1, "", now, content)
    return Facts(
        arn=f"arn:aws:states:{call.region}:{call.account}:express:{machine.name}:{name}",
        name=name,
        account=call.account,
        region=call.region,
        machine_arn=machine_arn,
        role_arn=role_arn,
        version=MachineVersion(machine, revision, trial.subject.machine),
        started=now,
    )


def _failed(trial: _Trial, error: StatesError) -> _Outcome:
    """What the state does about a failure: try again, go where a Catch leads, or fail."""
    tested = trial.subject.state
    answer = api.TestStateOutput(status="FAILED", error=error.name, cause=error.cause)
    count = trial.configuration.retrier_retry_count or 0
    again = tested.retry(error.name, dict.fromkeys(range(_MOST_RETRIERS), count), random.SystemRandom())
    if again is not None:
        answer.status = "RETRIABLE"
        trial.details = api.InspectionErrorDetails(
            retry_index=again.index, retry_backoff_interval_seconds=int(again.seconds)
        )
        return answer, None
    try:
        caught = tested.caught(trial.input, error.name, error.cause, trial.scope)
    except StatesError as worse:
        return api.TestStateOutput(status="FAILED", error=worse.name, cause=worse.cause), None
    if caught is not None:
        answer.status, answer.next_state = "CAUGHT_ERROR", caught.next
        answer.output = inspection.text(caught.output)
        trial.details = api.InspectionErrorDetails(catch_index=caught.index)
        return answer, caught.assigned
    exhausted = tested.retry(error.name, {}, random.SystemRandom())
    if exhausted is not None:
        trial.details = api.InspectionErrorDetails(retry_index=exhausted.index)
    return answer, None


def _variables(text: str | None) -> dict[str, Any]:
    found = _json(text or "{}", "Variables")
    if not isinstance(found, dict):
        raise api.ValidationException("Variables must be a JSON object.")
    return found


def _json(text: str, what: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise api.ValidationException(f"{what} must be valid JSON") from None
