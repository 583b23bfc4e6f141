"""A short document of headings, paragraphs, lists and tables, as Markdown, HTML or DOCX."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeAlias
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from spinedet import __version__
from spinedet.core.files import write_bytes, write_text
from spinedet.report.html import render

_WORDS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
# What XML 1.0 cannot hold.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_HALF_POINTS = {1: 32, 2: 26, 3: 22}


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 2 or 3."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; line ends are kept."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows of text under a head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block: TypeAlias = Heading | Paragraph | Bullets | TextTable


@dataclass(frozen=True, slots=True)
class Document:
    """A title, what a reader must know first, and the blocks."""

    title: str
    notes: tuple[str, ...]
    blocks: tuple[Block, ...]


def write_document(folder: Path, name: str, document: Document) -> list[Path]:
    """Write `name` as .md, .html and .docx; the paths."""
    write_text(folder / f"{name}.md", markdown(document))
    write_text(folder / f"{name}.html", html(document))
    write_bytes(folder / f"{name}.docx", docx(document))
    return [folder / f"{name}{suffix}" for suffix in (".md", ".html", ".docx")]


# --- Markdown ---


def markdown(document: Document) -> str:
    """The document as Markdown."""
    parts = [f"# {document.title}", *(f"> {note}" for note in document.notes)]
    for block in document.blocks:
        match block:
            case Heading():
                parts.append(f"{'#' * block.level} {block.text}")
            case Paragraph():
                parts.append(block.text)
            case Bullets():
                parts.append("\n".join(f"* {' '.join(line.split())}" for line in block.lines))
            case TextTable():
                parts.append("\n".join(_markdown_table(block)))
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: TextTable) -> Iterator[str]:
    for number, row in enumerate((table.head, *table.rows)):
        yield "| " + " | ".join(_markdown_cell(cell) for cell in row) + " |"
        if number == 0:
            yield "|" + "---|" * len(row)


def _markdown_cell(text: str) -> str:
    return "<br>".join(text.replace("|", "\\|").splitlines())


# --- HTML ---


def html(document: Document) -> str:
    """The document as one self-contained page."""
    kinds = {Heading: "heading", Paragraph: "paragraph", Bullets: "bullets", TextTable: "table"}
    blocks = [(kinds[type(block)], block) for block in document.blocks]
    return render("document.html", title=document.title, notes=document.notes, blocks=blocks, version=__version__)


# --- DOCX (ECMA-376) ---


def docx(document: Document) -> bytes:
    """The document as DOCX; the same document gives the same bytes.

    Written part by part, because python-docx would bring lxml (15 MB) for a page of text and tables.
    """
    body = "".join([_title(document.title), *map(_text, document.notes), *map(_docx_block, document.blocks)])
    page = '<w:sectPr><w:pgSz w:w="16838" w:h="11906" w:orient="landscape"/></w:sectPr>'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{_TYPE}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}" '
        'Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{_WORDS}"><w:body>{body}{page}</w:body></w:document>',
    }
    stream = BytesIO()
    with ZipFile(stream, "w") as archive:
        for name, text in parts.items():
            info = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(info, f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{text}', ZIP_DEFLATED)
    return stream.getvalue()


def _docx_block(block: Block) -> str:
    match block:
        case Heading():
            return _title(block.text, block.level)
        case Paragraph():
            return _text(block.text)
        case Bullets():
            return "".join(_text(f"• {' '.join(line.split())}") for line in block.lines)
        case TextTable():
            return _docx_table(block)


def _title(text: str, level: int = 1) -> str:
    return _text(text, f'<w:b/><w:sz w:val="{_HALF_POINTS[level]}"/>')


def _text(text: str, style: str = "") -> str:
    properties = f"<w:rPr>{style}</w:rPr>" if style else ""
    lines = [f'<w:t xml:space="preserve">{escape(_CONTROL.sub(" ", line))}</w:t>' for line in text.splitlines() or [""]]
    return f"<w:p><w:r>{properties}{'<w:br/>'.join(lines)}</w:r></w:p>"


def _docx_table(table: TextTable) -> str:
    borders = "".join(
        f'<w:{side} w:val="single" w:sz="4" w:color="808080"/>'
        for side in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    grid = "<w:gridCol/>" * len(table.head)
    rows = "".join(_docx_row(row, bold=number == 0) for number, row in enumerate((table.head, *table.rows)))
    properties = f"<w:tblPr><w:tblBorders>{borders}</w:tblBorders></w:tblPr>"
    return f"<w:tbl>{properties}<w:tblGrid>{grid}</w:tblGrid>{rows}</w:tbl><w:p/>"


def _docx_row(cells: Sequence[str], *, bold: bool) -> str:
    style = '<w:b/><w:sz w:val="18"/>' if bold else '<w:sz w:val="18"/>'
    return f"<w:tr>{''.join(f'<w:tc>{_text(cell, style)}</w:tc>' for cell in cells)}</w:tr>"
