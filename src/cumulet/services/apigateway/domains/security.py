"""Security policies: which versions of TLS and suites of ciphers an address takes, and whether it wants its name in both places (STRICT).

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies-list.html
"""

from __future__ import annotations

from cumulet.services.apigateway.errors import bad_request

STRICT = "STRICT"
_ENHANCED = "SecurityPolicy_"
_LEGACY = ("TLS_1_0", "TLS_1_2")
_MODES = ("BASIC", STRICT)
_POLICIES = (
    "TLS13_1_3_2025_09",
    "TLS13_1_3_FIPS_2025_09",
    "TLS13_1_2_PFS_PQ_2025_09",
    "TLS13_1_2_FIPS_PQ_2025_09",
    "TLS13_1_2_FIPS_PFS_PQ_2025_09",
    "TLS13_1_2_Ext2_PQ_2025_09",
    "TLS13_1_2_Ext2_FIPS_PQ_2025_09",
    "TLS13_1_2_PQ_2025_09",
    "TLS13_1_2_2021_06",
    "TLS13_2025_EDGE",
    "TLS12_PFS_2025_EDGE",
    "TLS12_2018_EDGE",
)

_FORWARD = ("ECDHE-{}-AES128-GCM-SHA256", "ECDHE-{}-AES256-GCM-SHA384")
_CHAINED = ("ECDHE-{}-AES128-SHA256", "ECDHE-{}-AES256-SHA384")
_EDGE = ("ECDHE-{}-CHACHA20-POLY1305",)
_WITHOUT = ("AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256")
_SUITES = {
    "TLS13_1_2_FIPS_PFS_PQ_2025_09": _FORWARD,
    "TLS13_1_2_PFS_PQ_2025_09": _FORWARD,
    "TLS13_1_2_PQ_2025_09": _FORWARD + _CHAINED + _WITHOUT,
    "TLS13_1_2_2021_06": _FORWARD + _CHAINED + _WITHOUT,
    "TLS12_PFS_2025_EDGE": _FORWARD + _EDGE,
    "TLS12_2018_EDGE": _FORWARD + _CHAINED + _EDGE,
}
"""Of TLS 1.2, with either kind of key; AWS's page lists no others."""


def check(policy: str | None, mode: str | None) -> None:
    """Whether a policy is one, and has a mode where it is to have one. Raises BadRequestException."""
    enhanced = policy is not None and policy.startswith(_ENHANCED)
    if policy is not None and policy not in _LEGACY and policy.removeprefix(_ENHANCED) not in _POLICIES:
        raise bad_request(f"Invalid security policy specified: {policy}")
    if mode is not None and mode not in _MODES:
        raise bad_request(f"Invalid endpoint access mode specified: {mode}. Valid options are {','.join(_MODES)}")
    if mode is not None and not enhanced:
        raise bad_request(
            "Endpoint access mode is only supported with security policies that start with SecurityPolicy_"
        )
    if enhanced and mode is None:
        raise bad_request(
            "Endpoint access mode must be specified with security policies that start with SecurityPolicy_"
        )


def newest(policy: str | None) -> bool:
    """Whether a policy takes TLS 1.3 alone."""
    return policy is not None and policy.startswith((f"{_ENHANCED}TLS13_1_3", f"{_ENHANCED}TLS13_2025"))


def suites(policy: str | None) -> str:
    """The suites of TLS 1.2 that a policy takes, by OpenSSL's names with colons between; empty where it has no list, or no TLS 1.2."""
    names = _SUITES.get((policy or "").removeprefix(_ENHANCED), ())
    return ":".join(name.format(kind) for name in names for kind in (("ECDSA", "RSA") if "{" in name else ("",)))
