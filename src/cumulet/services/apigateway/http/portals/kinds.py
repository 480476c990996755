"""What portals are made of, as it is kept."""

from __future__ import annotations

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.http.store import Kind

PORTAL = Kind("portal", lambda: api.GetPortalResponse, "portal_id", "portal_id", "Portal")
PRODUCT = Kind(
    "product", lambda: api.GetPortalProductResponse, "portal_product_id", "portal_product_id", "PortalProduct"
)
PAGE = Kind("page", lambda: api.GetProductPageResponse, "product_page_id", "product_page_id", "ProductPage")
ENDPOINT_PAGE = Kind(
    "endpoint_page",
    lambda: api.GetProductRestEndpointPageResponse,
    "product_rest_endpoint_page_id",
    "product_rest_endpoint_page_id",
    "ProductRestEndpointPage",
)
SHARING = Kind(
    "sharing",
    lambda: api.GetPortalProductSharingPolicyResponse,
    "portal_product_id",
    "portal_product_id",
    "PortalProductSharingPolicy",
)


def arn(call: Call, path: str) -> str:
    """`arn:aws:apigateway:us-east-1:111122223333:/portalproducts/abc`."""
    return f"arn:aws:apigateway:{call.region}:{call.account}:/{path}"
