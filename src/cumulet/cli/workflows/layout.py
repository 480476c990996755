"""Where boxes and arrows go: layers from top to bottom, few crossings, straight lines where they can be.

The usual steps: turn arrows that lead back, give each box a layer, order the layers so that few arrows cross, and set boxes near
what they are linked to. An arrow over several layers bends in each, so that it passes between the boxes.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cumulet.cli.workflows.diagram import END, START, Box, Edge, Graph

LINE = 16.0
CHARACTER = 7.4
SMALL = 6.0
SIDE = 18.0
TOP = 44.0
GAP = 34.0
BETWEEN = 50.0
DOT = 18.0
NARROWEST = 116.0
_SWEEPS = 8

Point = tuple[float, float]


@dataclass(eq=False)
class Placed:
    """A box, a dot (start and end), or a bend (as high as its layer), by its middle. `inner` lie within it, by their upper left
    corners; `floor` is where its layer ends, `room` how wide it is with the labels of arrows to it."""

    name: str
    width: float = 0.0
    height: float = 0.0
    box: Box | None = None
    inner: list["Picture"] = field(default_factory=list)
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    floor: float = 0.0
    label: float = 0.0

    @property
    def room(self) -> float:
        return max(self.width, self.label)


@dataclass(eq=False)
class Line:
    """An arrow through some points, the first at a box's lower edge and the last at the upper edge of another (if it leads back, the
    other way round)."""

    edge: Edge
    points: list[Point]
    label: Point
    back: bool = False


@dataclass(eq=False)
class Picture:
    """A graph with its places; `x` and `y` are where its upper left corner lies in what it is part of."""

    width: float
    height: float
    nodes: list[Placed]
    lines: list[Line]
    x: float = 0.0
    y: float = 0.0


def arrange(graph: Graph) -> Picture:
    """Place everything of a graph, and of the graphs in its boxes."""
    nodes = {START: Placed(START, DOT, DOT)}
    nodes |= {name: _sized(box) for name, box in graph.boxes.items()}
    nodes[END] = Placed(END, DOT, DOT)
    edges = [edge for edge in graph.edges if edge.source != edge.target]
    back = _leading_back(nodes, edges)
    ends = [(edge.target, edge.source) if edge in back else (edge.source, edge.target) for edge in edges]
    _give_layers(nodes, ends)
    chains = [_chain(nodes[upper], nodes[lower]) for upper, lower in ends]
    for edge, chain in zip(edges, chains, strict=True):
        labelled = chain[-2] if edge in back else chain[1]
        labelled.label = max(labelled.label, len(edge.label) * SMALL + 8)
    layers = _layers([*nodes.values(), *(bend for chain in chains for bend in chain[1:-1])])
    above, below = _links(chains)
    _order(layers, above, below)
    _across(layers, above, below)
    height = _down(layers)
    lines = [
        Line(edge, _points(chain), _label(chain, edge in back), edge in back)
        for edge, chain in zip(edges, chains, strict=True)
    ]
    lines += [_loop(nodes[edge.source], edge) for edge in graph.edges if edge.source == edge.target]
    return _framed(list(nodes.values()), lines, height)


def _sized(box: Box) -> Placed:
    width = max(NARROWEST, max(len(box.name) * CHARACTER, len(box.detail) * SMALL) + 2 * SIDE)
    if not box.inner:
        return Placed(box.name, width, LINE * (3 if box.detail else 2) + 10, box)
    inner = [arrange(graph) for graph in box.inner]
    x = SIDE
    for picture in inner:
        picture.x, picture.y = x, TOP
        x += picture.width + GAP
    content = x - GAP + SIDE
    for picture in inner:
        picture.x += max(0.0, width - content) / 2
    return Placed(box.name, max(width, content), max(picture.height for picture in inner) + TOP + 14, box, inner)


def _leading_back(nodes: dict[str, Placed], edges: Sequence[Edge]) -> set[Edge]:
    """Arrows that close a circle, found by going through the graph from its start."""
    leaving: dict[str, list[Edge]] = {name: [] for name in nodes}
    for edge in edges:
        leaving[edge.source].append(edge)
    back: set[Edge] = set()
    done: set[str] = set()
    for root in nodes:
        if root in done:
            continue
        path: dict[str, Iterator[Edge]] = {root: iter(leaving[root])}
        while path:
            name = next(reversed(path))
            following = next(path[name], None)
            if following is None:
                del path[name]
                done.add(name)
            elif following.target in path:
                back.add(following)
            elif following.target not in done:
                path[following.target] = iter(leaving[following.target])
    return back


def _give_layers(nodes: dict[str, Placed], ends: Sequence[tuple[str, str]]) -> None:
    """Each box below all that lead to it; the end below everything."""
    lower: dict[str, list[str]] = {name: [] for name in nodes}
    waiting = dict.fromkeys(nodes, 0)
    for source, target in ends:
        lower[source].append(target)
        waiting[target] += 1
    ready = [name for name, count in waiting.items() if count == 0]
    for name in ready:  # grows while it is gone through
        if name not in (START, END) and nodes[name].layer == 0:
            nodes[name].layer = 1
        for target in lower[name]:
            nodes[target].layer = max(nodes[target].layer, nodes[name].layer + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    nodes[END].layer = max(node.layer for node in nodes.values() if node.name != END) + 1


def _chain(upper: Placed, lower: Placed) -> list[Placed]:
    """Two boxes with a bend in every layer between them."""
    bends = [Placed("", layer=layer) for layer in range(upper.layer + 1, lower.layer)]
    return [upper, *bends, lower]


def _layers(nodes: Sequence[Placed]) -> list[list[Placed]]:
    layers: list[list[Placed]] = [[] for _ in range(max(node.layer for node in nodes) + 1)]
    for node in nodes:
        layers[node.layer].append(node)
    return layers


Links = dict[Placed, list[Placed]]


def _links(chains: Sequence[Sequence[Placed]]) -> tuple[Links, Links]:
    """What is linked to each box from above, and from below."""
    above: Links = {}
    below: Links = {}
    for chain in chains:
        for upper, lower in itertools.pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    return above, below


def _order(layers: list[list[Placed]], above: Links, below: Links) -> None:
    """Sort each layer by the mean place of what its boxes are linked to, down and up again, a few times."""
    for sweep in range(_SWEEPS):
        links, through = (above, layers[1:]) if sweep % 2 == 0 else (below, layers[-2::-1])
        for layer in through:
            _number(layers)
            means = {node: _mean([other.x for other in links.get(node, ())], node.x) for node in layer}
            layer.sort(key=lambda node: means[node])
    _number(layers)


def _number(layers: list[list[Placed]]) -> None:
    for layer in layers:
        for place, node in enumerate(layer):
            node.x = float(place)


def _across(layers: list[list[Placed]], above: Links, below: Links) -> None:
    """Set each box near what it is linked to, as far as its neighbours let it."""
    for layer in layers:
        x = 0.0
        for node in layer:
            node.x = x + node.room / 2
            x += node.room + GAP
    for sweep in range(_SWEEPS):
        links, through = (above, layers[1:]) if sweep % 2 == 0 else (below, layers[-2::-1])
        for layer in through:
            wanted = [_mean([other.x for other in links.get(node, ())], node.x) for node in layer]
            _spread(layer, wanted)


def _spread(layer: Sequence[Placed], wanted: Sequence[float]) -> None:
    """The places nearest to those wanted that keep order and distance: clusters that touch move as one."""
    clusters: list[
        tuple[float, list[float], float]
    ] = []  # place of the first, offsets, sum of what they want for the first
    for place, (node, want) in enumerate(zip(layer, wanted, strict=True)):
        offsets, total = [0.0], want
        if place and clusters:
            step = (layer[place - 1].room + node.room) / 2 + GAP
            start, held, held_total = clusters[-1]
            while start + held[-1] + step > _start(total, offsets):
                clusters.pop()
                shift = held[-1] + step
                total = held_total + total - shift * len(offsets)
                offsets = [*held, *(shift + offset for offset in offsets)]
                if not clusters:
                    break
                start, held, held_total = clusters[-1]
                first = place + 1 - len(offsets)
                step = (layer[first - 1].room + layer[first].room) / 2 + GAP
        clusters.append((_start(total, offsets), offsets, total))
    places = iter(layer)
    for start, offsets, _ in clusters:
        for offset in offsets:
            next(places).x = start + offset


def _start(total: float, offsets: Sequence[float]) -> float:
    """Where the first of a cluster goes, so that on average all are where they want to be."""
    return total / len(offsets)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _down(layers: list[list[Placed]]) -> float:
    y = 0.0
    for layer in layers:
        height = max((node.height for node in layer), default=0.0)
        for node in layer:
            if node.box is None and not node.name:
                node.height = height
            node.y = y + node.height / 2
            node.floor = y + height
        y += height + BETWEEN
    return y - BETWEEN


def _points(chain: Sequence[Placed]) -> list[Point]:
    upper, *bends, lower = chain
    bottom = upper.y + upper.height / 2
    return [
        (upper.x, bottom),
        *([(upper.x, upper.floor)] if upper.floor > bottom + 1 else []),
        *((bend.x, bend.y + side * bend.height / 2) for bend in bends for side in (-1, 1)),
        (lower.x, lower.y - lower.height / 2),
    ]


def _loop(node: Placed, edge: Edge) -> Line:
    """From a box's side back to it."""
    x, y = node.x + node.width / 2, node.y
    return Line(edge, [(x, y - 8), (x + 22, y - 8), (x + 22, y + 8), (x, y + 8)], (x + 40, y))


def _framed(nodes: list[Placed], lines: list[Line], height: float) -> Picture:
    """Everything moved so that the upper left corner is at nothing."""
    xs = [x for line in lines for x, _ in line.points]
    xs += [x for line in lines if line.edge.label for x in _label_ends(line)]
    left = min([node.x - node.width / 2 for node in nodes] + xs)
    right = max([node.x + node.width / 2 for node in nodes] + xs)
    for node in nodes:
        node.x -= left
    for line in lines:
        line.points = [(x - left, y) for x, y in line.points]
        line.label = (line.label[0] - left, line.label[1])
    return Picture(right - left, height, nodes, lines)


def _label(chain: Sequence[Placed], back: bool) -> Point:
    """The middle of an arrow's label: in the gap between layers, where few arrows have come together."""
    upper, lower = (chain[-2], chain[-1]) if back else (chain[0], chain[1])
    return (upper.x, upper.floor + 14) if back else (lower.x, upper.floor + BETWEEN - 14)


def _label_ends(line: Line) -> tuple[float, float]:
    x, half = line.label[0], len(line.edge.label) * SMALL / 2
    return x - half, x + half
