"""What a login gives and the authorizer checks: a name and when it expires, signed with a secret that only functions have."""

import base64
import hashlib
import hmac
import os
import time

LIFETIME = 24 * 3600


def make(name):
    content = f"{name}.{int(time.time()) + LIFETIME}"
    return f"{content}.{signature(content)}"


def read(token):
    """Whose token it is; None when it is nobody's, or too old."""
    content, _, signed = token.rpartition(".")
    if not hmac.compare_digest(signature(content), signed):
        return None
    name, _, expires = content.partition(".")
    return name if int(expires) > time.time() else None


def signature(content):
    digest = hmac.digest(os.environ["SECRET"].encode(), content.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
