"""Take the pictures of pages on radiographs in docs/images: contact sheet, reading page, heat maps, the study's index.

python -m benchmarks.generate.radiograph_pages runs/radiographs docs/images

The first argument is the folder of a finished `radiograph.study`. A few studies of other patients (seed 101) are drawn
for all but the index. Needs Chromium (Debian: apt-get install chromium).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from spinedet.simulation.radiograph.cohort import draw_radiographs
from spinedet.simulation.radiograph.settings import RadiographCohort, RadiographGroup

CENTERS = ("A", "B", "C")
TRAINING = "implants-fine-tuned-seed0"
FONT, BAND, GAP = 13, 40, 4
QUALITY = 72
# A page of text needs few colours.
COLORS = 64


def run(command: str, *words: str) -> None:
    """A command of the package; the audit ends with 2 because of the faults that it is given."""
    done = subprocess.run([sys.executable, "-m", f"spinedet.radiograph.{command}", *words], check=False)
    if done.returncode not in (0, 2):
        raise SystemExit(done.returncode)


def cohort(folder: Path) -> Path:
    """Two studies of every centre; gives the manifest."""
    groups = [RadiographGroup(center=center, split="test", studies=2) for center in CENTERS]
    return draw_radiographs(RadiographCohort(name="phantom", task="implants", groups=groups, seed=101), folder)


def with_faults(manifest: Path) -> Path:
    """The same cohort with a box that was drawn at another size, and with an image that stands in two patients."""
    content = json.loads(manifest.read_text("utf-8"))
    first, second = content["studies"][:2]
    first["images"][0]["truth"] = [[3 * edge for edge in box] for box in first["images"][0]["truth"]]
    second["images"][1]["path"] = first["images"][1]["path"]
    second["images"][1]["sha256"] = first["images"][1]["sha256"]
    path = manifest.with_name("with-faults.json")
    path.write_text(json.dumps(content), "utf-8")
    return path


def photograph(page: Path, width: int, height: int, scratch: Path) -> Image.Image:
    """The upper part of a page, as Chromium shows it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise SystemExit("Chromium is not installed (Debian: apt-get install chromium)")
    picture = scratch / "page.png"
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}")
    places = (f"--user-data-dir={scratch / 'browser'}", f"--screenshot={picture}", page.resolve().as_uri())
    subprocess.run([browser, *flags, *places], check=True, capture_output=True)
    return Image.open(picture).convert("RGB")


def heat_maps(folder: Path, manifest: Path) -> Image.Image:
    """Crops with their heat maps, AP above lateral, with reference and prediction over each."""
    labels = {study["id"]: study["label"] for study in json.loads(manifest.read_text("utf-8"))["studies"]}
    tiles = list(_tiles(folder, labels))
    side = tiles[0].width
    sheet = Image.new("RGB", ((side + GAP) * ((len(tiles) + 1) // 2), 2 * (side + BAND)))
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number // 2 * (side + GAP), number % 2 * (side + BAND)))
    return sheet


def _tiles(folder: Path, labels: dict[str, str]) -> Iterator[Image.Image]:
    studies: list[dict[str, Any]] = json.loads((folder / "readings.json").read_text("utf-8"))["studies"]
    for study in studies[::2]:  # the first of every centre
        for image in study["images"]:
            (path,) = (folder / "heat_maps").glob(f"{study['id']}*{image['id']}.png")
            crop = Image.open(path).convert("RGB")
            tile = Image.new("RGB", (crop.width, crop.height + BAND))
            tile.paste(crop, (0, BAND))
            reference, answer = labels[study["id"]], image["label"]
            text = (
                f"centre {study['id'][0]}, {'AP' if image['view'] == 'ap' else image['view']}\n"
                f"reference {reference}, predicted {answer}, score {image['scores'][answer]:.2f}"
            )
            ImageDraw.Draw(tile).text((4, 2), text, fill="white", font=ImageFont.load_default(FONT))
            yield tile


def main() -> None:
    """Write every picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="folder of a finished radiograph.study")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        manifest = cohort(scratch / "cohort")
        faulty = with_faults(manifest)
        run("check", f"data.manifests=[{faulty}]", "limits.few_patients=0", f"out={scratch / 'audit'}")
        run("check", f"data.manifests=[{manifest}]", "reading=true", "pictures=0", f"out={scratch / 'reading'}")
        words = (f"run={given.study / 'steps' / TRAINING}", f"input={manifest}", "heat_maps=true")
        run("predict", *words, f"out={scratch / 'predicted'}")
        index = photograph(given.study / "index.html", 1200, 1180, scratch)
        drawn = {
            "radiographs-contact-sheet.jpg": photograph(scratch / "audit/index.html", 1100, 1170, scratch),
            "radiographs-reading-page.jpg": photograph(scratch / "reading/reading.html", 1200, 760, scratch),
            "radiographs-heat-maps.jpg": heat_maps(scratch / "predicted", manifest),
            "radiographs-study.png": index.quantize(COLORS, Image.Quantize.MAXCOVERAGE),
        }
    for name, picture in drawn.items():
        picture.save(given.folder / name, quality=QUALITY, optimize=True)
        print(given.folder / name)


if __name__ == "__main__":
    main()
