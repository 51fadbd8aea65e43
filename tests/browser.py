"""A headless Chromium, driven through a pipe in its own protocol: nothing to install beside it.

Source: https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    # No name is looked up: whatever is asked of elsewhere fails, and is seen.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1280,1000",
    "--remote-debugging-pipe",
)  # fmt: skip


class Page:
    """One page: what it asked for, what it complained about, and a way to look into it."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._rest, self._number, self._session = b"", 0, ""
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def begin(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for room in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{room}.enable")

    def open(self, address: str) -> None:
        """Go somewhere."""
        said = self.call("Page.navigate", url=address)
        assert "errorText" not in said, said

    def run(self, script: str) -> Any:
        """Run a script in the page; give what it gives."""
        said = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def until(self, script: str, seconds: float = 20) -> Any:
        """Wait until a script gives something; give it."""
        end = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < end, f"not within {seconds} s: {script}\n{self.complaints}"
            time.sleep(0.05)
        return found

    def click(self, selector: str, text: str = "") -> None:
        """Click the first element that fits and has the text."""
        self.until(
            f"(() => {{ const e = [...document.querySelectorAll({json.dumps(selector)})]"
            f".find(e => e.textContent.includes({json.dumps(text)}));"
            " if (e) e.click(); return Boolean(e) })()"
        )

    def type(self, selector: str, text: str) -> None:
        """Type into a field as a person would."""
        self.until(f"Boolean(document.querySelector({json.dumps(selector)}))")
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        """Take a picture of what is seen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **said: Any) -> dict[str, Any]:
        """Ask the browser; give its answer."""
        self._number += 1
        body = {"id": self._number, "method": method, "params": said}
        if self._session:
            body["sessionId"] = self._session
        os.write(self._to, json.dumps(body).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._number:
                assert "error" not in heard, (method, heard["error"])
                return heard["result"]
            self._note(heard)

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._back], [], [], 30)
            assert ready, "the browser says nothing"
            more = os.read(self._back, 1 << 20)
            assert more, "the browser is gone"
            self._rest += more
        one, _, self._rest = self._rest.partition(b"\0")
        return json.loads(one)

    def _note(self, event: dict[str, Any]) -> None:
        said = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(said["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(said["exceptionDetails"]))
            case _:
                pass


@contextmanager
def a_page(folder: Path) -> Generator[Page]:
    """Start a browser with an empty profile in `folder`; end it at the end."""
    assert PROGRAM, "there is no Chromium here"
    from_us, to_it = os.pipe()
    from_it, to_us = os.pipe()
    command = [PROGRAM, *_OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    # It reads from descriptor 3 and writes to 4.
    words = f'exec "$@" 3<&{from_us} 4>&{to_us}'
    process = subprocess.Popen(
        ["bash", "-c", words, "browser", *command], pass_fds=(from_us, to_us),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    os.close(from_us)
    os.close(to_us)
    try:
        page = Page(to_it, from_it)
        page.begin()
        yield page
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(to_it)
        os.close(from_it)
