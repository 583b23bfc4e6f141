"""The wheel alone in an empty environment outside of the checkout, with what a container leaves: `make wheel-test`.

`SPINEDET_WHEEL` names the interpreters. There is no constraints file, no writable home, no user name and, where the
system lets this user take it away, no network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHONS = os.environ.get("SPINEDET_WHEEL", "").split()
OFFLINE = ("unshare", "--map-root-user", "--net")

pytestmark = pytest.mark.skipif(not PYTHONS, reason="it takes minutes; make wheel-test runs it")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


class Installed:
    """An environment that holds the wheel and what it needs, and a folder to work in."""

    def __init__(self, python: str, wheel: Path, folder: Path) -> None:
        self.bin, self.folder = folder / "venv" / "bin", folder / "empty"
        self.folder.mkdir(parents=True)
        if Path(python).resolve() == Path(sys.executable).resolve():
            venv.create(folder / "venv", with_pip=True)
        else:
            subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True, capture_output=True)
        install = [str(self.bin / "python"), "-m", "pip", "install", "--quiet", "--no-compile", str(wheel)]
        done = subprocess.run(install, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def run(self, *words: str) -> str:
        """What `spinedet WORDS` prints."""
        kept = {
            name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TMPDIR") if name in os.environ
        }
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": "/dev/null", **kept}
        offline = OFFLINE if can_go_offline() else ()
        command = [*offline, str(self.bin / "spinedet"), *words]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def can_go_offline() -> bool:
    """Whether this user may take the network away from a process."""
    return (
        bool(shutil.which("unshare"))
        and subprocess.run([*OFFLINE, "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.fixture(scope="module", params=PYTHONS)
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    python = request.param
    runs = (
        subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0
        if shutil.which(python)
        else False
    )
    if not runs:
        pytest.skip(f"{python} is not installed here")
    return Installed(python, wheel, tmp_path_factory.mktemp("environment"))


def test_the_sample_is_predicted(installed: Installed) -> None:
    installed.run("predict", "input=sample", "out=reading")
    findings = json.loads((installed.folder / "reading" / "findings.json").read_text())
    assert any(one["above_operating_point"] for one in findings["studies"][0]["findings"])
    assert (installed.folder / "reading" / "index.html").is_file()


def test_a_detector_is_trained_and_its_findings_are_scored(installed: Installed) -> None:
    installed.run("train", "+experiment=smoke", "trainer.accelerator=cpu", "workers=1", "out=smoke")
    assert (installed.folder / "smoke" / "report.html").is_file()
    words = ("reference=smoke/cohort/manifest.json", "findings=smoke/findings.json", "split=test")
    installed.run("score", *words, "bootstrap.samples=50", "out=scores")
    scores = json.loads((installed.folder / "scores" / "scores.json").read_text())
    assert scores["groups"][0]["n"]["studies"] >= 1


def test_what_comes_with_an_extra_is_named_where_it_lacks(installed: Installed) -> None:
    command = [str(installed.bin / "spinedet"), "bundle", "run=shipped", "to=onnx", "out=onnx"]
    done = subprocess.run(command, cwd=installed.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'spinedet[onnx]'" in done.stderr
