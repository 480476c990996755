"""API keys of methods that want one."""

from __future__ import annotations

from cumulet.services.apigateway.rest.keys.gate import KeyRefused
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused

_HEADER = "x-api-key"


async def check(ex: Exchange) -> None:
    """Raises Refused: no key (403), too fast or too often (429)."""
    program, method = ex.program, ex.method
    value = (ex.header(_HEADER) if program.key_source == "HEADER" else ex.usage_key) or ""
    place = f"{method.resource_path}/{method.verb}"
    try:
        found = await ex.front.gate.admit(
            program.account, program.region, program.api_id, program.stage_name, value, place
        )
    except KeyRefused as refused:
        raise Refused(refused.kind, refused.message, reason=str(refused)) from refused
    id = found.key.id or ""
    ex.identity = {**ex.identity, "apiKey": value, "apiKeyId": id}
