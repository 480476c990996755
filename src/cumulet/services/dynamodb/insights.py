"""Operations that tell of the account, or keep settings that change nothing here: limits, endpoints, contributor insights."""

from __future__ import annotations

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.services.dynamodb.errors import LEAST_ONE, no_such_table, unfit
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.state import DynamoDb

_ACCOUNT_UNITS, _TABLE_UNITS = 80_000, 40_000
_MINUTES = 1440
_DEFAULT_MODE = "ACCESSED_AND_THROTTLED_KEYS"
_PAGE = 100


async def describe_limits(_: DynamoDb, call: Call, request: api.DescribeLimitsInput) -> api.DescribeLimitsOutput:
    return api.DescribeLimitsOutput(
        account_max_read_capacity_units=_ACCOUNT_UNITS,
        account_max_write_capacity_units=_ACCOUNT_UNITS,
        table_max_read_capacity_units=_TABLE_UNITS,
        table_max_write_capacity_units=_TABLE_UNITS,
    )


async def describe_endpoints(
    _: DynamoDb, call: Call, request: api.DescribeEndpointsRequest
) -> api.DescribeEndpointsResponse:
    address = call.endpoint.partition("://")[2]
    return api.DescribeEndpointsResponse(endpoints=[api.Endpoint(address=address, cache_period_in_minutes=_MINUTES)])


async def update_contributor_insights(
    dynamodb: DynamoDb, call: Call, request: api.UpdateContributorInsightsInput
) -> api.UpdateContributorInsightsOutput:
    table = await _table(dynamodb, call, request.table_name, request.index_name)
    enabled = request.contributor_insights_action == "ENABLE"
    mode = request.contributor_insights_mode or _DEFAULT_MODE
    await dynamodb.db.write(
        "INSERT INTO ddb_insight (tbl, index_name, mode, enabled, changed) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (tbl, index_name) DO UPDATE SET mode = $3, enabled = $4, changed = $5",
        (table.id, request.index_name or "", mode, int(enabled), dynamodb.clock.now()),
    )
    return api.UpdateContributorInsightsOutput(
        table_name=table.name,
        index_name=request.index_name,
        contributor_insights_status="ENABLING" if enabled else "DISABLING",
        contributor_insights_mode=mode,
    )


async def describe_contributor_insights(
    dynamodb: DynamoDb, call: Call, request: api.DescribeContributorInsightsInput
) -> api.DescribeContributorInsightsOutput:
    table = await _table(dynamodb, call, request.table_name, request.index_name)
    row = await dynamodb.db.read_one(
        "SELECT mode, enabled, changed FROM ddb_insight WHERE tbl = $1 AND index_name = $2",
        (table.id, request.index_name or ""),
    )
    answer = api.DescribeContributorInsightsOutput(
        table_name=table.name, index_name=request.index_name, contributor_insights_status="DISABLED"
    )
    if row is not None:
        answer.last_update_date_time = row[2]
        if row[1]:
            answer.contributor_insights_status = "ENABLED"
            answer.contributor_insights_mode = row[0]
            answer.contributor_insights_rule_list = _rules(table, request.index_name)
    return answer


def _rules(table: Table, index: str | None) -> list[str]:
    """The names of the rules that AWS makes in CloudWatch; there are none here."""
    name = f"{table.name}-{index}" if index else table.name
    kinds = ["PKC", "PKT", *(["SKC", "SKT"] if table.key.range else [])]
    return [f"DynamoDBContributorInsights-{kind}-{name}-{int(table.created * 1000)}" for kind in kinds]


async def list_contributor_insights(
    dynamodb: DynamoDb, call: Call, request: api.ListContributorInsightsInput
) -> api.ListContributorInsightsOutput:
    only = -1
    if request.table_name is not None:
        only = (await _table(dynamodb, call, request.table_name, None)).id
    limit = request.max_results or _PAGE
    if limit < 1:
        raise unfit("maxResults", LEAST_ONE, str(limit))
    rows = await dynamodb.db.read(
        "SELECT t.name, i.index_name, i.mode, i.enabled FROM ddb_insight i JOIN ddb_table t ON t.id = i.tbl "
        "WHERE t.account = $1 AND t.region = $2 AND (i.tbl = $3 OR $3 = -1) AND t.name || '/' || i.index_name > $4 "
        "ORDER BY t.name || '/' || i.index_name LIMIT $5",
        (call.account, call.region, only, request.next_token or "", limit + 1),
    )
    summaries = [
        api.ContributorInsightsSummary(
            table_name=name,
            index_name=index or None,
            contributor_insights_status="ENABLED" if enabled else "DISABLED",
            contributor_insights_mode=mode,
        )
        for name, index, mode, enabled in rows[:limit]
    ]
    token = f"{rows[limit - 1][0]}/{rows[limit - 1][1]}" if len(rows) > limit else None
    return api.ListContributorInsightsOutput(contributor_insights_summaries=summaries, next_token=token)


async def _table(dynamodb: DynamoDb, call: Call, name: str, index: str | None) -> Table:
    table = await dynamodb.described(call, name)
    if index is not None and index not in table.by_name:
        raise no_such_table(f"{table.name}:{index}")
    return table
