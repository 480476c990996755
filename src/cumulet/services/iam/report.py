"""The credential report: one line for each user, as comma-separated values."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from cumulet.api import iam as api
from cumulet.kernel.call import Call
from cumulet.services.iam.model import Report, User
from cumulet.services.iam.state import Iam
from cumulet.services.iam.store import Key, View

_VALID = 4 * 3600
_COLUMNS = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed",
    "password_next_rotation", "mfa_active", "access_key_1_active", "access_key_1_last_rotated",
    "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
    "access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date", "access_key_2_last_used_region",
    "access_key_2_last_used_service", "cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
)  # fmt: skip
_NONE = "N/A"


async def generate_credential_report(
    iam: Iam, call: Call, request: api.GenerateCredentialReportRequest
) -> api.GenerateCredentialReportResponse:
    """AWS works on it for a while and answers STARTED; here it is written at once. One is kept for four hours."""
    now = iam.now()
    async with iam.change(call) as change:
        kept = await change.find(Report, "")
        if kept is None:
            id = f"report-{call.account}"
            await change.add(Report(name="", id=id, created=now, content=await _content(change, now)))
            return api.GenerateCredentialReportResponse(
                state="STARTED", description="No report exists. Starting a new report generation task"
            )
        if now - kept.created >= _VALID:
            kept.created, kept.content = now, await _content(change, now)
            await change.put(kept)
    return api.GenerateCredentialReportResponse(state="COMPLETE")


async def get_credential_report(
    iam: Iam, call: Call, request: api.GetCredentialReportRequest
) -> api.GetCredentialReportResponse:
    report = await iam.view(call).find(Report, "")
    if report is None:
        raise api.CredentialReportNotPresentException("There is no credential report. Generate one first.")
    if iam.now() - report.created >= _VALID:
        raise api.CredentialReportExpiredException("The credential report has expired. Generate another.")
    return api.GetCredentialReportResponse(
        content=report.content.encode(), report_format="text/csv", generated_time=report.created
    )


async def _content(view: View, now: int) -> str:
    import csv  # noqa: PLC0415  few nodes are asked for a report

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    root = ["<root_account>", f"arn:aws:iam::{view.account}:root", _date(now), "not_supported", "no_information"]
    writer.writerow(_row(root, "not_supported", await view.keys_of(view.account)))
    for user in await view.entities(User):
        enabled = "true" if user.password else "false"
        used = "no_information" if user.password else _NONE
        start = [user.name, user.arn(view.account), _date(user.created), enabled, used]
        changed = _date(user.password_created) if user.password else _NONE
        writer.writerow(_row(start, changed, await view.keys_of(user.id)))
    return text.getvalue().rstrip("\n")


def _row(start: list[str], changed: str, keys: list[Key]) -> list[str]:
    row = [*start, changed, changed if changed == "not_supported" else _NONE, "false"]
    for key in (*keys, None, None)[:2]:
        row += ["false", _NONE, _NONE, _NONE, _NONE] if key is None else _key(key)
    return [*row, "false", _NONE, "false", _NONE]


def _key(key: Key) -> list[str]:
    used = [_date(key.used), key.used_region, key.used_service] if key.used else [_NONE] * 3
    return ["true" if key.status == "Active" else "false", _date(key.created), *used]


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
