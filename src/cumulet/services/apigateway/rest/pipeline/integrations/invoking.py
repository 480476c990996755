"""Functions behind integrations: whom to invoke, how long to wait, and what AWS says when it does not work."""

from __future__ import annotations

from cumulet.kernel.call import Call
from cumulet.kernel.deadline import Deadline
from cumulet.services.apigateway.plane.execution_log import function_url
from cumulet.services.apigateway.plane.lambdas import CALLER, CannotInvoke, FunctionUri, Invoked, function_of
from cumulet.services.apigateway.plane.pacing import Pace
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Plan
from cumulet.services.apigateway.rest.pipeline.mapping import fill


def target(ex: Exchange, plan: Plan) -> FunctionUri:
    """The function that a plan's URI names. Raises Refused."""
    uri = fill(plan.uri, ex.stage_variables) if "${" in plan.uri else plan.uri
    found = function_of(uri)
    if found is None or plan.method != "POST":
        raise broken(
            "Execution failed due to configuration error: Invalid function or HTTP method in the integration's URI"
        )
    return found


async def invoke(ex: Exchange, plan: Plan, function: FunctionUri, payload: bytes, *, event: bool = False) -> Invoked:
    """Run the function within the integration's time. Raises Refused."""
    front = ex.front
    if ex.log is not None:
        ex.log.show(f"Sending request to {function_url(ex.program.region, function.function)}")
    began = front.clock.now()
    try:
        with Deadline(plan.timeout):
            return await front.functions.invoke(
                ex.call(plan.arn),
                function.function,
                payload,
                role=plan.role,
                client=client(ex, plan),
                event=event,
            )
    except TimeoutError as error:
        ex.integration["integrationStatus"] = 504
        raise timed_out() from error
    except CannotInvoke as error:
        raise refused(error) from error
    finally:
        ex.integration["latency"] = int((front.clock.now() - began) * 1000)


def client(ex: Exchange, plan: Plan) -> Call | None:
    """The call as the client itself makes it, where the integration wants that and the client has signed its request."""
    return ex.caller() if plan.role == CALLER and ex.credential is not None and ex.credential.access_key else None


def refused(error: CannotInvoke) -> Refused:
    """AWS's answer to a client when a function could not be run."""
    if error.refused:
        return broken("Execution failed due to configuration error: Invalid permissions on Lambda function")
    if error.missing or error.throttled or error.error.status < 500:
        status = error.error.status
        return broken(
            f"Execution failed due to configuration error: Lambda invocation failed with status: {status}. Lambda request id: -"
        )
    return broken(f"Lambda execution failed with status {error.error.status} due to Lambda service error.", status=500)


def broken(reason: str, status: int = 500) -> Refused:
    """Internal server error, with its reason for the execution log."""
    return Refused("API_CONFIGURATION_ERROR", "Internal server error", status=status, reason=reason)


def malformed() -> Refused:
    """A proxy's answer that is none."""
    reason = "Execution failed due to configuration error: Malformed Lambda proxy response"
    return Refused("DEFAULT_5XX", "Internal server error", status=502, reason=reason)


def timed_out() -> Refused:
    """The integration took too long."""
    return Refused(
        "INTEGRATION_TIMEOUT", "Endpoint request timed out", reason="Execution failed due to a timeout error"
    )


def pace(ex: Exchange) -> Pace:
    """Of a streamed answer."""
    limits = ex.front.limits
    idle = limits.stream_idle_edge if ex.program.edge else limits.stream_idle
    return Pace(burst=limits.stream_burst, rate=limits.stream_rate, life=limits.stream_life, idle=idle)
