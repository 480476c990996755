"""A client in Objective-C, without dependencies."""

from __future__ import annotations

import msgspec

from cumulet.services.apigateway.sdk.archive import runtime
from cumulet.services.apigateway.sdk.shape import Model, Operation, Parameter, Shape, Type, plain_name, safe

_PLAIN = {"text": "NSString *", "number": "NSNumber *", "integer": "NSNumber *", "boolean": "NSNumber *", "any": "id "}

_TAKEN = frozenset(
    [
        *("auto", "break", "case", "char", "const", "continue", "default", "do", "double"),
        *("else", "enum", "extern", "float", "for", "goto", "if", "inline", "int"),
        *("long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct"),
        *("switch", "typedef", "union", "unsigned", "void", "volatile", "while", "in", "out"),
        *("inout", "bycopy", "byref", "oneway", "id", "self", "super", "nil", "body"),
        *("completion", "header", "path", "querystring"),
    ]
)
"""Words of C and Objective-C, and what methods have as variables of their own."""


def files(shape: Shape, parameters: dict[str, str]) -> dict[str, str]:
    """Sources for a project: the client, models, and what requests need."""
    prefix = plain_name(parameters["classPrefix"], "class prefix").replace(".", "").replace("-", "")
    name = f"{prefix}Client"
    folder = f"{name}/generated-src"
    return {
        f"{folder}/{name}.h": _header(shape, name),
        f"{folder}/{name}.m": _source(shape, name),
        f"{folder}/{prefix}Models.h": _models(shape, prefix),
        f"{folder}/{prefix}Models.m": _model_sources(shape, prefix),
        f"{folder}/ApiRequests.h": runtime("ApiRequests.h"),
        f"{folder}/ApiRequests.m": runtime("ApiRequests.m"),
        f"{name}/README.md": f'# {name}\n\n    #import "{name}.h"\n\n    {name} *client = [{name} new];\n',
    }


def _type(kind: Type, prefix: str) -> str:
    if kind.kind == "model":
        return f"{prefix}{kind.name} *"
    if kind.inner is not None:
        return "NSArray *" if kind.kind == "list" else "NSDictionary *"
    return _PLAIN[kind.kind]


def _models(shape: Shape, prefix: str) -> str:
    forward = "".join(f"@class {prefix}{model.name};\n" for model in shape.models)
    return "#import <Foundation/Foundation.h>\n\n" + forward + "".join(_model(model, prefix) for model in shape.models)


def _model(model: Model, prefix: str) -> str:
    members = "\n".join(
        f"@property (nonatomic, strong, nullable) {_type(each.type, prefix)}{each.variable}_;" for each in model.fields
    )
    return f"""
@interface {prefix}{model.name} : NSObject
{members}

/** The members that are set, for a body. */
- (nonnull NSDictionary *)dictionary;
@end
"""


def _model_sources(shape: Shape, prefix: str) -> str:
    return f'#import "{prefix}Models.h"\n' + "".join(_model_source(model, prefix) for model in shape.models)


def _model_source(model: Model, prefix: str) -> str:
    def value(kind: Type, variable: str) -> str:
        if kind.kind == "list" and kind.inner is not None and kind.inner.kind == "model":
            return f'[self.{variable} valueForKey:@"dictionary"]'
        return f"[self.{variable} dictionary]" if kind.kind == "model" else f"self.{variable}"

    puts = "\n".join(
        f"    if (self.{each.variable}_) members[{_text(each.name)}] = {value(each.type, each.variable + '_')};"
        for each in model.fields
    )
    return f"""
@implementation {prefix}{model.name}
- (NSDictionary *)dictionary {{
    NSMutableDictionary *members = [NSMutableDictionary dictionary];
{puts}
    return members;
}}
@end
"""


def _variable(parameter: Parameter) -> str:
    return safe(parameter.variable, _TAKEN)


def _signature(operation: Operation) -> str:
    labels = [(_variable(each), "nullable NSString *") for each in operation.parameters]
    if operation.body is not None:
        labels.append(("body", "nullable id"))
    labels.append(("completion", "nonnull ApiCompletion"))
    (first, kind), *rest = labels
    head = f"{operation.name}{first[:1].upper()}{first[1:]}:({kind}){first}"
    return "- (nonnull NSURLSessionTask *)" + " ".join([head, *(f"{label}:({kind}){label}" for label, kind in rest)])


def _header(shape: Shape, name: str) -> str:
    methods = "\n\n".join(f"/** {each.verb} {each.path} */\n{_signature(each)};" for each in shape.operations)
    return f"""#import "ApiRequests.h"

/** Methods of the API. What is nil is not sent; a body is a dictionary, an array or a text. */
@interface {name} : NSObject
/** What is set here holds for all requests: keys, for methods that need them. */
@property (nonatomic, readonly, nonnull) ApiRequests *requests;

- (nonnull instancetype)init;
- (nonnull instancetype)initWithURL:(nonnull NSString *)url region:(nonnull NSString *)region;

{methods}
@end
"""


def _source(shape: Shape, name: str) -> str:
    methods = "\n\n".join(_method(operation) for operation in shape.operations)
    return f"""#import "{name}.h"

@implementation {name}

- (instancetype)init {{
    return [self initWithURL:{_text(shape.url)} region:{_text(shape.region)}];
}}

- (instancetype)initWithURL:(NSString *)url region:(NSString *)region {{
    if ((self = [super init])) _requests = [[ApiRequests alloc] initWithURL:url region:region];
    return self;
}}

{methods}

@end
"""


def _method(operation: Operation) -> str:
    verb = operation.verb if operation.verb != "ANY" else "POST" if operation.body else "GET"
    puts = "\n".join(
        f"    if ({_variable(each)}) {each.place}[{_text(each.name)}] = {_variable(each)};"
        for each in operation.parameters
    )
    return f"""{_signature(operation)} {{
    NSMutableDictionary *path = [NSMutableDictionary dictionary];
    NSMutableDictionary *querystring = [NSMutableDictionary dictionary];
    NSMutableDictionary *header = [NSMutableDictionary dictionary];
{puts}
    return [self.requests send:@"{verb}" path:{_text(operation.path)} place:path query:querystring headers:header
                          body:{"body" if operation.body is not None else "nil"} contentType:{_text(operation.content_type)} signs:{"YES" if operation.authorization == "AWS_IAM" else "NO"} completion:completion];
}}"""


def _text(text: str) -> str:
    return "@" + msgspec.json.encode(text).decode()
