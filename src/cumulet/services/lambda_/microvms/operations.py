"""Operations on MicroVMs, and the tokens for them."""

from __future__ import annotations

from urllib.parse import urlsplit

from cumulet.api import lambda_microvms as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id, token
from cumulet.services.lambda_.microvms.capacity import check_capacity
from cumulet.services.lambda_.microvms.checks import check_run, digest_of, ports_of
from cumulet.services.lambda_.microvms.errors import conflict, invalid, no_version
from cumulet.services.lambda_.microvms.front import SHELL_PORT
from cumulet.services.lambda_.microvms.life import Life
from cumulet.services.lambda_.microvms.model import (
    ACTIVE,
    MOST_SECONDS,
    RUNNING,
    SUCCESSFUL,
    SUSPENDED,
    SUSPENDING,
    TERMINATING,
    Microvm,
    Version,
)
from cumulet.services.lambda_.microvms.names import (
    HTTP,
    INTERNET,
    ImageKey,
    check_connectors,
    key_of,
    managed_connector,
)
from cumulet.services.lambda_.microvms.pages import page
from cumulet.services.lambda_.microvms.state import Microvms
from cumulet.services.lambda_.microvms.tokens import Grant

_HEADER = "X-aws-proxy-auth"
_MINUTE = 60.0


async def run_microvm(service: Microvms, call: Call, request: api.RunMicrovmRequest) -> api.RunMicrovmResponse:
    key = key_of(call, request.image_identifier)
    check_run(request, service.limits)
    ingress, egress = request.ingress_network_connectors, request.egress_network_connectors
    check_connectors(call, ingress or [], ingress=True)
    check_connectors(call, egress or [], ingress=False)
    version = await _wanted(service, call, key, request.image_version)
    digest = digest_of(request)
    known = [one.vm for one in service.lives.values() if (one.vm.account, one.vm.region) == (call.account, call.region)]
    if request.client_token:
        same = next((vm for vm in known if vm.token == request.client_token), None)
        if same is not None:
            if same.digest != digest:
                raise conflict("The client token was used with other parameters.")
            return api.RunMicrovmResponse(**same.answer(_base(call)))
    memory = sum(vm.memory_mb for vm in known if vm.state != TERMINATING)
    if memory + version.spec.memory_mb > service.limits.total_memory_mb:
        raise api.ServiceQuotaExceededException(
            "The base maximum allocated memory limit has been reached for this account."
        )
    check_capacity(service, version.spec.memory_mb)
    id = new_id()
    vm = Microvm(
        id=f"microvm-{id}",
        host=new_id(),
        account=call.account,
        region=call.region,
        image_arn=key.arn,
        version=version.number,
        memory_mb=version.spec.memory_mb,
        started=service.clock.now(),
        most_seconds=request.maximum_duration_in_seconds or MOST_SECONDS,
        role=request.execution_role_arn,
        idle=request.idle_policy,
        ingress=ingress or [managed_connector(call, HTTP)],
        egress=egress or [managed_connector(call, INTERNET)],
        logging=request.logging,
        token=request.client_token or "",
        digest=digest,
    )
    assert version.program is not None
    life = Life(service, vm, version.spec, version.program, request.run_hook_payload or "")
    life.secret = token(32)
    service.lives[vm.id] = life
    try:
        async with service.db.transaction() as tx:
            before = service.clock.now() - service.limits.remembered_seconds
            await service.store.forget(tx, call.account, call.region, before)
            await service.store.put_microvm(tx, vm)
    except BaseException:
        del service.lives[vm.id]
        raise
    service.front.know(life)
    life.begin()
    return api.RunMicrovmResponse(**vm.answer(_base(call)))


async def _wanted(service: Microvms, call: Call, key: ImageKey, number: str | None) -> Version:
    """Raises ResourceNotFoundException, ValidationException."""
    versions = await service.store.versions(key) if key.account == call.account else []
    if number is None:
        for version in versions:
            if version.state == SUCCESSFUL and version.status == ACTIVE:
                return version
        raise api.ResourceNotFoundException(f"No active version found for MicroVM image {key.arn}")
    found = next((one for one in versions if one.number == number), None)
    if found is None or found.state != SUCCESSFUL:
        raise no_version(key.arn, number)
    if found.status != ACTIVE:
        raise invalid(f"The version {number} of the MicroVM image {key.arn} is {found.status}.")
    return found


async def get_microvm(service: Microvms, call: Call, request: api.GetMicrovmRequest) -> api.GetMicrovmResponse:
    vm = await service.microvm(call, request.microvm_identifier)
    return api.GetMicrovmResponse(**vm.answer(_base(call)))


async def list_microvms(service: Microvms, call: Call, request: api.ListMicrovmsRequest) -> api.ListMicrovmsResponse:
    arn = key_of(call, request.image_identifier).arn if request.image_identifier else None
    stored = await service.store.microvms(call.account, call.region)
    now = [service.lives[vm.id].vm if vm.id in service.lives else vm for vm in stored]
    found = [vm for vm in now if arn in {None, vm.image_arn} and (request.image_version or vm.version) == vm.version]
    shown, next_token = page(found, request.max_results, request.next_token, lambda one: one.id)
    return api.ListMicrovmsResponse(items=[vm.item() for vm in shown], next_token=next_token)


async def suspend_microvm(
    service: Microvms, call: Call, request: api.SuspendMicrovmRequest
) -> api.SuspendMicrovmResponse:
    life = await service.life(call, request.microvm_identifier)
    if life.vm.state not in {RUNNING, SUSPENDING, SUSPENDED}:
        raise conflict(f"The MicroVM {life.vm.id} is {life.vm.state}: it must be RUNNING.")
    if life.machine is not None and not life.machine.can_freeze:
        raise invalid("This node's machine has no control group that freezes processes: MicroVMs cannot be suspended.")
    await life.suspend()
    return api.SuspendMicrovmResponse()


async def resume_microvm(service: Microvms, call: Call, request: api.ResumeMicrovmRequest) -> api.ResumeMicrovmResponse:
    life = await service.life(call, request.microvm_identifier)
    if life.vm.state != SUSPENDED:
        raise conflict(f"The MicroVM {life.vm.id} is {life.vm.state}: it must be SUSPENDED.")
    life.resume()
    return api.ResumeMicrovmResponse()


async def terminate_microvm(
    service: Microvms, call: Call, request: api.TerminateMicrovmRequest
) -> api.TerminateMicrovmResponse:
    vm = await service.microvm(call, request.microvm_identifier)
    life = service.lives.get(vm.id)
    if life is not None:
        await life.terminate()
    return api.TerminateMicrovmResponse()


async def create_microvm_auth_token(
    service: Microvms, call: Call, request: api.CreateMicrovmAuthTokenRequest
) -> api.CreateMicrovmAuthTokenResponse:
    life = await service.life(call, request.microvm_identifier)
    grant = Grant(
        microvm=life.vm.id,
        expires=_expires(service, request.expiration_in_minutes),
        ports=ports_of(request.allowed_ports),
    )
    return api.CreateMicrovmAuthTokenResponse(auth_token={_HEADER: service.tokens.make(grant)})


async def create_microvm_shell_auth_token(
    service: Microvms, call: Call, request: api.CreateMicrovmShellAuthTokenRequest
) -> api.CreateMicrovmShellAuthTokenResponse:
    life = await service.life(call, request.microvm_identifier)
    if not life.takes_shells:
        raise invalid("Shell access requires SHELL_INGRESS network connector to be configured on the MicroVM.")
    grant = Grant(
        microvm=life.vm.id,
        expires=_expires(service, request.expiration_in_minutes),
        ports=((SHELL_PORT, SHELL_PORT),),
        terminal=True,
    )
    return api.CreateMicrovmShellAuthTokenResponse(auth_token={_HEADER: service.tokens.make(grant)})


def _expires(service: Microvms, minutes: int) -> float:
    if minutes > service.limits.token_minutes:
        raise invalid(f"expirationInMinutes must not be more than {service.limits.token_minutes}.")
    return service.clock.now() + minutes * _MINUTE


def _base(call: Call) -> str:
    """What hosts of MicroVMs end with: the name and port by which the client reached this node."""
    parts = urlsplit(call.endpoint)
    name = parts.hostname or "localhost"
    name = "localhost" if name.replace(".", "").isdigit() or ":" in name else name
    return f"{name}:{parts.port}" if parts.port else name
