"""Names of TLS's cipher suites."""

from functools import lru_cache


@lru_cache(64)
def iana(name: str) -> str:
    """IANA's name of a suite by OpenSSL's: `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` for `ECDHE-RSA-AES128-GCM-SHA256`."""
    if name.startswith("TLS_") or name.count("-") < 3:
        return name
    exchange, signature, *rest = name.replace("AES128", "AES_128").replace("AES256", "AES_256").split("-")
    if rest[-1] == "POLY1305":
        rest.append("SHA256")
    elif "GCM" not in rest:
        rest.insert(-1, "CBC")
    return f"TLS_{exchange}_{signature}_WITH_{'_'.join(rest)}"
