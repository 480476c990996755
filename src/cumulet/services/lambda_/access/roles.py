"""Execution roles."""

from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.names import FunctionKey
from cumulet.services.lambda_.state import Lambda


async def check_role(lambda_: Lambda, call: Call, role: str) -> None:
    """In enforce mode a role must exist and trust Lambda; otherwise any ARN will do. Raises InvalidParameterValueException."""
    if not lambda_.enforce:
        return
    key = FunctionKey(call.account, call.region, "role-check")
    try:
        await lambda_.credentials.assume(key, role)
    except AwsError as error:
        raise invalid("The role defined for the function cannot be assumed by Lambda.") from error
