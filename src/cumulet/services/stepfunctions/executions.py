"""Operations on executions."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.stepfunctions.arns import parse
from cumulet.services.stepfunctions.engine import inputs
from cumulet.services.stepfunctions.engine.births import Birth
from cumulet.services.stepfunctions.engine.engine import no_such_execution
from cumulet.services.stepfunctions.engine.redrives import redrivable, redrive
from cumulet.services.stepfunctions.engine.store import Record
from cumulet.services.stepfunctions.machines import arns, configuration, pages
from cumulet.services.stepfunctions.machines.model import EXPRESS, MachineVersion
from cumulet.services.stepfunctions.machines.names import check_name
from cumulet.services.stepfunctions.state import StepFunctions
from cumulet.storage.database import Conflict

_NOT_SUPPORTED = "This operation is not supported by this type of state machine"
_BILLED_STEP = 100
_BILLED_MEMORY = 64
_FIRST = 1 << 62


async def start_execution(
    state: StepFunctions, call: Call, request: api.StartExecutionInput
) -> api.StartExecutionOutput:
    birth = await _birth(state, call, request.state_machine_arn, request.name, request.input, request.trace_header)
    if birth.version.revision.content.encryption is not None:
        await state.data_keys.ask(call, birth.version)
    if state.engine.throttles is not None:
        state.engine.throttles.start(birth.account, birth.region, birth.type)
    try:
        run = await state.engine.begin(birth)
    except Conflict:
        record = await state.engine.store.find(birth.arn)
        if record is None or record.status != "RUNNING" or record.input != birth.input:
            raise api.ExecutionAlreadyExists(f"Execution Already Exists: '{birth.arn}'") from None
        return api.StartExecutionOutput(execution_arn=birth.arn, start_date=record.started)
    return api.StartExecutionOutput(execution_arn=birth.arn, start_date=run.facts.started)


async def start_sync_execution(
    state: StepFunctions, call: Call, request: api.StartSyncExecutionInput
) -> api.StartSyncExecutionOutput:
    arn = request.state_machine_arn
    birth = await _birth(state, call, arn, request.name, request.input, request.trace_header, sync=True)
    if birth.version.revision.content.encryption is not None:
        await state.data_keys.ask(call, birth.version)
    ended = await state.engine.run_to_end(birth)
    shown = request.included_data != "METADATA_ONLY"
    milliseconds = max(1, round((ended.stopped - ended.started) * 1000))
    included = api.CloudWatchEventsExecutionDataDetails(included=True) if shown else None
    return api.StartSyncExecutionOutput(
        execution_arn=ended.arn,
        state_machine_arn=ended.machine_arn,
        name=birth.name,
        start_date=ended.started,
        stop_date=ended.stopped,
        status=ended.status,
        error=ended.error,
        cause=ended.cause,
        input=ended.input if shown else None,
        input_details=included,
        output=ended.output if shown else None,
        output_details=included,
        trace_header=request.trace_header,
        billing_details=api.BillingDetails(
            billed_memory_used_in_mb=_BILLED_MEMORY,
            billed_duration_in_milliseconds=-(-milliseconds // _BILLED_STEP) * _BILLED_STEP,
        ),
    )


async def _birth(
    state: StepFunctions,
    call: Call,
    arn: str,
    name: str | None,
    input: str | None,
    trace: str | None,
    sync: bool = False,
) -> Birth:
    if name is not None:
        check_name(name)
    version = await state.machines.find(arn)
    _own(call, version)
    if sync and version.type != EXPRESS:
        raise api.StateMachineTypeNotSupported(_NOT_SUPPORTED)
    text = "{}" if input is None else input
    value = inputs.read(text, state.limits.payload)
    name = name or new_id()
    machine = version.arn
    if version.type == EXPRESS:
        place = f"{machine.replace(':stateMachine:', ':express:', 1)}:{name}:{new_id()}"
    else:
        place = f"{machine.replace(':stateMachine:', ':execution:', 1)}:{name}"
    return Birth(
        arn=place,
        name=name,
        account=version.machine.account,
        region=version.machine.region,
        type=version.type,
        version=version,
        input=text,
        value=value,
        trace=trace or call.trace or None,
    )


def _own(call: Call, version: MachineVersion) -> None:
    """A machine is started in its own region and account."""
    if (version.machine.account, version.machine.region) != (call.account, call.region):
        raise arns.no_such_machine(version.arn)


async def stop_execution(state: StepFunctions, call: Call, request: api.StopExecutionInput) -> api.StopExecutionOutput:
    record = await _find(state, call, request.execution_arn)
    stopped = await state.engine.stop(record.arn, request.error, request.cause)
    return api.StopExecutionOutput(stop_date=stopped)


async def describe_execution(
    state: StepFunctions, call: Call, request: api.DescribeExecutionInput
) -> api.DescribeExecutionOutput:
    record = await _find(state, call, request.execution_arn)
    shown = request.included_data != "METADATA_ONLY"
    now_it_is = _status(state, record)
    status, reason = redrivable(replace(record, status=now_it_is), state.clock.now(), state.limits)
    included = api.CloudWatchEventsExecutionDataDetails(included=shown)
    return api.DescribeExecutionOutput(
        execution_arn=record.arn,
        state_machine_arn=_machine(record),
        name=record.name,
        status=now_it_is,
        start_date=record.started,
        stop_date=record.stopped,
        input=record.input if shown else None,
        input_details=included,
        output=record.output if shown else None,
        output_details=included if record.output is not None else None,
        trace_header=record.trace,
        map_run_arn=record.map_run or None,
        error=record.error if shown else None,
        cause=record.cause if shown else None,
        state_machine_version_arn=_version(record),
        state_machine_alias_arn=f"{record.machine}:{record.alias}" if record.alias else None,
        redrive_count=record.redrives,
        redrive_date=record.redriven,
        redrive_status=status,
        redrive_status_reason=reason,
    )


def _status(state: StepFunctions, record: Record) -> str:
    """A child that failed, of a Map Run that is redriven, waits for its turn."""
    progress = state.maps.live.get(record.map_run) if record.map_run else None
    return "PENDING_REDRIVE" if progress is not None and record.arn in progress.to_redrive else record.status


def _machine(record: Record) -> str:
    """A child execution is of the machine with its Map's label."""
    label = record.arn.rpartition(":")[0].partition("/")[2]
    return f"{record.machine}/{label}" if label else record.machine


def _version(record: Record) -> str | None:
    return None if record.version is None else f"{record.machine}:{record.version}"


async def list_executions(
    state: StepFunctions, call: Call, request: api.ListExecutionsInput
) -> api.ListExecutionsOutput:
    machine, map_run = request.state_machine_arn, request.map_run_arn
    if (machine is None) == (map_run is None):
        raise api.ValidationException("Must provide a state machine ARN or map run ARN, but not both.")
    place, value, version, alias = "map_run", map_run or "", None, ""
    if map_run is not None:
        arn = parse(map_run, "mapRun")
        if (arn.account, arn.region) != (call.account, call.region):
            raise api.ResourceNotFound(f"Resource not found: '{map_run}'", fields={"resourceName": map_run})
    if machine is not None:
        found = await state.machines.machine(machine)
        if (found.account, found.region) != (call.account, call.region):
            raise arns.no_such_machine(machine)
        if found.type == EXPRESS:
            raise api.StateMachineTypeNotSupported(_NOT_SUPPORTED)
        parts = arns.parse(machine)
        place, value, version, alias = "machine", found.arn, parts.version, parts.alias
        if version is not None or alias:
            await state.machines.find(machine)
    before = pages.number_in(value, request.next_token, _FIRST)
    size = pages.size(request.max_results)
    status, redriven = request.status_filter or "", request.redrive_filter or ""
    stored = "" if map_run in state.maps.live else status  # of what is redriven, the store knows the status before
    records = await state.engine.store.listed(
        place, value, before, size + 1, status=stored, redriven=redriven, version=version, alias=alias
    )
    page, more = pages.cut(records, size)
    shown = [_listed(record, _status(state, record)) for record in page]
    return api.ListExecutionsOutput(
        executions=[each for each in shown if not status or each.status == status],
        next_token=pages.token_of(value, str(page[-1].number)) if more else None,
    )


def _listed(record: Record, status: str) -> api.ExecutionListItem:
    return api.ExecutionListItem(
        execution_arn=record.arn,
        state_machine_arn=_machine(record),
        name=record.name,
        status=status,
        start_date=record.started,
        stop_date=record.stopped,
        map_run_arn=record.map_run or None,
        item_count=record.items if record.map_run else None,
        state_machine_version_arn=_version(record),
        state_machine_alias_arn=f"{record.machine}:{record.alias}" if record.alias else None,
        redrive_count=record.redrives,
        redrive_date=record.redriven,
    )


async def redrive_execution(
    state: StepFunctions, call: Call, request: api.RedriveExecutionInput
) -> api.RedriveExecutionOutput:
    record = await _find(state, call, request.execution_arn)
    when = await redrive(state.engine, record, request.client_token)
    return api.RedriveExecutionOutput(redrive_date=when)


async def describe_state_machine_for_execution(
    state: StepFunctions, call: Call, request: api.DescribeStateMachineForExecutionInput
) -> api.DescribeStateMachineForExecutionOutput:
    record = await _find(state, call, request.execution_arn)
    version = await state.machines.revision(record.revision)
    return _described(record, replace(version, version=record.version), request.included_data != "METADATA_ONLY")


def _described(record: Record, version: MachineVersion, shown: bool) -> api.DescribeStateMachineForExecutionOutput:
    label = _machine(record).partition("/")[2]
    definition = (version.processor(label) if label else None) or version.definition
    return api.DescribeStateMachineForExecutionOutput(
        state_machine_arn=_machine(record),
        name=version.name,
        definition=definition if shown else "{}",
        role_arn=version.role_arn,
        update_date=version.revision.created,
        logging_configuration=configuration.write_logging(version.logging),
        tracing_configuration=api.TracingConfiguration(enabled=version.tracing),
        map_run_arn=record.map_run or None,
        label=label or None,
        revision_id=version.revision_id or None,
        encryption_configuration=configuration.write_encryption(version.revision.content.encryption),
        variable_references=(version.compiled.references() or None) if shown else None,
    )


async def _find(state: StepFunctions, call: Call, text: str) -> Record:
    """The execution with this ARN. Raises InvalidArn, ExecutionDoesNotExist."""
    parse(text, "execution")
    record = await state.engine.store.find(text)
    if record is None or (record.account, record.region) != (call.account, call.region):
        raise no_such_execution(text)
    return record
