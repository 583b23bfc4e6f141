"""One document as Markdown, HTML and DOCX."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from spinedet.report.document import (
    Bullets,
    Document,
    Heading,
    Paragraph,
    TextTable,
    docx,
    html,
    markdown,
    write_document,
)

SPACE = {"w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main"}
DOCUMENT = Document(
    "A <title> & more",
    ("Simulated data.",),
    (
        Heading("Part"),
        Paragraph("one\ntwo <script>alert(1)</script> \x07"),
        Bullets(("a", "b | c")),
        TextTable(("Item", "Answer"), (("1", "x | y\nz"), ("2", ""))),
    ),
)


def tree_of(content: bytes) -> ElementTree.Element:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {"[Content_Types].xml", "_rels/.rels", "word/document.xml"}
        return ElementTree.fromstring(archive.read("word/document.xml"))  # noqa: S314  # our own file


def test_docx_holds_every_row_and_is_always_the_same() -> None:
    tree = tree_of(docx(DOCUMENT))
    rows = tree.findall(".//w:tr", SPACE)
    cells = [["".join(cell.itertext()) for cell in row.findall("w:tc", SPACE)] for row in rows]
    assert cells == [["Item", "Answer"], ["1", "x | yz"], ["2", ""]]
    told = "".join(tree.itertext())
    assert "A <title> & more" in told
    assert "\x07" not in told
    assert docx(DOCUMENT) == docx(DOCUMENT)


def test_html_escapes_and_fetches_nothing() -> None:
    page = html(DOCUMENT)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "Simulated data." in page


def test_markdown_keeps_cells_on_their_line() -> None:
    text = markdown(DOCUMENT)
    assert "| 1 | x \\| y<br>z |" in text
    assert text.startswith("# A <title> & more\n\n> Simulated data.\n\n## Part")


def test_three_files_are_written(tmp_path: Path) -> None:
    paths = write_document(tmp_path, "x", DOCUMENT)
    assert sorted(path.name for path in paths) == ["x.docx", "x.html", "x.md"]
    assert all(path.stat().st_size for path in paths)
