"""A real browser for tests: headless Chromium, spoken to over its DevTools pipe, with the standard library alone."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-extensions", "--disable-background-networking", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE_S = 60.0


def executable() -> str | None:
    """The browser of this machine, if it has one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page in one browser.

    Args:
        program: The browser.
        profile: An empty folder for its files.

    Attributes:
        complaints: What the page wrote to the console as a warning or an error, and what it raised.
        requests: Addresses that the page asked for.
    """

    def __init__(self, program: str, profile: Path) -> None:
        command_read, self._write = os.pipe()
        self._read, answer_write = os.pipe()

        def descriptors() -> None:
            # the browser reads from 3 and writes to 4, whatever the numbers are here
            first, second = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (command_read, answer_write))
            os.dup2(first, 3)
            os.dup2(second, 4)

        log = (profile / "browser.log").open("wb")
        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=log, stderr=log, close_fds=False, preexec_fn=descriptors,
        )  # fmt: skip
        log.close()
        os.close(command_read)
        os.close(answer_write)
        self._number = 0
        self._rest = b""
        self._answers: dict[int, dict[str, Any]] = {}
        self._events: list[str] = []
        self._session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol, and its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        number, until = self._number, time.monotonic() + PATIENCE_S
        while number not in self._answers:
            self._receive(until)
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return dict(answer["result"])

    def _receive(self, until: float) -> None:
        ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"the browser did not answer within {PATIENCE_S:g} s"
        part = os.read(self._read, 1 << 20)
        assert part, "the browser is gone"
        *messages, self._rest = (self._rest + part).split(b"\0")
        for text in messages:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message["method"], message.get("params", {}))

    def _note(self, event: str, said: dict[str, Any]) -> None:
        self._events.append(event)
        if event == "Runtime.exceptionThrown":
            self.complaints.append(str(said["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(said["args"]))
        elif event == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(str(said["entry"]))
        elif event == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])

    def open(self, path: Path, width: int = 1280, height: int = 900, *, drawn: bool = True, **media: str) -> None:
        """Load a page in a window of a size; `media` are features: prefers_color_scheme="dark"."""
        self.complaints.clear()
        self.requests.clear()
        self.look(width, height, **media)
        self._events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + PATIENCE_S
        while "Page.loadEventFired" not in self._events:
            self._receive(until)
        if drawn:
            self.settle()

    def look(self, width: int, height: int = 900, **media: str) -> None:
        """Change the size of the window and the features of the medium."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def settle(self) -> None:
        """Wait until the page has drawn what it wanted to draw."""
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, buttons: int = 0) -> None:
        """A movement or a press of the mouse: `mouseMoved`, `mousePressed`, `mouseReleased`."""
        button = "left" if buttons or kind == "mouseReleased" else "none"
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=buttons, clickCount=1)
        self.settle()

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write what is seen, or the whole page, as PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    def print(self, path: Path) -> None:
        """Write the page as PDF."""
        answer = self.call("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        """End the browser."""
        os.close(self._write)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
