"""The pages of a portal, as its visitors see them. Whatever its makers wrote is text: nothing of it is read as HTML."""

from __future__ import annotations

import base64
import hashlib
from html import escape

import msgspec

from cumulet.kernel.web import WebAnswer
from cumulet.services.apigateway.http.portals.logos import NONE, Logo
from cumulet.services.apigateway.http.portals.publications import Endpoint, Product, Site

_SCRIPT = """
document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target), out = document.querySelector("output"), headers = {};
  for (const line of form.get("headers").split("\\n")) {
    const at = line.indexOf(":");
    if (at > 0) headers[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  const method = form.get("method"), body = form.get("body") || undefined;
  try {
    const answer = await fetch(form.get("url"), { method, headers, body: method === "GET" || method === "HEAD" ? undefined : body });
    out.textContent = answer.status + "\\n\\n" + (await answer.text());
  } catch (error) {
    out.textContent = error + "\\n\\nThe API must allow this page's origin (CORS).";
  }
});
"""
_STYLE = """
body { margin: 0; font: 16px/1.5 sans-serif; background: var(--background_color, #fff); color: var(--text_color, #222); }
header { padding: 1em 2em; background: var(--header_color, #eee); }
nav, main { padding: 1em 2em; } nav { background: var(--navigation_color, #f7f7f7); }
a { color: var(--accent_color, #06c); } .text { white-space: pre-wrap; } code, output { white-space: pre-wrap; font-family: monospace; }
label, textarea, input { display: block; width: 100%; max-width: 50em; } output { display: block; margin-top: 1em; }
"""
_LOGO = "logo"
_PICTURE = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
    ("X-Content-Type-Options", "nosniff"),
)
_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def answer(site: Site, path: str, base: str) -> WebAnswer:
    """The page at a path (`products/<id>/endpoints/<id>`, no slashes around it); `base` is where the site begins, with slashes around it."""
    if path.strip("/") == _LOGO and site.logo != NONE:
        logo = msgspec.json.decode(site.logo, type=Logo)
        return WebAnswer(status=200, headers=[("Content-Type", logo.type), *_PICTURE], body=logo.data)
    body = _page(site, path.strip("/").split("/") if path.strip("/") else [])
    status = 200 if body is not None else 404
    found = body if body is not None else "<h1>There is no such page.</h1>"
    text = _frame(site, found, base).encode()
    return WebAnswer(status=status, headers=_headers(site), body=text)


def _page(site: Site, parts: list[str]) -> str | None:
    if not parts:
        return f'<h1>{escape(site.name)}</h1><p class="text">{escape(site.description)}</p>' + "".join(
            f'<h2><a href="products/{one.id}">{escape(one.name)}</a></h2><p class="text">{escape(one.description)}</p>'
            for one in site.products
        )
    product = next((one for one in site.products if parts[:2] == ["products", one.id]), None)
    if product is None:
        return None
    if len(parts) == 2:
        return _of_product(product)
    if len(parts) != 4:
        return None
    if parts[2] == "pages":
        text = next((one for one in product.texts if one.id == parts[3]), None)
        return None if text is None else f'<h1>{escape(text.title)}</h1><p class="text">{escape(text.body)}</p>'
    ends = [one for section in product.sections for one in section.endpoints] if parts[2] == "endpoints" else []
    found = next((one for one in ends if one.id == parts[3]), None)
    return None if found is None else _of_endpoint(found)


def _of_product(product: Product) -> str:
    here = f"products/{product.id}"
    out = [f'<h1>{escape(product.name)}</h1><p class="text">{escape(product.description)}</p><ul>']
    out += [f'<li><a href="{here}/pages/{one.id}">{escape(one.title)}</a></li>' for one in product.texts]
    out.append("</ul>")
    for section in product.sections:
        out.append(f"<h2>{escape(section.name)}</h2><ul>" if section.name else "<ul>")
        out += [f'<li><a href="{here}/endpoints/{one.id}">{escape(one.title)}</a></li>' for one in section.endpoints]
        out.append("</ul>")
    return "".join(out)


def _of_endpoint(endpoint: Endpoint) -> str:
    verb, url = escape(endpoint.verb), escape(endpoint.url)
    text = (
        f'<h1>{escape(endpoint.title)}</h1><p><code>{verb} {url}</code></p><p class="text">{escape(endpoint.body)}</p>'
    )
    if not endpoint.tried:
        return text
    verbs = [endpoint.verb] if endpoint.verb != "ANY" else _VERBS
    options = "".join(f"<option>{escape(one)}</option>" for one in verbs)
    return (
        f'{text}<h2>Try it</h2><form><select name="method">{options}</select>'
        f'<label>Address <input name="url" value="{url}"></label>'
        '<label>Headers, one a line <textarea name="headers"></textarea></label>'
        '<label>Body <textarea name="body"></textarea></label><button>Try it</button></form><output></output>'
        f"<script>{_SCRIPT}</script>"
    )


def _frame(site: Site, body: str, base: str) -> str:
    picture = "" if site.logo == NONE else f'<img src="{_LOGO}" alt="" height="40"> '
    links = " · ".join(f'<a href="products/{one.id}">{escape(one.name)}</a>' for one in site.products)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><base href="{escape(base)}">'
        f"<title>{escape(site.name)}</title><style>{_style(site)}</style></head><body>"
        f'<header><a href="">{picture}{escape(site.name)}</a></header><nav>{links}</nav><main>{body}</main></body></html>'
    )


def _style(site: Site) -> str:
    return f":root {{ {' '.join(f'--{name}: {color};' for name, color in site.colors.items())} }}{_STYLE}"


def _headers(site: Site) -> list[tuple[str, str]]:
    """Only the script and the style that are ours run, whatever else a page may hold."""
    policy = (
        f"default-src 'none'; style-src '{_hash(_style(site))}'; script-src '{_hash(_SCRIPT)}'; "
        "connect-src *; img-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
    )
    return [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ]


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
