"""The transformer's pieces against plain forms of the same."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from spinedet.detection.models.transformer import BEYOND, POINTS, BoxAttention, Map


def plainly(layer: BoxAttention, queries: torch.Tensor, boxes: torch.Tensor, detail: Map) -> torch.Tensor:
    """Attention with a key and a value at every point, one head and one query after the other."""
    spread = torch.cartesian_prod(*(torch.linspace(-BEYOND / 2, BEYOND / 2, count) for count in POINTS))
    seen = detail.sample((boxes[:, :, None, :3] + spread * boxes[:, :, None, 3:]).flatten(1, 2))
    read = F.relu(layer.read(seen).view(*boxes.shape[:2], len(spread), -1) + layer.where)
    keys, values = layer.value(read).chunk(2, dim=-1)
    asked = layer.query(queries)
    answers = torch.zeros_like(asked)
    width = asked.shape[-1] // layer.heads
    for head in range(layer.heads):
        own = slice(head * width, (head + 1) * width)
        for scan, query in torch.cartesian_prod(*(torch.arange(n) for n in boxes.shape[:2])).tolist():
            weight = (keys[scan, query, :, own] @ asked[scan, query, own] / math.sqrt(width)).softmax(0)
            answers[scan, query, own] = weight @ values[scan, query, :, own]
    return layer.out(answers)


def test_box_attention_is_plain_attention_to_the_points_of_a_box() -> None:
    torch.manual_seed(0)
    layer = BoxAttention(channels=16, heads=4, read=3)
    detail = Map(torch.randn(2, 3, 5, 6, 7), torch.tensor([4.0, 2.0, 2.0]), torch.tensor([2.0, 1.0, 1.0]))
    boxes = torch.cat([torch.rand(2, 5, 3) * 10, torch.rand(2, 5, 3) * 6 + 2], dim=-1)
    queries = torch.randn(2, 5, 16)
    torch.testing.assert_close(layer(queries, boxes, detail), plainly(layer, queries, boxes, detail))
