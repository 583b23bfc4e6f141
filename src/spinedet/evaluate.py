"""`python -m spinedet.evaluate run=RUN data.manifests=[...]`: external test at the run's frozen operating point."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import MISSING

from spinedet import tracking
from spinedet.command import CommonConfig, Skipped, Status, claim_output, console, register, run_command
from spinedet.core.errors import InputError
from spinedet.core.types import Manifest, Split, Study
from spinedet.runs import FinishedRun, RunFolder, Stopwatch, open_run, write_config, write_record
from spinedet.studies import COHORTS, DataConfig, data_hash, load_manifest, phantom_note
from spinedet.tables import show_scores
from spinedet.testing import TestConfig, Trial, ask, report_test


@dataclass
class EvaluateConfig(CommonConfig):
    """An external test.

    Attributes:
        run: folder of a finished run. split: only the studies of this split; all that are not excluded when null.
    """

    run: str = MISSING
    split: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    test: TestConfig = field(default_factory=TestConfig)

    def __post_init__(self) -> None:
        if self.split not in (None, *(split.value for split in Split)):
            raise InputError(f"split={self.split}: use train, tune or test, or leave it out for all studies")


def evaluate(config: EvaluateConfig) -> Status:
    """Find, score and report; nothing is chosen anew."""
    watch = Stopwatch()
    finished = open_run(config.run)
    run = RunFolder(claim_output(config, "evaluate"))
    write_config(run, config)
    manifest = load_manifest(config.data, run.root, config.processes)
    refuse_other_data(finished, manifest)
    studies = chosen(manifest, config.split)
    answers = ask(finished.model, studies, config.test.min_score, config.processes)
    watch.lap("detection")
    notes = (*phantom_note(manifest), *_seen(finished, studies))
    title = f"{finished.model.name}: evaluation"
    trial = Trial(finished.model, finished.operating_point, title, notes, finished.internal_centers)
    scores = report_test(trial, manifest, answers, config.test, run)
    watch.lap("scoring")
    status = Skipped(answers.skipped).report(run.root)
    facts = {"command": "evaluate", "seed": config.seed, "split": config.split}
    point = {"operating_point_sha256": finished.operating_point.sha256}
    data = {"name": manifest.name, "sha256": data_hash(studies), "studies": [study.id for study in studies]}
    write_record(run, watch, {**facts, **point, "data": data})
    tracking.log_metrics(config.logger, run.root, tracking.headlines(scores))
    show_scores(scores)
    console.print(f"report: {run.report}")
    return status


def chosen(manifest: Manifest, split: str | None) -> list[Study]:
    """The studies to test on; a null split counts as test.

    Raises:
        InputError: there is none.
    """
    used = [study for study in manifest.studies if study.excluded is None]
    found = [study for study in used if split in (None, (study.split or Split.TEST).value)]
    if not found:
        raise InputError(f"manifest {manifest.name!r} has no study of split {split or 'any'} that is not excluded")
    return found


def refuse_other_data(finished: FinishedRun, manifest: Manifest) -> None:
    """Refuse a cohort that the run was not made for.

    Raises:
        InputError: the run finds a category that the manifest does not have.
    """
    missing = sorted(set(finished.model.categories) - set(manifest.categories))
    if missing:
        raise InputError(
            f"the run finds {missing}, which manifest {manifest.name!r} does not list among its categories "
            f"{list(manifest.categories)}; add them there or take another run"
        )


def _seen(finished: FinishedRun, studies: list[Study]) -> tuple[str, ...]:
    """A warning when the test holds studies that the run was developed on."""
    seen = sum(finished.developed_on(study.id) for study in studies)
    if not seen:
        return ()
    return (f"{seen} of the {len(studies)} studies were used to develop this run: on them this is no test.",)


def main() -> None:
    """Entry point."""
    register(EvaluateConfig, "evaluate", {"data": COHORTS})
    run_command("evaluate", evaluate)


if __name__ == "__main__":
    main()
