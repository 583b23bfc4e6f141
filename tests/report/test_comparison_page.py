"""Two detectors as a page whose numbers are those of the comparison."""

from __future__ import annotations

from pathlib import Path

from spinedet.core.findings import tabulate
from spinedet.report.comparison_page import comparison_document, write_comparison_page
from spinedet.report.document import TextTable
from spinedet.report.number_format import plain
from spinedet.scoring import BootstrapSettings, Contender, ScoreSettings, compare


def test_every_part_has_its_table(four, tmp_path: Path) -> None:
    settings = ScoreSettings(threshold=0.5, bootstrap=BootstrapSettings(samples=30))
    contenders = [Contender(name, tabulate(four.found), threshold) for name, threshold in (("one", 0.5), ("two", 0.3))]
    comparison = compare(four.manifest, *contenders, settings)
    document = comparison_document(comparison)
    tables = [block for block in document.blocks if isinstance(block, TextTable)]
    assert sum(len(table.rows) for table in tables) == len(comparison.differences)
    whole = next(one for one in comparison.differences if not one.by and one.metric == "recall")
    row = next(row for row in tables[0].rows if row[0] == "recall")
    assert row[1:3] == (plain(whole.first), plain(whole.second))
    write_comparison_page(tmp_path / "comparison.html", comparison)
    page = (tmp_path / "comparison.html").read_text()
    assert comparison.criterion["description"] in page
    assert "<script" not in page
    assert "secret" not in page
    assert "two against one" in page
