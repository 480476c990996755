"""DynamoDB's expressions: parsed once per text, compiled to functions, bound to the names and values of a call.

`bind` takes all the expressions of a call. What they are bound to, and what the older parameters are made into, is used
alike: `matches` of a condition, `apply` of an update or projection, and `routes`, the paths that they read or write.
"""

from cumulet.services.dynamodb.expressions.changes import Applied, Update
from cumulet.services.dynamodb.expressions.conditions import Bound as Condition
from cumulet.services.dynamodb.expressions.keys import KeyCondition, Keys, KeyTerm, key_condition
from cumulet.services.dynamodb.expressions.legacy_conditions import (
    LegacyCondition,
    expected_condition,
    filter_condition,
    key_terms,
)
from cumulet.services.dynamodb.expressions.legacy_updates import LegacyUpdate, attributes_to_get, legacy_update
from cumulet.services.dynamodb.expressions.parameters import (
    OF_GET,
    OF_QUERY,
    OF_SCAN,
    OF_UPDATE,
    OF_WRITE,
    Kinds,
    check_parameters,
)
from cumulet.services.dynamodb.expressions.projections import Projection
from cumulet.services.dynamodb.expressions.request import Expressions, bind

__all__ = [
    "OF_GET",
    "OF_QUERY",
    "OF_SCAN",
    "OF_UPDATE",
    "OF_WRITE",
    "Applied",
    "Condition",
    "Expressions",
    "KeyCondition",
    "KeyTerm",
    "Keys",
    "Kinds",
    "LegacyCondition",
    "LegacyUpdate",
    "Projection",
    "Update",
    "attributes_to_get",
    "bind",
    "check_parameters",
    "expected_condition",
    "filter_condition",
    "key_condition",
    "key_terms",
    "legacy_update",
]
