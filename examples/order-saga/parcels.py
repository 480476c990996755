"""Ships an order, unless nobody goes there."""


class Unreachable(Exception):
    """No carrier delivers to that place."""


def handler(event, context):
    if event["to"] == "the moon":
        raise Unreachable(f"nobody delivers to {event['to']}")
    return {"parcel": f"S-{event['order']}"}
