"""The keys of items against the schema of their table."""

from __future__ import annotations

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.errors import WRONG_KEY, invalid, invalid_values
from cumulet.services.dynamodb.model import Key, Table
from cumulet.services.dynamodb.values import Item, key_bytes, kind

LONGEST_HASH, LONGEST_RANGE = 2048, 1024
_LONGEST_CHARACTER = 4  # bytes
_WORDS = {"S": "string", "B": "binary"}


def held(value: api.AttributeValue, type_: str) -> str | bytes | None:
    """What a value holds as a key of that type; None when it has another type."""
    if type_ == "S":
        return value.s
    return value.n if type_ == "N" else value.b


def check_key(key: Key, given: Item) -> None:
    """Refuse what is no key of this schema. Raises ValidationException."""
    if len(given) != (2 if key.range else 1):
        raise invalid(WRONG_KEY)
    _check_piece(given, key.hash, key.hash_kind, LONGEST_HASH)
    if key.range:
        _check_piece(given, key.range, key.range_kind, LONGEST_RANGE)


def _check_piece(given: Item, name: str, type_: str, longest: int) -> None:
    value = given.get(name)
    content = held(value, type_) if value is not None else None
    if content is None:
        raise invalid(WRONG_KEY)
    if not content:
        raise invalid_values(_empty(name, type_))
    if len(content) > longest // _LONGEST_CHARACTER:
        check_length(content, longest)


def _empty(name: str, type_: str) -> str:
    return f"The AttributeValue for a key attribute cannot contain an empty {_WORDS[type_]} value. Key: {name}"


def check_length(content: str | bytes, longest: int) -> None:
    """The limits on keys: 2,048 bytes for a hash key, 1,024 for a range key."""
    size = len(content.encode()) if isinstance(content, str) else len(content)
    if size > longest:
        if longest == LONGEST_HASH:
            raise invalid_values("Size of hashkey has exceeded the maximum size limit of2048 bytes")
        raise invalid_values("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")


def check_item_keys(table: Table, item: Item) -> None:
    """Refuse an item without a proper key, or with values that its indexes cannot have. Raises ValidationException."""
    key = table.key
    _check_item_key(item, key.hash, key.hash_kind, LONGEST_HASH)
    if key.range:
        _check_item_key(item, key.range, key.range_kind, LONGEST_RANGE)
    if table.indexes:
        check_index_keys(table, item)


def _check_item_key(item: Item, name: str, type_: str, longest: int) -> None:
    value = item.get(name)
    if value is None:
        raise invalid_values(f"Missing the key {name} in the item")
    content = held(value, type_)
    if content is None:
        raise invalid_values(f"Type mismatch for key {name} expected: {type_} actual: {kind(value)}")
    if not content:
        raise invalid(f"One or more parameter values are not valid. {_empty(name, type_)}")
    if len(content) > longest // _LONGEST_CHARACTER:
        check_length(content, longest)


def check_index_keys(table: Table, item: Item) -> None:
    """The attributes that are keys of indexes: they may be missing, but not of another type, nor empty."""
    for name, type_, index in table.index_keys:
        value = item.get(name)
        if value is None:
            continue
        content = held(value, type_)
        if content is None:
            raise invalid_values(
                f"Type mismatch for Index Key {name} Expected: {type_} Actual: {kind(value)} IndexName: {index}"
            )
        if not content:
            raise invalid(
                "One or more parameter values are not valid. A value specified for a secondary index key is not "
                f"supported. The AttributeValue for a key attribute cannot contain an empty {_WORDS[type_]} value. "
                f"IndexName: {index}, IndexKey: {name}"
            )
        longest = LONGEST_HASH if (name, type_) in table.by_name[index].key.hashes else LONGEST_RANGE
        check_length(content, longest)
    for names, hashed in table.several:
        if all(name in item for name in names):
            check_length(b"".join([key_bytes(item[name]) for name in names]), LONGEST_HASH if hashed else LONGEST_RANGE)
