"""JSONPath in the dialect of Jayway's library, which Step Functions and API Gateway use: compiled to closures, cached by text.

https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
"""

from cumulet.expressions.jsonpath.path import Path, compile
from cumulet.expressions.jsonpath.reference import CannotSet, Reference, reference
from cumulet.expressions.jsonpath.tree import JsonPathError, TooMuchWork
from cumulet.expressions.jsonpath.walk import PathNotFound

__all__ = ["CannotSet", "JsonPathError", "Path", "PathNotFound", "Reference", "TooMuchWork", "compile", "reference"]
