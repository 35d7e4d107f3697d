"""The example in React, with its page built as its package.json says."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.examples.example import EXAMPLES, copy, readme
from tests.release.source import SOURCE
from tests.servers.server import TIMEOUT, Server, get
from tests.tools import find_command, missing

if TYPE_CHECKING:
    from playwright.sync_api import Page

PACKAGE = json.loads((EXAMPLES / "react-page" / "package.json").read_text())
INSTALL = "npm install --prefix DIRECTORY esbuild react react-dom, and name DIRECTORY/node_modules in it"


def build(directory: Path) -> None:
    """What `npm install` and `npm run build` do, with the packages that are there."""
    path = os.environ.get("WORKQUEUE_TEST_NODE_MODULES")
    if not path:
        missing(f"WORKQUEUE_TEST_NODE_MODULES is not set: {INSTALL}")
    for package in {**PACKAGE["dependencies"], **PACKAGE["devDependencies"]}:
        if not Path(path, package).is_dir():
            missing(f"no {package} in WORKQUEUE_TEST_NODE_MODULES: {INSTALL}")
    node = find_command("node") or missing("there is no node on PATH")
    (directory / "node_modules").symlink_to(path)
    esbuild, *arguments = shlex.split(PACKAGE["scripts"]["build"])
    assert esbuild == "esbuild"
    subprocess.run(
        [node, "node_modules/esbuild/bin/esbuild", *arguments, "--preserve-symlinks", "--log-level=warning"],
        cwd=directory,
        check=True,
        timeout=3 * TIMEOUT,
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("example")
    build(copy("react-page", directory))
    with Server([*readme("react-page").command, "--port", "0"], directory, PYTHONWARNINGS="error") as server:
        yield server


def test_its_packages_are_those_that_ci_installs() -> None:
    """So what is tested is what a reader gets."""
    if not (SOURCE / ".ci").exists():
        pytest.skip("an sdist has no CI: run it in a checkout")
    text = (SOURCE / ".ci" / "run").read_text()
    for name, version in {**PACKAGE["dependencies"], **PACKAGE["devDependencies"]}.items():
        assert f" {name}@{version}" in text


def test_the_module_is_no_part_of_the_bundle(server: Server) -> None:
    bundle = get(server.port, "/main.js")
    assert '"/generate/workqueue.js"' in bundle
    assert "customElements.define" not in bundle


def test_a_report_that_is_there_is_read(server: Server, page: "Page") -> None:
    page.goto(f"http://127.0.0.1:{server.port}/")
    assert "Chapter" not in page.content()
    page.locator("input[name=name]").fill("foxes")
    page.locator("input[name=seconds]").fill("0")
    page.locator("button", has_text="Order").click()
    page.locator("li a").wait_for()
    assert page.locator("li a").get_attribute("href") == "/report?name=foxes&seconds=0"
    assert get(server.port, "/report?name=foxes&seconds=0").startswith("Chapter 1 of the report on foxes\n")


def test_each_report_has_a_bar_and_then_a_link(server: Server, page: "Page") -> None:
    page.goto(f"http://127.0.0.1:{server.port}/")
    for name, seconds in {"bees": "3600", "ants": "3600", "whales": "0"}.items():
        page.locator("input[name=name]").fill(name)
        page.locator("input[name=seconds]").fill(seconds)
        page.locator("button", has_text="Order").click()
        page.locator("h2", has_text=name).wait_for()
        if name != "whales":
            page.locator("li", has_text=name).get_by_text("Writing chapter 1 of 20").wait_for()
    # Two are written at a time.
    page.locator("li", has_text="whales").locator("workqueue-progress[state=queued]").wait_for()
    assert page.locator("li a").count() == 0
