"""The contents of the cervical canal: cord with its enlargement, in a narrow jacket of fluid."""

from __future__ import annotations

import numpy as np

from spinedet.simulation.anatomy.canal import Canal, CanalSettings, Table, build_canal
from spinedet.simulation.anatomy.degeneration import DiscState
from spinedet.simulation.anatomy.spine import Spine, along
from spinedet.simulation.painting.texture import draw_texture

_TABLE: Table = {
    "T4": (14.4, 0.9, 11.6, 8.2),
    "T3": (14.4, 0.9, 11.6, 8.2),
    "T2": (14.4, 0.9, 11.8, 8.4),
    "T1": (14.4, 0.9, 12.0, 9.2),
    "C7": (14.6, 0.9, 13.0, 11.0),
    "C6": (14.4, 0.8, 12.9, 11.8),
    "C5": (14.4, 0.8, 12.9, 11.8),
    "C4": (14.4, 0.8, 12.9, 11.4),
    "C3": (14.8, 0.9, 13.3, 10.8),
    "C2": (16.5, 1.6, 14.2, 10.2),
}
# Half depth and half width of the cord, after Fradet et al., Spine 39:E1015 (2014).
_CORD: Table = {
    "T4": (3.1, 4.4),
    "T3": (3.1, 4.5),
    "T2": (3.2, 4.7),
    "T1": (3.3, 5.2),
    "C7": (3.4, 6.1),
    "C6": (3.5, 6.8),
    "C5": (3.6, 7.0),
    "C4": (3.7, 6.8),
    "C3": (3.8, 6.3),
    "C2": (4.0, 6.0),
}


def draw_canal(spine: Spine, states: dict[str, DiscState], rng: np.random.Generator) -> Canal:
    """The canal of one patient; towards the head the cord widens into the brain stem."""
    z = spine.curve.z
    own = spine.patient.scale * float(np.clip(rng.normal(1, 0.06), 0.85, 1.15))
    rise = np.clip((z - spine.bone("C2").frame.center[2] - 18) / 30, 0, 1)
    cord = np.stack([own * (along(spine, _CORD, column) + extra * rise) for column, extra in ((0, 4.5), (1, 5.0))])
    flow = (draw_texture(0.8, (2.0, 2.0, 9.0), rng), float(rng.uniform(0.1, 0.5)))
    return build_canal(spine, states, CanalSettings(_TABLE, 1.2, 0.6, cord, np.empty((0, 2, len(z))), flow), rng)
