"""The floors of CONTRIBUTING.md, read from its own table, and the habits that a machine can check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
SOURCES = sorted((SRC / "spinedet").rglob("*.py"))
EVERYTHING = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]
HEAVY = {"torch", "monai", "lightning", "pytorch_lightning", "lightning_fabric", "hydra", "omegaconf"}
LIGHT = {"core", "scoring", "levels", "simulation"}
TALLEST = 60
TRACKING = "spinedet.cli.tracking"
# Modules that may state what differs between planes, and why.
PLANE_TABLES = {
    "spinedet.audit.images": "the tilt of sagittal series",
    "spinedet.imaging.dicom.headers": "words of series descriptions",
    "spinedet.report.realism_page": "the part of an image that is drawn",
    "spinedet.report.transfer_page": "the published scores",
    "spinedet.simulation.scanner.protocol": "how the slices of each plane are placed",
}
# Modules that may state what differs between views of a radiograph, and why.
VIEW_TABLES: dict[str, str] = {}
# What a room must not import although it lies above it.
FORBIDDEN = {"radiograph": {"commands", "detection", "experiments", "pipelines"}}


def floors() -> dict[str, int]:
    """The height of every named room; 0 is the top, where the commands are."""
    table = re.search(r"```\n(commands .*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    assert table, "CONTRIBUTING.md lists no floors"
    width = table[1].index("what each command does")
    rooms = [line[:width].split() for line in table[1].splitlines()]
    return {room: height for height, names in enumerate(rooms) for room in names if room != "..."}


FLOORS = floors()


def floor_of(room: str) -> int:
    """The height of a room; a module at the top of the package is a command, whether the table names it or not."""
    return FLOORS.get(room, FLOORS["train"])


def room_of(module: str) -> str:
    """`core` of `spinedet.core.types`; empty for the package itself."""
    return [*module.split("."), ""][1]


def module_of(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Every absolute module name that the code imports anywhere, in functions and for type checkers too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def faults(module: str, package: str, code: str) -> list[str]:
    """What the code of this module imports and must not."""
    here, found = room_of(module), []
    for name in imports(ast.parse(code), package):
        top, there = name.split(".")[0], room_of(name)
        if top == "torchvision":
            found.append("torchvision")
        if top == "wandb" and module != TRACKING:
            found.append("wandb outside tracking")
        if top in HEAVY and here in LIGHT:
            found.append(f"{top} in {here}")
        # A name below `spinedet` that is no file or folder is something of the package's own, like its version.
        room = SRC / "spinedet" / there
        inside = (
            top == "spinedet"
            and there != here
            and (there in FLOORS or room.is_dir() or room.with_suffix(".py").exists())
        )
        # The package offers the functions of its Python interface under its own name.
        offered = (here, there) == ("", "api")
        upward = floor_of(there) <= floor_of(here) or there in FORBIDDEN.get(here, ())
        if inside and there and not offered and upward:
            found.append(f"{here or 'spinedet'} -> {there}")
    return found


def tall(code: str) -> list[str]:
    functions = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 > TALLEST]


# `Plane.AXIAL`, `Plane.AXIAL.value` or the bare word; `LATERAL`, `LATERAL.name` or the bare word.
PLANE_NAME = re.compile(r"Plane\.(SAGITTAL|AXIAL)(\.value)?|'(sagittal|axial)'")
VIEW_NAME = re.compile(r"(AP|LATERAL)(\.name)?|'(ap|lateral)'")


def branches_on(name: re.Pattern[str], code: str) -> list[str]:
    """Source of every comparison with such a name, `case` on one, and table keyed by one.

    What differs between planes is stated in `imaging/planes.py` alone, so that a third plane touches one file; what
    differs between views of a radiograph, in `core/radiograph/views.py`.
    """
    return [found for node in ast.walk(ast.parse(code)) for found in _facts(name, node)]


def _facts(name: re.Pattern[str], node: ast.AST) -> list[str]:
    def named(part: ast.AST) -> bool:
        return bool(name.fullmatch(ast.unparse(part)))

    match node:
        case ast.Compare(left=left, comparators=[*others]):
            return [ast.unparse(node)] if any(named(side) for side in (left, *others)) else []
        case ast.Dict(keys=keys):
            return [ast.unparse(key) for key in keys if key and named(key)]
        case ast.MatchValue(value=value):
            return [ast.unparse(value)] if named(value) else []
    return []


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_table_of_floors() -> None:
    assert FLOORS["train"] == FLOORS["evaluate"] == FLOORS["predict"] == FLOORS["score"] == 1
    assert FLOORS["commands"] == 0
    assert FLOORS["scoring"] == FLOORS["imaging"] == FLOORS["simulation"]
    assert (
        0
        < FLOORS["pipelines"]
        < FLOORS["cli"]
        < FLOORS["report"]
        < FLOORS["detection"]
        < FLOORS["scoring"]
        < FLOORS["core"]
    )
    assert {module_of(path) for path in SOURCES} >= {"spinedet", "spinedet.core", "spinedet.core.types"}


def test_contributing_names_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text[text.index("| question") : text.index("## Conventions")]
    paths = re.findall(r"`([\w/]+(?:\.py|/))`", table)
    assert len(paths) >= 10
    assert [path for path in paths if not (SRC / "spinedet" / path).exists()] == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_go_down(path: Path) -> None:
    module = module_of(path)
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    assert faults(module, package, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_nothing_imports_torchvision(path: Path) -> None:
    names = imports(ast.parse(path.read_text(encoding="utf-8")), "")
    assert [name for name in names if name.split(".")[0] == "torchvision"] == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_functions_fit_on_a_screen(path: Path) -> None:
    assert tall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", [path for path in SOURCES if module_of(path) not in PLANE_TABLES], ids=name_of)
def test_planes_are_values_not_branches(path: Path) -> None:
    assert branches_on(PLANE_NAME, path.read_text(encoding="utf-8")) == []


def radiograph_sources() -> list[Path]:
    """Modules about radiographs; elsewhere `ap` is average precision."""
    named = [path for path in SOURCES if "radiograph" in str(path.relative_to(SRC))]
    return [path for path in named if module_of(path) not in VIEW_TABLES]


@pytest.mark.parametrize("path", radiograph_sources(), ids=name_of)
def test_views_are_values_not_branches(path: Path) -> None:
    assert branches_on(VIEW_NAME, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", PLANE_TABLES)
def test_tables_of_planes_are_needed(module: str) -> None:
    assert branches_on(PLANE_NAME, (SRC / Path(*module.split(".")).with_suffix(".py")).read_text(encoding="utf-8"))


# --- the checks themselves ---


@pytest.mark.parametrize(
    ("module", "code", "fault"),
    [
        ("spinedet.core.types", "from spinedet.scoring.froc import curve", "core -> scoring"),
        ("spinedet.core.types", "import spinedet.detection", "core -> detection"),
        ("spinedet.core.types", "from spinedet import imaging", "core -> imaging"),
        ("spinedet.core.types", "from ..imaging import volume", "core -> imaging"),
        ("spinedet.core.types", "from .. import imaging", "core -> imaging"),
        ("spinedet.scoring.froc", "from spinedet.imaging.volume import read", "scoring -> imaging"),
        ("spinedet.scoring.froc", "def f():\n    from spinedet.simulation import draw", "scoring -> simulation"),
        ("spinedet.report.evaluation_page", "if TYPE_CHECKING:\n    import spinedet.cli.tracking", "report -> cli"),
        ("spinedet.train", "from spinedet.evaluate import run", "train -> evaluate"),
        ("spinedet.detection.dataset", "from spinedet.cli.app import main", "detection -> cli"),
        ("spinedet", "from spinedet.train import main", "spinedet -> train"),
        ("spinedet.radiograph.data", "from spinedet.detection.boxes import x", "radiograph -> detection"),
        ("spinedet.radiograph.data", "from spinedet.pipelines.splits import x", "radiograph -> pipelines"),
        ("spinedet.core.types", "import torch.nn", "torch in core"),
        ("spinedet.scoring.froc", "from monai.data import box_utils", "monai in scoring"),
        (
            "spinedet.simulation.draw",
            "from pytorch_lightning import seed_everything",
            "pytorch_lightning in simulation",
        ),
        ("spinedet.core.types", "def f():\n    import hydra", "hydra in core"),
        ("spinedet.train", "import wandb", "wandb outside tracking"),
        ("spinedet.detection.dataset", "from torchvision.ops import nms", "torchvision"),
    ],
)
def test_a_wrong_import_is_seen(module: str, code: str, fault: str) -> None:
    assert faults(module, module.rpartition(".")[0], code) == [fault]


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("spinedet.core.manifest", "from spinedet.core.files import read_json"),
        ("spinedet.core.manifest", "from .files import read_json"),
        ("spinedet.detection.dataset", "import torch\nfrom spinedet.imaging.volume import read"),
        ("spinedet.train", "from spinedet import __version__\nfrom spinedet.detection import module"),
        ("spinedet.cli.tracking", "import wandb"),
        ("spinedet.scoring.froc", "import numpy\nimport torchless"),
    ],
)
def test_a_right_import_passes(module: str, code: str) -> None:
    assert faults(module, module.rpartition(".")[0], code) == []


def test_tall_functions_are_seen() -> None:
    line = "        x = 1\n"
    assert tall("class A:\n    async def f(self):\n" + line * TALLEST) == ["f"]
    assert tall("class A:\n    async def f(self):\n" + line * (TALLEST - 1)) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("x = plane == Plane.AXIAL", "plane == Plane.AXIAL"),
        ("x = series.plane == 'axial'", "series.plane == 'axial'"),
        ("x = plane is not Plane.SAGITTAL", "plane is not Plane.SAGITTAL"),
        ("x = 'axial' in planes", "'axial' in planes"),
        ("x = {Plane.AXIAL: 3}[plane]", "Plane.AXIAL"),
        ("x = {'sagittal': 3}", "'sagittal'"),
        ("match plane:\n    case Plane.AXIAL:\n        x = 1", "Plane.AXIAL"),
    ],
)
def test_branches_are_seen(code: str, found: str) -> None:
    assert branches_on(PLANE_NAME, code) == [found]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("x = view == 'lateral'", "view == 'lateral'"),
        ("x = image.view is AP", "image.view is AP"),
        ("x = {LATERAL.name: 3}[view]", "LATERAL.name"),
        ("match view:\n    case 'ap':\n        x = 1", "'ap'"),
    ],
)
def test_branches_on_views_are_seen(code: str, found: str) -> None:
    assert branches_on(VIEW_NAME, code) == [found]


def test_values_of_a_plane_are_no_branches() -> None:
    code = "spec = SPECS[plane]\nx = airplane == 3\ny = plane is None\nz = a.plane is b.plane"
    assert branches_on(PLANE_NAME, code) == []
