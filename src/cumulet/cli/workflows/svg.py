"""A picture of a workflow as SVG, coloured by what happened in a run if one is given."""

from collections.abc import Mapping
from html import escape

from cumulet.cli.workflows.diagram import END, START, Graph
from cumulet.cli.workflows.history import Visits
from cumulet.cli.workflows.layout import LINE, Line, Picture, Placed, Point, arrange

_MARGIN = 16.0
_LEGEND = 34.0
_COLOURS = {
    "SUCCEEDED": ("#d7f0dc", "#2e7d4f"),
    "CAUGHT": ("#ffe8c7", "#b26a00"),
    "FAILED": ("#fbd9d7", "#b3261e"),
    "RUNNING": ("#d6e6fb", "#1a5fb4"),
    "ABORTED": ("#e3e3e6", "#5f6368"),
}
_PLAIN = ("#ffffff", "#5b6472")
_UNSEEN = ("#fafafa", "#c3c8d0")
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2430; }
  .small { font-size: 11px; fill: #5b6472; }
  .label { font-size: 11px; fill: #3a4252; paint-order: stroke; stroke: #fff; stroke-width: 4px; }
  .line { fill: none; stroke: #8a93a3; stroke-width: 1.4; }
  .catch { stroke: #b26a00; stroke-dasharray: 5 3; }
"""


def draw(graph: Graph, run: Mapping[str, Visits] | None = None) -> str:
    """The whole document. `run`: what each state did, by its name; states that are not in it were not reached."""
    picture = arrange(graph)
    width = picture.width + 2 * _MARGIN
    height = picture.height + 2 * _MARGIN + (_LEGEND if run is not None else 0)
    if run is not None:
        width = max(width, 100.0 * len(_COLOURS) + 2 * _MARGIN)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">'
        ),
        f"<style>{_STYLE}</style>",
        (
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
            '<path d="M0 0 L8 4 L0 8 Z" fill="#8a93a3"/></marker></defs>'
        ),
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        *_picture(picture, _MARGIN, _MARGIN, run),
    ]
    if run is not None:
        parts += _legend(picture.height + 2 * _MARGIN)
    return "\n".join([*parts, "</svg>", ""])


def _picture(picture: Picture, x: float, y: float, run: Mapping[str, Visits] | None) -> list[str]:
    parts = [_line(line, x, y) for line in picture.lines]
    for node in picture.nodes:
        parts += _node(node, x, y, run)
    parts += [_label(line, x, y) for line in picture.lines if line.edge.label]
    return parts


def _node(node: Placed, x: float, y: float, run: Mapping[str, Visits] | None) -> list[str]:
    if node.box is None:
        fill = "#2f3747" if node.name == START else "#ffffff"
        ring = f'<circle cx="{x + node.x:.1f}" cy="{y + node.y:.1f}" r="8" fill="{fill}" stroke="#2f3747" stroke-width="2"/>'
        core = f'<circle cx="{x + node.x:.1f}" cy="{y + node.y:.1f}" r="4" fill="#2f3747"/>'
        return [ring, core] if node.name == END else [ring]
    visits = run.get(node.name) if run is not None else None
    fill, stroke = _PLAIN if run is None else _UNSEEN if visits is None else _COLOURS.get(visits.status, _PLAIN)
    left, top = x + node.x - node.width / 2, y + node.y - node.height / 2
    if node.inner:
        fill = "#f6f7f9" if visits is None else fill
    middle = x + node.x
    parts = [
        "<g>",
        f"<title>{escape(_tip(node, visits))}</title>",
        (
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{node.width:.1f}" height="{node.height:.1f}" rx="8" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="1.6"/>'
        ),
        f'<text x="{middle:.1f}" y="{top + LINE + 2:.1f}" text-anchor="middle">{escape(node.name)}</text>',
        (
            f'<text class="small" x="{middle:.1f}" y="{top + 2 * LINE + 1:.1f}" text-anchor="middle">'
            f"{escape(_under(node, visits))}</text>"
        ),
    ]
    if node.box.detail and not node.inner:
        parts.append(
            f'<text class="small" x="{middle:.1f}" y="{top + 3 * LINE:.1f}" text-anchor="middle">'
            f"{escape(node.box.detail)}</text>"
        )
    for inner in node.inner:
        parts += _picture(inner, left + inner.x, top + inner.y, run)
    return [*parts, "</g>"]


def _under(node: Placed, visits: Visits | None) -> str:
    assert node.box is not None
    words = [node.box.type + (f" ({node.box.detail})" if node.inner and node.box.detail else "")]
    if visits is not None:
        if visits.count > 1:
            words.append(f"{visits.count} times")
        if visits.retries:
            words.append(f"{visits.retries} retries" if visits.retries > 1 else "1 retry")
    return ", ".join(words)


def _tip(node: Placed, visits: Visits | None) -> str:
    assert node.box is not None
    lines = [f"{node.name} ({node.box.type})"]
    if visits is not None:
        lines.append(f"{visits.status}, {visits.seconds:.3f} s")
        if visits.error:
            lines.append(": ".join(part for part in (visits.error, visits.cause) if part))
    return "\n".join(lines)


def _line(line: Line, x: float, y: float) -> str:
    points = [(x + px, y + py) for px, py in line.points]
    kind = "line catch" if line.edge.kind == "catch" else "line"
    marker = 'marker-start="url(#arrow)"' if line.back else 'marker-end="url(#arrow)"'
    return f'<path class="{kind}" d="{_path(points, loop=line.edge.source == line.edge.target)}" {marker}/>'


def _path(points: list[Point], *, loop: bool) -> str:
    """Curves that leave and reach boxes upright, and pass bends upright too."""
    (x, y), *rest = points
    text = f"M{x:.1f} {y:.1f}"
    for next_x, next_y in rest:
        if loop:
            text += f" L{next_x:.1f} {next_y:.1f}"
        else:
            half = (next_y - y) / 2
            text += f" C{x:.1f} {y + half:.1f} {next_x:.1f} {next_y - half:.1f} {next_x:.1f} {next_y:.1f}"
        x, y = next_x, next_y
    return text


def _label(line: Line, x: float, y: float) -> str:
    at_x, at_y = line.label
    return f'<text class="label" text-anchor="middle" x="{x + at_x:.1f}" y="{y + at_y:.1f}">{escape(line.edge.label)}</text>'


def _legend(y: float) -> list[str]:
    parts = []
    for number, (name, (fill, stroke)) in enumerate(_COLOURS.items()):
        x = _MARGIN + number * 100
        parts.append(f'<rect x="{x:.0f}" y="{y:.0f}" width="14" height="14" rx="3" fill="{fill}" stroke="{stroke}"/>')
        parts.append(f'<text class="small" x="{x + 20:.0f}" y="{y + 11:.0f}">{name.lower()}</text>')
    return parts
