"""The contents of the lumbar canal: conus, cauda equina, the sac's taper in the sacrum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spinedet.simulation.anatomy.canal import Canal, CanalSettings, Table, build_canal, ripple
from spinedet.simulation.anatomy.degeneration import DiscState
from spinedet.simulation.anatomy.spine import Array, Spine
from spinedet.simulation.painting.texture import draw_texture

_TABLE: Table = {
    "S5": (4.0, 2.0, 0.0, 0.0),
    "S4": (6.0, 3.0, 0.0, 0.0),
    "S3": (8.0, 4.0, 0.0, 0.0),
    "S2": (11.0, 3.5, 6.0, 5.5),
    "S1": (14.5, 3.4, 9.5, 7.5),
    "L5": (15.6, 2.0, 11.8, 9.0),
    "L4": (15.2, 1.1, 12.8, 9.8),
    "L3": (15.2, 0.9, 13.4, 10.4),
    "L2": (15.4, 0.9, 13.8, 10.8),
    "L1": (15.8, 0.9, 14.2, 10.9),
    "T12": (15.8, 0.9, 14.2, 10.2),
    "T11": (15.0, 0.9, 13.2, 9.2),
    "T10": (14.4, 0.9, 12.6, 8.6),
    "T9": (14.2, 0.9, 12.4, 8.4),
    "T8": (14.2, 0.9, 12.4, 8.4),
}


def draw_canal(spine: Spine, states: dict[str, DiscState], rng: np.random.Generator) -> Canal:
    """The canal of one patient."""
    z = spine.curve.z
    # The conus ends around the disc L1/L2 (Saifuddin et al., Spine 23:1452, 1998).
    tip = spine.disc("L1/L2").frame.center[2] + float(rng.normal(4, 11))
    taper = np.sqrt(np.clip((z - tip) / 24.0, 0, 1))
    cord = np.stack([3.7 * taper, 4.6 * taper]) * spine.patient.scale
    end = spine.bone("S2").frame.center[2] + float(rng.normal(0, 9))
    flow = (draw_texture(1.0, (2.5, 2.5, 7.0), rng), float(rng.uniform(0.0, 0.25)))
    canal = build_canal(spine, states, CanalSettings(_TABLE, 5.5, 3.0, cord, _strands(z, tip, rng), flow), rng)
    closed = np.sqrt(np.clip((z - end) / 14, 0, 1))
    return replace(canal, sac_depth=canal.sac_depth * closed)


def _strands(z: Array, tip: float, rng: np.random.Generator) -> Array:
    """Rootlets from the conus down: they lie in the rear half of the sac of a patient on the back."""
    strands = []
    for side in np.linspace(-0.72, 0.72, 16):
        ends = float(rng.uniform(-30, 70))
        phase, sway, length = (
            rng.uniform(0, 40),
            rng.uniform(0.02, 0.09),
            rng.uniform(30, 60),
        )
        wave = sway * ripple((z + phase) / length)
        aside = side * np.clip((tip + 12 - z) / 50, 0.25, 1) + wave
        sunk = rng.uniform(0.05, 0.8) * np.sqrt(1 - side * side)
        behind = sunk * np.clip((tip + 15 - z) / 40, 0.3, 1) + wave
        hidden = (z > tip + 14) | (z < ends)
        strands.append(np.stack([np.where(hidden, -9.0, aside), behind]))
    return np.array(strands)
