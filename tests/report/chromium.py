"""Headless Chromium for tests, driven over the WebDriver protocol with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
MISSING = "Chromium and its driver are not installed (Debian: apt-get install chromium chromium-driver)"
# Texts of drawings that lie on each other or out of their drawing, and everything wider than its place.
_LAYOUT = """
const faults = [], root = document.documentElement;
if (root.scrollWidth > root.clientWidth) faults.push(`the page is ${root.scrollWidth} wide`);
for (const one of document.querySelectorAll(".scroll, table, p, figure, dl, header"))
  if (one.clientWidth && one.scrollWidth > one.clientWidth + 1)
    faults.push(`${one.tagName} is ${one.scrollWidth} wide: ${one.textContent.trim().slice(0, 40)}`);
for (const svg of document.querySelectorAll("svg")) {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].filter(one => one.textContent.trim());
  const boxes = texts.map(one => one.getBoundingClientRect());
  boxes.forEach((box, n) => {
    const beside = box.left < frame.left - 1 || box.right > frame.right + 1;
    if (beside || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
      faults.push(`${texts[n].textContent} is out of its drawing`);
    boxes.slice(n + 1).forEach((other, m) => {
      const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left);
      const high = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
      if (wide > 2 && high > 3) faults.push(`${texts[n].textContent} lies on ${texts[n + 1 + m].textContent}`);
    });
  });
}
return faults;
"""


class Browser:
    """One window."""

    def __init__(self, address: str, options: dict[str, Any]) -> None:
        self.address = address
        self.session = ""
        wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
        self.session = "/session/" + self.send("/session", wanted)["sessionId"]

    def send(self, path: str, content: dict[str, Any] | None = None, method: str = "POST") -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.address + self.session + path, body, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
            return json.loads(reply.read())["value"]

    def open(self, page: Path) -> float:
        """Load a file; seconds until the page says that its first slices are drawn."""
        start = time.perf_counter()
        self.send("/url", {"url": page.resolve().as_uri()})
        while self.run("return document.body.dataset.ready") != "yes":
            assert time.perf_counter() - start < 60, self.run("return document.body.innerText")
            time.sleep(0.02)
        return time.perf_counter() - start

    def layout_faults(self, page: Path) -> list[str]:
        """What is cut off or overlaps on a page without a script."""
        self.send("/url", {"url": page.resolve().as_uri()})
        return list(self.run(_LAYOUT))

    def run(self, script: str, *values: Any) -> Any:
        return self.send("/execute/sync", {"script": script, "args": list(values)})

    def click(self, selector: str) -> None:
        found = self.send("/element", {"using": "css selector", "value": selector})
        self.send(f"/element/{found[ELEMENT]}/click", {})

    def press(self, *keys: str) -> None:
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.send("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Pixels of the window."""
        moves = [
            {"type": "pointerMove", "x": round(start[0]), "y": round(start[1])},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "x": round(end[0]), "y": round(end[1]), "duration": 50},
            {"type": "pointerUp", "button": 0},
        ]
        self.send("/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": moves}]})

    def wheel(self, x: float, y: float, steps: int) -> None:
        turn = {"type": "scroll", "x": round(x), "y": round(y), "deltaX": 0, "deltaY": steps, "duration": 0}
        self.send("/actions", {"actions": [{"type": "wheel", "id": "wheel", "actions": [turn]}]})

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.send("/screenshot", method="GET")))


@contextmanager
def chromium(downloads: Path, size: tuple[int, int] = (1280, 800)) -> Iterator[Browser]:
    """A browser that saves to `downloads` and has no network; skips where there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip(MISSING)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    profile = downloads / "profile"
    flags = [
        *FLAGS,
        f"--user-data-dir={profile}",
        f"--window-size={size[0]},{size[1]}",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ]
    prefs = {"download.default_directory": str(downloads), "download.prompt_for_download": False}
    process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address)
        browser = Browser(address, {"binary": program, "args": flags, "prefs": prefs})
        try:
            yield browser
        finally:
            browser.send("", method="DELETE")
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(address: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/status", timeout=5).close()  # noqa: S310
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
        else:
            return
    pytest.skip("ChromeDriver does not answer")
