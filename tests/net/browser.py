#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Opens a page in headless Chromium. Evaluates the JavaScript expressions in order: waits until the expression is
true, then prints its value as a line of JSON. Exit status 1 if an expression does not become true or if the
browser reports an error: in the console, an uncaught exception, or a blocked or failed request."""
import argparse
import json
import os
import select
import subprocess
import sys
import time

WAIT = 40  # s for one expression; a busy machine is slow


class Browser:
    """Chromium with its debugging protocol on descriptors 3 and 4: JSON messages that end with NUL."""

    def __init__(self, profile):
        read_commands, self.commands = os.pipe()
        self.answers, write_answers = os.pipe()
        os.makedirs(profile, exist_ok=True)
        # The numbers 3 and 4 may be in use for other ends of the pipes. Chromium leaves directories in TMPDIR.
        self.process = subprocess.Popen(
            ["sh", "-c", f"exec 3<&{read_commands} 4>&{write_answers}; exec chromium \"$@\"", "sh",
             "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
             "--no-first-run", "--disable-extensions", "--disable-background-networking", "--hide-scrollbars",
             "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            pass_fds=[read_commands, write_answers], env=os.environ | {"TMPDIR": profile},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_commands)
        os.close(write_answers)
        self.rest = b""
        self.number = 0
        self.session = None
        self.errors = []

    def receive(self, deadline):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.answers], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.answers, 1 << 20) if ready else b""
            if not piece:
                raise SystemExit("the browser does not answer")
            self.rest += piece
        line, self.rest = self.rest.split(b"\0", 1)
        return json.loads(line)

    def note_error(self, message):
        parameters = message.get("params", {})
        method = message.get("method")
        if method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(parameters["entry"]["text"])

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + WAIT
        while True:
            answer = self.receive(deadline)
            self.note_error(answer)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def open(self, url, options):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Log":
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=options.width, height=options.height,
                  deviceScaleFactor=1, mobile=options.width < 600)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if options.dark else "light"}])
        if options.no_script:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.call("Page.navigate", url=url)

    def value(self, expression):
        """The value of the expression, or None while the page does not have it yet."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return None if "exceptionDetails" in answer else answer["result"].get("value")

    def wait_for(self, expression):
        deadline = time.monotonic() + WAIT
        while not (value := self.value(expression)):
            if time.monotonic() > deadline:
                text = self.value("document.documentElement.innerText")
                raise SystemExit(f"not true: {expression}\nerrors: {self.errors}\nthe page: {text}")
            time.sleep(0.05)
        return value

    def screenshot(self, path):
        import base64
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("expression", nargs="*")
    parser.add_argument("--profile", required=True, help="an empty directory")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--no-script", action="store_true")
    parser.add_argument("--screenshot", metavar="FILE")
    options = parser.parse_intermixed_args()
    browser = Browser(options.profile)
    try:
        browser.open(options.url, options)
        for expression in options.expression:
            print(json.dumps(browser.wait_for(expression)), flush=True)
        if options.screenshot:
            browser.screenshot(options.screenshot)
    finally:
        browser.close()
    for error in browser.errors:
        print(error, file=sys.stderr)
    return bool(browser.errors)


sys.exit(main())
