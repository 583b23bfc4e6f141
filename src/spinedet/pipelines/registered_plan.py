"""A registered analysis: a plan that is hashed before the data of a test are opened, and every departure from it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, FiniteFloat, ValidationError

from spinedet.core.errors import InputError
from spinedet.core.files import read_json, read_text, sha256, write_json
from spinedet.core.types import FiniteJson, Record, is_none
from spinedet.report.number_format import in_words
from spinedet.scoring import Estimate, Scores
from spinedet.scoring.thresholds import FrozenThresholds

FORMAT, OPENED, RESULT = "spinedet-plan", "plan.json", "plan_result.json"


class PrimaryMeasure(Record):
    """The statistic on which the conclusion rests, pooled over the centres of one plane."""

    measure: Literal["f1", "precision", "recall", "ap", "cpm"]
    plane: str


class Plan(Record):
    """What was decided before the data were opened.

    Attributes:
        criterion: of a hit, as `criterion=` takes it. threshold_rule: that chose the frozen thresholds.
        operating_point_sha256: of the thresholds themselves. centers: to be tested. patients: planned number.
        reference: value of the primary measure from which the result may fall short by `margin` and be non-inferior.
    """

    criterion: dict[str, FiniteJson]
    threshold_rule: str
    centers: tuple[str, ...] = Field(min_length=1)
    primary: PrimaryMeasure
    margin: FiniteFloat | None = Field(default=None, ge=0)
    reference: FiniteFloat | None = None
    operating_point_sha256: str | None = None
    patients: int | None = Field(default=None, gt=0)


class PlanResult(Record):
    """What `plan_result.json` holds.

    Attributes:
        patients: planned. departures: in words; empty when the test was done as planned. estimate: of the primary
            measure.
        non_inferior: whether the interval's lower limit lies above reference minus margin; None without a margin.
    """

    sha256: str
    patients: int | None = Field(default=None, exclude_if=is_none)
    departures: tuple[str, ...]
    primary: PrimaryMeasure
    estimate: Estimate
    reference: FiniteFloat | None = Field(default=None, exclude_if=is_none)
    margin: FiniteFloat | None = Field(default=None, exclude_if=is_none)
    non_inferior: bool | None = Field(default=None, exclude_if=is_none)


def register_plan(path: Path, folder: Path) -> tuple[Plan, str]:
    """Read the plan and write it with its hash into the test's folder, before any image is opened.

    Raises:
        InputError: the plan breaks its format, or differs from the one that this folder's test began with.
    """
    plan, digest = _read_plan(path), sha256(path)
    opened = folder / OPENED
    if opened.is_file():
        before = read_json(opened).get("sha256")
        if before != digest:
            raise InputError(
                f"{path} has changed since this test's data were opened (SHA-256 {str(before)[:12]}); restore the "
                "plan, or test into another out= folder"
            )
        return plan, digest
    write_json(opened, {"format": "spinedet-opened-plan", "sha256": digest, "plan": plan.model_dump(mode="json")})
    return plan, digest


def _read_plan(path: Path) -> Plan:
    try:
        raw = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML ({' '.join(str(error).split())}); mend the place") from None
    if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT or raw.pop("version", None) != 1:
        raise InputError(f'{path} is no {FORMAT} file of version 1; begin it with "format: {FORMAT}" and "version: 1"')
    unknown = sorted(set(raw) - set(Plan.model_fields))
    if unknown:
        raise InputError(f"{path}: unknown key {unknown[0]!r}; use {', '.join(Plan.model_fields)}")
    try:
        return Plan.model_validate(raw, strict=False)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ", ".join(map(str, fault["loc"]))
        raise InputError(f"{path}: {where}: {fault['msg']}") from None


def compare_with_plan(registered: tuple[Plan, str], scores: Scores, internal: Sequence[str]) -> PlanResult:
    """The primary result and every departure of a finished test.

    Args:
        registered: the plan and its hash. internal: centres of the development data.
    """
    plan, digest = registered
    group = next((one for one in scores.groups if one.by == {"plane": plan.primary.plane}), None)
    reason = f"the {plan.primary.plane} plane was not tested"
    estimate = getattr(group, plan.primary.measure) if group else Estimate(reason=reason)
    verdict = None
    if plan.margin is not None and plan.reference is not None and estimate.low is not None:
        verdict = bool(estimate.low > plan.reference - plan.margin)
    return PlanResult(
        sha256=digest,
        patients=plan.patients,
        departures=tuple(_departures(plan, scores, internal, tested=group is not None)),
        primary=plan.primary,
        estimate=estimate,
        reference=plan.reference,
        margin=plan.margin,
        non_inferior=verdict,
    )


def _departures(plan: Plan, scores: Scores, internal: Sequence[str], *, tested: bool) -> Iterator[str]:
    used = {name: value for name, value in scores.criterion.items() if name != "description"}
    if not _same(plan.criterion, used):
        yield f"criterion: planned {_listed(plan.criterion)}, used {_listed(used)}"
    applied = scores.threshold
    rule = applied.rule if isinstance(applied, FrozenThresholds) else applied.description
    if rule != plan.threshold_rule:
        yield f"threshold rule: planned {plan.threshold_rule}, used {rule}"
    if plan.operating_point_sha256 not in (None, scores.operating_point_sha256):
        yield f"thresholds: planned those of SHA-256 {str(plan.operating_point_sha256)[:12]}, used others"
    centers = {part.center for part in scores.participants}
    if missing := sorted(set(plan.centers) - centers):
        yield f"centres planned and not tested: {', '.join(missing)}"
    if further := sorted(centers - set(plan.centers)):
        yield f"centres tested and not planned: {', '.join(further)}"
    if seen := sorted(set(plan.centers) & set(internal)):
        yield f"centres that the detector was developed at, and so not external: {', '.join(seen)}"
    if not tested:
        yield f"primary measure: the {plan.primary.plane} plane was not tested"
    patients = scores.group().n.patients
    if plan.patients is not None and patients < plan.patients:
        yield f"patients: planned {plan.patients}, tested {patients}"
    if scores.not_read:
        yield f"studies without findings: {len(scores.not_read)}"


def _same(planned: dict[str, FiniteJson], used: dict[str, FiniteJson]) -> bool:
    def equal(first: FiniteJson, second: FiniteJson) -> bool:
        numbers = isinstance(first, int | float) and isinstance(second, int | float)
        return math.isclose(float(first), float(second)) if numbers else first == second  # type: ignore[arg-type]

    return planned.keys() == used.keys() and all(equal(value, used[name]) for name, value in planned.items())


def _listed(criterion: dict[str, FiniteJson]) -> str:
    return " ".join(str(value) for value in criterion.values())


def plan_notes(result: PlanResult, confidence: float) -> tuple[str, ...]:
    """What the page and the terminal state."""
    head = f"Registered plan (SHA-256 {result.sha256[:12]}, written before the data were opened)"
    if result.departures:
        many = f"{len(result.departures)} departures" if len(result.departures) > 1 else "1 departure"
        first = f"{head}: {many}: {'; '.join(result.departures)}."
    else:
        first = f"{head}: no departure."
    estimate = in_words(result.estimate, confidence)
    primary = f"Primary measure, {result.primary.measure} ({result.primary.plane}): {estimate}"
    if result.non_inferior is None:
        return first, f"{primary}."
    shown = "shown" if result.non_inferior else "not shown"
    return first, f"{primary}; non-inferiority to {result.reference:g} by the margin {result.margin:g}: {shown}."


def write_plan_result(folder: Path, result: PlanResult) -> None:
    """Write `plan_result.json` atomically."""
    write_json(folder / RESULT, {"format": "spinedet-plan-result", "version": 1, **result.model_dump(mode="json")})
