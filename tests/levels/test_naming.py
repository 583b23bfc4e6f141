"""Names: the whole chain or nothing, and the reason."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import spinedet
from spinedet.core.anatomy import Region
from spinedet.core.errors import InputError
from spinedet.core.files import sha256
from spinedet.core.geometry import Array, Grid
from spinedet.core.types import Finding
from spinedet.levels.anchor import NOT_SHOWN, WIDTH, ChainView, design, fit, posterior, room_below, view_of
from spinedet.levels.chain import RULES, candidates_of, find_chain
from spinedet.levels.naming import ManualAnchor, SeriesNaming, State, counted, name_by_hand, name_series, numbered
from spinedet.levels.parameters import LevelParameters, read_levels, write_levels
from spinedet.levels.patches import SIZE, patches, sample
from spinedet.levels.study import agree, with_levels

from .spines import finding, image_around, spine_findings

RULE = RULES[Region.LUMBAR]
LUMBAR_NAMES = ["T11/T12", "T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1"]


def view(findings: list[Finding], below: float) -> ChainView:
    image, grid = image_around(findings, below)
    candidates = candidates_of(findings)
    return view_of(candidates, find_chain(candidates, RULE), RULE, image, grid)


@cache
def weights() -> Array:
    """A fit to 60 drawn spines: whole, with a sacral disc, and cut off."""
    rng, designs, chosen = np.random.default_rng(5), [], []
    for _ in range(20):
        for findings, below, outcome in (
            (spine_findings(rng), 70.0, 0),
            (spine_findings(rng, sacrum=True), 40.0, 1),
            (spine_findings(rng, tail=1), 20.0, NOT_SHOWN),
        ):
            designs.append(design(view(findings, below)))
            chosen.append(len(designs[-1]) - 1 if outcome == NOT_SHOWN else outcome)
        for tail in (1, 2, 3):  # boxes that were not found
            designs.append(design(view(spine_findings(rng, tail=tail), 70.0 + 32 * tail)))
            chosen.append(len(designs[-1]) - 1)
    return fit(designs, chosen, [1.0] * len(designs))


def parameters(threshold: float = 0.8) -> LevelParameters:
    return LevelParameters(
        name="drawn",
        weights_sha256="0",
        threshold=threshold,
        validated=False,
        weights=tuple(weights().tolist()),
        fitted_on={},
        evidence={},
    )


def named(findings: list[Finding], below: float = 70.0, threshold: float = 0.8) -> SeriesNaming:
    image, grid = image_around(findings, below)
    return name_series("sag", findings, image, grid, Region.LUMBAR, parameters(threshold))


def levels(naming: SeriesNaming) -> list[str | None]:
    return [disc.level for disc in naming.discs]


def test_a_whole_lumbar_spine_is_named() -> None:
    found = named(spine_findings())
    assert found.state is State.NAMED
    assert levels(found) == LUMBAR_NAMES
    assert found.record()["assumes"] == "five lumbar vertebrae"
    assert [disc.ordinal for disc in found.discs] == [7, 6, 5, 4, 3, 2, 1]


def test_a_sacral_disc_in_the_chain_does_not_shift_the_names() -> None:
    assert levels(named(spine_findings(sacrum=True), 40.0)) == [*LUMBAR_NAMES, "S1/S2"]


def test_a_view_cut_above_the_sacrum_is_not_named_and_says_so() -> None:
    found = named(spine_findings(tail=1), 20.0)
    assert found.state is State.UNRESOLVED
    assert set(levels(found)) == {None}
    assert "L5/S1 is not shown" in str(found.reason)


def test_a_tail_far_above_the_lower_edge_contradicts_itself() -> None:
    low = view(spine_findings(tail=2), 90.0)
    assert low.ends_too_early
    assert not view(spine_findings(), 40.0).ends_too_early


def test_below_the_threshold_nothing_is_named() -> None:
    found = named(spine_findings(), threshold=1.1)
    assert found.state is State.UNRESOLVED
    assert "posterior" in str(found.reason)
    assert found.probability is not None
    assert found.probability > 0.5


def test_every_counted_name_has_another_if_six_lumbar_vertebrae() -> None:
    found = named(spine_findings(sacrum=True), 40.0)
    other = [disc["if_six_lumbar"] for disc in found.record()["chain"]]  # type: ignore[index, union-attr, call-overload]
    assert other == ["T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/L6", "L6/S1", None]
    (finding_,) = with_levels(spine_findings()[5:6], agree([named(spine_findings())]))
    assert finding_.level == "L4/L5"
    assert finding_.naming
    assert finding_.naming["if_six_lumbar"] == "L5/L6"
    assert finding_.naming["likeliest"] == "L4/L5"
    assert unnamed_others(named(spine_findings(), threshold=1.1))


def unnamed_others(naming: SeriesNaming) -> bool:
    return all(naming.if_six(disc) is None for disc in naming.discs)


def test_a_small_lumbosacral_disc_is_a_sign_of_transitional_anatomy() -> None:
    discs = spine_findings()
    assert not named(discs).transitional
    small = discs[-1].box.model_copy(update={"size": (30.0, 32.0, 15.0)})
    found = named([*discs[:-1], discs[-1].model_copy(update={"box": small})], threshold=0.5)
    assert found.transitional
    assert found.record()["disc_ratio"] == pytest.approx(np.hypot(32, 15) / np.hypot(42, 16), abs=1e-3)
    assert levels(found) == LUMBAR_NAMES
    assert not found.unresolved("x").transitional


def test_a_contradiction_keeps_the_likeliest_disc_and_names_nothing() -> None:
    found = named(spine_findings(tail=2), 140.0)
    assert not found.named
    assert "the image goes on" in str(found.reason)
    assert found.likeliest
    assert found.likeliest_level(found.discs[-1]) is not None


def test_half_of_the_boxes_name_rightly_or_not_at_all() -> None:
    rng = np.random.default_rng(3)
    whole = spine_findings()
    truth = dict(zip([f.box.center for f in whole], LUMBAR_NAMES, strict=True))
    for _ in range(40):
        kept = [f for f in whole if rng.random() < 0.5]
        image, grid = image_around(whole, 70.0)
        found = name_series("sag", kept, image, grid, Region.LUMBAR, parameters(0.9))
        assert all(disc.level in (None, truth[disc.center]) for disc in found.discs)


def test_too_few_discs_no_parameters_and_necks_are_unresolved_with_the_reason() -> None:
    discs = spine_findings()
    image, grid = image_around(discs)
    short = name_series("sag", discs[:2], *image_around(discs[:2]), Region.LUMBAR, parameters())
    bare = name_series("sag", discs, image, grid, Region.LUMBAR, None)
    neck = [finding((0, 0, 17.5 * row), (20.0, 21.0, 8.0)) for row in range(7)]
    other = name_series("sag", neck, *image_around(neck), Region.CERVICAL, parameters())
    for found, reason in ((short, "only 2 discs"), (bare, "levels.json"), (other, "c2=")):
        assert not found.named
        assert reason in str(found.reason)
    assert [disc.ordinal for disc in other.discs] == [7, 6, 5, 4, 3, 2, 1]


def test_a_neck_given_to_a_lumbar_detector_is_not_named_and_the_region_is_doubted() -> None:
    neck = [finding((0, 0, 17.5 * row), (20.0, 21.0, 8.0), 0.05) for row in range(8)]
    image, grid = image_around(neck, 90.0)
    found = name_series("sag", neck, image, grid, Region.LUMBAR, parameters())
    assert found.wrong_region
    assert found.record()["wrong_region"] is True
    assert "check the region" in str(found.reason)
    assert not found.named
    assert not named(spine_findings()).wrong_region
    short, small = image_around(neck[:2], 20.0)
    assert not name_series("sag", neck[:2], short, small, Region.LUMBAR, parameters()).wrong_region


def test_counting_stops_where_no_name_is_left() -> None:
    neck = numbered(np.array([[0.0, 0, 17 * row] for row in range(5, -1, -1)]))
    assert [d.level for d in counted(neck, 5, "C2/C3")] == [None, "C2/C3", "C3/C4", "C4/C5", "C5/C6", "C6/C7"]
    low = numbered(np.array([[0.0, 0, 30 * row] for row in range(3, -1, -1)]))
    assert [d.level for d in counted(low, 4)] == ["L5/S1", "S1/S2", None, None]


# --- a person's word ---


def test_a_point_in_l5_names_the_chain() -> None:
    discs = spine_findings(tail=1)
    image, grid = image_around(discs, 60.0)
    bare = name_series("sag", discs, image, grid, Region.LUMBAR, None)
    point = tuple(float(v) for v in np.mean([discs[-2].box.center, discs[-1].box.center], axis=0))
    found = name_by_hand(bare, ManualAnchor("L5", (point[0], point[1], point[2])), grid)
    assert found.state is State.MANUAL
    assert levels(found)[-2:] == ["L4/L5", "L5/S1"]


@pytest.mark.parametrize("point", [(0.0, 0.0, 4000.0), (0.0, 0.0, -40.0)])
def test_a_point_outside_or_below_all_discs_is_refused_with_their_places(point: tuple[float, float, float]) -> None:
    discs = spine_findings()
    image, grid = image_around(discs)
    bare = name_series("sag", discs, image, grid, Region.LUMBAR, None)
    lowest = discs[-1].box.center
    place = (point[0], point[1] + lowest[1], point[2] + lowest[2])
    with pytest.raises(InputError, match=r"l5=.*\(R, A, S\): 0, "):
        name_by_hand(bare, ManualAnchor("L5", place), grid)


# --- whole studies ---


def moved(discs: list[Finding], by: float, series: str) -> list[Finding]:
    return [
        f.model_copy(
            update={
                "series": series,
                "box": f.box.model_copy(update={"center": (f.box.center[0], f.box.center[1], f.box.center[2] + by)}),
            }
        )
        for f in discs
    ]


@pytest.mark.parametrize(("by", "expected"), [(0.0, LUMBAR_NAMES), (10.0, LUMBAR_NAMES), (-10.0, LUMBAR_NAMES)])
def test_axial_findings_are_named_through_the_sagittal_series(by: float, expected: list[str]) -> None:
    discs = spine_findings()
    found = with_levels(moved(discs, by, "ax"), agree([named(discs)]))
    assert [f.level for f in found] == expected
    assert all(f.naming and f.naming["series"] == "sag" for f in found)


def test_axial_findings_between_two_discs_get_no_name() -> None:
    discs = spine_findings()
    found = with_levels(moved(discs[2:3], 17.0, "ax"), agree([named(discs)]))
    assert [f.level for f in found] == [None]


def test_without_names_axial_findings_have_the_number_of_their_disc() -> None:
    discs = spine_findings()
    image, grid = image_around(discs)
    bare = name_series("sag", discs, image, grid, Region.LUMBAR, None)
    found = with_levels(moved(discs, 5.0, "ax"), agree([bare]))
    assert [(f.level, f.ordinal) for f in found] == [(None, number) for number in range(7, 0, -1)]
    assert all(f.naming and "levels.json" in str(f.naming["reason"]) for f in found)


def test_without_a_sagittal_series_nothing_is_named() -> None:
    found = with_levels(moved(spine_findings(), 0.0, "ax"), agree([]))
    assert {f.level for f in found} == {None}
    assert all(f.naming and "no sagittal series" in str(f.naming["reason"]) for f in found)


def test_series_that_disagree_are_both_unresolved() -> None:
    discs = spine_findings()
    one = named(discs)
    other = SeriesNaming("sag2", State.NAMED, counted(one.discs, 2), anchor="L5/S1")
    study = agree([one, other])
    assert {naming.state for naming in study.series.values()} == {State.UNRESOLVED}
    found = with_levels(discs, study)
    assert {f.level for f in found} == {None}
    assert all(f.naming and "series disagree" in str(f.naming["reason"]) for f in found)
    assert [f.ordinal for f in found] == [7, 6, 5, 4, 3, 2, 1]


def test_a_series_that_is_not_resolved_takes_names_from_one_that_is() -> None:
    discs = spine_findings()
    cut = SeriesNaming("sag2", State.UNRESOLVED, numbered(np.array([f.box.center for f in discs[:4]])), reason="x")
    found = with_levels(moved(discs[:4], 1.0, "sag2"), agree([named(discs), cut]))
    assert [f.level for f in found] == LUMBAR_NAMES[:4]


# --- the parts ---


def test_room_is_measured_along_the_image_whichever_way_it_is_stored() -> None:
    affine = np.diag([4.0, 1.0, 2.0, 1.0])
    point = np.array([10.0, 10.0, 30.0])
    up = Grid((9, 50, 40), affine)
    assert room_below(up, point) == pytest.approx(31.0)
    down = affine.copy()
    down[2, 2], down[2, 3] = -2.0, 78.0
    assert room_below(Grid((9, 50, 40), down), point) == pytest.approx(31.0)


def test_sampling_is_exact_on_a_linear_image_and_keeps_the_edge() -> None:
    affine = np.array([[0, 0, 3.0, 5.0], [2.0, 0, 0, -7.0], [0, -1.5, 0, 40.0], [0, 0, 0, 1]])
    grid = Grid((6, 7, 8), affine)
    index = np.indices(grid.shape).reshape(3, -1).T
    places = index @ affine[:3, :3].T + affine[:3, 3]
    image = (places @ [1.0, 2.0, -3.0]).reshape(grid.shape)
    points = np.array([[9.0, -4.3, 36.2], [20.0, 1.0, 33.0]])
    assert sample(image, grid, points) == pytest.approx(points @ [1.0, 2.0, -3.0])
    assert sample(image, grid, np.array([[5.0, -7.0, 400.0]])) == pytest.approx(image[0, 0, 0])


def test_patches_turn_with_the_spine() -> None:
    discs = spine_findings()
    image, grid = image_around(discs)
    centers = np.array([f.box.center for f in discs])
    found = patches(image, grid, centers)
    assert found.shape == (len(discs) - 1, SIZE)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0)
    assert patches(np.ones(grid.shape), grid, centers) == pytest.approx(0.0)


def test_a_posterior_is_one_in_all() -> None:
    chances = posterior(view(spine_findings(), 70.0), weights())
    assert chances.sum() == pytest.approx(1.0)
    assert int(chances.argmax()) == 0


def test_parameters_come_back_and_belong_to_their_weights(tmp_path: Path) -> None:
    assert read_levels(tmp_path) is None
    (tmp_path / "weights.safetensors").write_bytes(b"weights")
    kept = parameters().model_copy(update={"weights_sha256": sha256(tmp_path / "weights.safetensors")})
    write_levels(tmp_path / "levels.json", kept)
    again = read_levels(tmp_path)
    assert again is not None
    assert again.logit == pytest.approx(kept.logit, abs=1e-6)
    (tmp_path / "weights.safetensors").write_bytes(b"other weights")
    with pytest.raises(InputError, match="fitted for other weights"):
        read_levels(tmp_path)


def test_parameters_of_another_length_are_refused(tmp_path: Path) -> None:
    write_levels(tmp_path / "levels.json", parameters().model_copy(update={"weights": (0.0,) * (WIDTH - 1)}))
    with pytest.raises(InputError, match="weights"):
        read_levels(tmp_path)


def test_the_weights_that_ship_have_parameters_of_their_own() -> None:
    folder = Path(spinedet.__file__).parent / "weights" / "model"
    found = read_levels(folder)
    assert found is not None
    assert 0.5 < found.threshold < 1
    assert found.fitted_on["patients"] == 127
