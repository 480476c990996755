"""What an account has set for all its APIs in a region."""

from __future__ import annotations

from cumulet.api import apigateway as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request
from cumulet.services.apigateway.rest.patch import ANY, Rule, Rules, Step
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

ONE = "account"
"""The id of the one thing in this table."""


async def get_account(gateway: ApiGateway, call: Call, request: api.GetAccountRequest) -> api.Account:
    return _shown(gateway, await _get(gateway, call))


async def update_account(gateway: ApiGateway, call: Call, request: api.UpdateAccountRequest) -> api.Account:
    async with gateway.db.transaction() as tx:
        account = await _get(gateway, call, tx)
        _RULES.apply(account, request.patch_operations)
        await gateway.accounts.put(tx, call.account, call.region, ONE, account)
    return _shown(gateway, account)


def _role(account: api.Account, step: Step) -> None:
    if step.op == "remove" or not step.value:
        account.cloudwatch_role_arn = None
        return
    try:
        arn = Arn.parse(step.value)
    except ValueError:
        arn = None
    if arn is None or arn.service != "iam" or not arn.resource.startswith("role/"):
        raise bad_request("The role ARN does not have required permissions set to API Gateway")
    account.cloudwatch_role_arn = step.value


def _features(account: api.Account, step: Step) -> None:
    held = account.features or []
    rest = [feature for feature in held if feature != step.value]
    account.features = (rest if step.op == "remove" else [*rest, step.value or ""]) or None


_RULES = Rules({"/cloudwatchRoleArn": Rule(ANY, _role), "/features": Rule(("add", "remove"), _features)}, listing=True)


async def _get(gateway: ApiGateway, call: Call, within: Transaction | None = None) -> api.Account:
    return await gateway.accounts.get(call.account, call.region, ONE, within) or api.Account(features=["UsagePlans"])


def _shown(gateway: ApiGateway, account: api.Account) -> api.Account:
    account.throttle_settings = api.ThrottleSettings(
        burst_limit=gateway.limits.account_burst, rate_limit=gateway.limits.account_rate
    )
    account.api_key_version = "4"
    return account
