"""DynamoDB's expressions: parsed once per text, compiled to functions, bound to the names and values of a call."""

from cumulet.services.dynamodb.expressions.changes import Applied, Update
from cumulet.services.dynamodb.expressions.conditions import Bound as Condition
from cumulet.services.dynamodb.expressions.keys import KeyCondition, Keys, KeyTerm, key_condition
from cumulet.services.dynamodb.expressions.projections import Projection
from cumulet.services.dynamodb.expressions.request import Expressions, bind

__all__ = [
    "Applied",
    "Condition",
    "Expressions",
    "KeyCondition",
    "KeyTerm",
    "Keys",
    "Projection",
    "Update",
    "bind",
    "key_condition",
]
