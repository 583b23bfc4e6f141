"""What the code imports is declared in pyproject.toml, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest there

ROOT = Path(__file__).parents[1]
# Needed by the package without an import of ours.
UNIMPORTED = {
    "onnxscript": "torch exports ONNX with it",
    "hydra-submitit-launcher": "hydra/launcher=slurm",
    "python-gdcm": "pydicom decodes compressed DICOM with it",
}
OURS = {"spinedet", "benchmarks", "tests"}


def declared(*extras: str) -> set[str]:
    """Names of the distributions that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    return {normal(re.match(r"[\w.-]+", one)[0]) for one in wanted}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folders: Iterable[str]) -> dict[str, str]:
    """Top-level modules that are not ours or Python's, each with a file that imports it."""
    found: dict[str, str] = {}
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        local = {one.stem for one in path.parent.iterdir()}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            tops = {name.split(".")[0] for name in names} - OURS - local - set(sys.stdlib_module_names)
            found |= dict.fromkeys(tops, str(path.relative_to(ROOT)))
    return found


def distributions(modules: Iterable[str]) -> dict[str, set[str]]:
    known = packages_distributions()
    return {module: {normal(name) for name in known.get(module, [module])} for module in modules}


def test_the_package_declares_what_it_imports() -> None:
    found = imported(["src"])
    names = declared("dicom", "onnx", "search")
    assert {m: found[m] for m, owners in distributions(found).items() if not owners & names} == {}


def test_tests_and_benchmarks_are_declared() -> None:
    found = imported(["tests", "benchmarks"])
    names = declared("dicom", "onnx", "dev", "bench")
    assert {m: found[m] for m, owners in distributions(found).items() if not owners & names} == {}


def test_the_package_imports_what_it_declares() -> None:
    owners = set().union(*distributions(imported(["src"])).values())
    assert declared("dicom", "onnx", "search") - owners == set(UNIMPORTED)
