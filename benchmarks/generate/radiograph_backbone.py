"""Make the weights that networks of radiographs begin with by default, from simulated radiographs alone.

    python -m benchmarks.generate.radiograph_backbone runs/backbone [--table mnasnet_b1] [--write]

A network (EfficientNet-Lite0 unless `--table` names another) learns, on windows of simulated radiographs, to name the
view, to measure pedicle screws, rods, heads and cages of systems drawn at random, to see the signs of fractures and the
tilt and level of vertebrae, and to mark where all of them lie: for the whole window from its pooled features, and for
every part from the features at its place. The labels of the shipped tasks are not taught. Pictures and the state of
each training are kept in the folder, so that the same command goes on after a stop. The last round is not learnt from:
on it the result is measured. `--write` puts the weights of all but the last layer into the package. 6 CPU minutes to
draw, 14 to 20 to train.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn

from benchmarks.generate.backbone_pictures import NUMBERS, QUANTITIES, SEED, Part, Picture, pictures
from benchmarks.generate.backbone_windows import Windows, batch, random_batch, usual
from spinedet.core.files import write_bytes
from spinedet.radiograph.models import build
from spinedet.radiograph.models.inverted import TABLES, InvertedNet
from spinedet.radiograph.phantom_weights import PHANTOM_WEIGHTS
from spinedet.radiograph.settings import InvertedConfig

SIDE, TEST_SIDE = 128, 176
RATE, WARMUP, DECAY, CLIP = 3e-3, 0.06, 0.05, 5.0
CHECKPOINT, REPORT = 100, 50
# What the losses of pooled features, of features at a part, of earlier features there, and of the marks count.
COUNTS = {"whole": 1.5, "late": 1.0, "early": 0.7, "marks": 1.0}
_IS_NUMBER = torch.tensor([name in NUMBERS for name in QUANTITIES])


@dataclass(frozen=True, slots=True, eq=False)
class Guesses:
    """Of a batch: the whole windows (n, quantities), parts by late and by earlier features (n, MOST, quantities), and
    logits of every part's marks (n, parts, rows, columns)."""

    whole: Tensor
    late: Tensor
    early: Tensor
    marks: Tensor


class Pretraining(nn.Module):
    """A backbone with a linear layer for each way to be taught."""

    def __init__(self, name: str) -> None:
        super().__init__()
        table = TABLES[name]
        self.backbone = cast(InvertedNet, build(InvertedConfig(table=name), 1))
        # Stem of three modules, then the blocks: the earlier features are those before the last halving.
        last = max(row for row, block in enumerate(table.blocks) if block.stride == 2)
        self.split, width = 3 + last, table.blocks[last - 1].out
        self.whole = nn.Linear(self.backbone.width, len(QUANTITIES))
        self.late = nn.Linear(self.backbone.width, len(QUANTITIES))
        self.early = nn.Linear(width, len(QUANTITIES))
        self.marks = nn.Conv2d(width, len(Part), 1)
        nn.init.constant_(torch.as_tensor(self.marks.bias), -3.0)

    def forward(self, windows: Windows) -> Guesses:
        """Everything that is taught."""
        early = self.backbone.features[: self.split](windows.images)
        late = self.backbone.features[self.split :](early)
        return Guesses(
            self.whole(self.backbone.hidden(late.mean((2, 3)))),
            self.late(self.backbone.hidden(_at(late, windows.places))),
            self.early(_at(early, windows.places)),
            self.marks(early),
        )


def _at(features: Tensor, places: Tensor) -> Tensor:
    """(n, MOST, channels): features (n, channels, rows, columns) at places (n, MOST, 2)."""
    sampled = F.grid_sample(features, places[:, None], padding_mode="border", align_corners=False)
    return sampled[:, :, 0].transpose(1, 2)


def quantity_losses(guess: Tensor, known: Tensor) -> Tensor:
    """(quantities,): mean loss of each where it is known, NaN where it never is."""
    guess, known = guess.flatten(0, -2), known.flatten(0, -2)
    there = torch.isfinite(known)
    wanted = known.nan_to_num()
    number = F.smooth_l1_loss(guess, wanted, reduction="none")
    sign = F.binary_cross_entropy_with_logits(guess, wanted.clamp(0, 1), reduction="none")
    each = torch.where(_IS_NUMBER, number, sign) * there
    mean = each.sum(0) / there.sum(0).clamp_min(1)
    return torch.where(there.any(0), mean, torch.nan)


def mark_loss(logits: Tensor, windows: Windows) -> Tensor:
    """Cells in which parts lie against all others."""
    wanted = torch.zeros_like(logits)
    rows, columns = logits.shape[2:]
    image, part = torch.nonzero(windows.parts >= 0, as_tuple=True)
    x, y = ((windows.places[image, part] + 1) / 2).unbind(1)
    at = (y * rows).long().clamp(0, rows - 1), (x * columns).long().clamp(0, columns - 1)
    wanted[image, windows.parts[image, part], at[0], at[1]] = 1
    return F.binary_cross_entropy_with_logits(logits, wanted, pos_weight=torch.tensor(8.0))


def losses(network: Pretraining, windows: Windows) -> tuple[Tensor, Tensor]:
    """The sum, and the loss of each quantity (quantities,) of whole windows."""
    guesses = network(windows)
    whole = quantity_losses(guesses.whole, windows.whole)
    parts = {
        "whole": torch.nanmean(whole),
        "late": torch.nanmean(quantity_losses(guesses.late, windows.values)),
        "early": torch.nanmean(quantity_losses(guesses.early, windows.values)),
        "marks": mark_loss(guesses.marks, windows),
    }
    return torch.stack([COUNTS[name] * value for name, value in parts.items()]).sum(), whole.detach()


def rate(step: int, steps: int) -> float:
    """Rises to the peak, then falls to nothing with a cosine."""
    share = (step + 1) / steps
    return RATE * (
        share / WARMUP if share < WARMUP else 0.5 * (1 + math.cos(math.pi * (share - WARMUP) / (1 - WARMUP)))
    )


def train(network: Pretraining, known: Sequence[Picture], state: Path, steps: int) -> None:
    """Train up to so many steps, from the state that the file holds on."""
    matrices = [one for one in network.parameters() if one.ndim > 1]
    rest = [one for one in network.parameters() if one.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, RATE, betas=(0.9, 0.99))
    first = _restore(state, network, optimizer) if state.is_file() else 0
    network.train()
    seen, began = [], time.process_time()
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        loss, whole = losses(network, random_batch(known, SIDE, (SEED, step)))
        if not torch.isfinite(loss):
            raise SystemExit(f"the loss of step {step} is not finite")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        seen.append(torch.cat([loss.detach()[None], whole]))
        if (step + 1) % REPORT == 0:
            print(_line(step + 1, torch.stack(seen), time.process_time() - began), flush=True)
            seen, began = [], time.process_time()
        if (step + 1) % CHECKPOINT == 0 or step + 1 == steps:
            _keep(state, network, optimizer, step + 1)


def _line(step: int, seen: Tensor, seconds: float) -> str:
    total, *whole = torch.nanmean(seen, 0).tolist()
    each = ", ".join(f"{name} {value:.2f}" for name, value in zip(QUANTITIES, whole, strict=True) if value == value)
    return f"step {step}: loss {total:.3f} ({each}); {seconds / len(seen):.2f} CPU s a step"


def _keep(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    tensors = {f"network.{name}": tensor.contiguous() for name, tensor in network.state_dict().items()}
    for row, one in enumerate(p for group in optimizer.param_groups for p in group["params"]):
        for name, tensor in optimizer.state[one].items():
            tensors[f"optimizer.{row}.{name}"] = tensor.contiguous()
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata={"step": str(step)})
    part.replace(path)


def _restore(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    tensors = load_file(path)
    network.load_state_dict(_under("network.", tensors))
    for row, one in enumerate(p for group in optimizer.param_groups for p in group["params"]):
        optimizer.state[one] = _under(f"optimizer.{row}.", tensors)
    with safe_open(path, "pt") as content:
        return int(content.metadata()["step"])


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}


def shipped_form(backbone: nn.Module) -> dict[str, Tensor]:
    """All but the layer of the labels: matrices as halves, norms as they are."""
    return {
        name: (tensor.half() if tensor.ndim > 1 else tensor).contiguous()
        for name, tensor in backbone.state_dict().items()
        if not name.startswith("head.") and not name.endswith("num_batches_tracked")
    }


def measure(network: Pretraining, unseen: Sequence[Picture]) -> Iterator[str]:
    """What pooled features tell of pictures that were not learnt from: correlation of numbers, AUC of signs."""
    network.eval()
    samples = [one for picture in unseen for one in usual(picture, TEST_SIDE)]
    with torch.inference_mode():
        found = [
            (network(windows).whole, windows.whole)
            for windows in (batch(samples[row : row + 32]) for row in range(0, len(samples), 32))
        ]
    guess, known = (torch.cat(one).double().numpy() for one in zip(*found, strict=True))
    for column, name in enumerate(QUANTITIES):
        there = np.isfinite(known[:, column])
        own, right = guess[there, column], known[there, column]
        if len(np.unique(right)) < 2:
            continue
        if name in NUMBERS:
            yield f"{name}: correlation {np.corrcoef(own, right)[0, 1]:.2f} of {len(own)}"
        else:
            above = own[right == 1][:, None] - own[right == 0][None]
            yield f"{name}: AUC {((above > 0) + 0.5 * (above == 0)).mean():.2f} of {len(own)}"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", choices=sorted(PHANTOM_WEIGHTS), default="efficientnet_lite0", help="the network")
    parser.add_argument("--write", action="store_true", help="put the weights into the package")
    parser.add_argument("--rounds", type=int, default=20, help="of pictures to learn from; one more to measure on")
    parser.add_argument("--steps", type=int, default=1600, help="of the training")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    network = Pretraining(chosen.table)
    *known, unseen = pictures(chosen.folder, chosen.rounds + 1)
    state = chosen.folder / f"{chosen.table}-state.safetensors"
    train(network, [one for drawn in known for one in drawn], state, chosen.steps)
    content = save(shipped_form(network.backbone))
    write_bytes(chosen.folder / PHANTOM_WEIGHTS[chosen.table].name, content)
    for line in measure(network, unseen):
        print(line)
    if chosen.write:
        write_bytes(PHANTOM_WEIGHTS[chosen.table], content)
    print(f"{len(content):,} bytes")


if __name__ == "__main__":
    main()
