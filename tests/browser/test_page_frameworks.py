"""<workqueue-progress> in pages of React, Vue, Svelte, Lit and htmx: the documentation's, and such as render often.

The frameworks are others' work, and most are at npm only: WORKQUEUE_TEST_NODE_MODULES names a directory with them.
"""

import importlib.util
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import Answer, Script, line, serving
from tests.browser.rendering_pages import RENDERING_PAGES
from tests.browser.test_element import wait_state
from tests.readme import DOCS, block
from tests.tools import find_command, missing

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: What each page is in, and what has to be in the directory for it.
PAGES = {
    "page.jsx": ["react", "react-dom", "esbuild"],
    "page.vue.js": ["vue", "esbuild"],
    "page.svelte": ["svelte", "esbuild"],
    "page.lit.js": ["lit", "esbuild"],
}

INSTALL = "npm install --prefix DIRECTORY esbuild lit react react-dom svelte vue, and name DIRECTORY/node_modules in it"

#: Compiles a file of Svelte's on stdin.
COMPILE = """
import { compile } from "svelte/compiler";
let text = "";
for await (const piece of process.stdin) text += piece;
process.stdout.write(compile(text, { generate: "client" }).js.code);
"""

#: How each page is put into the document.
MOUNT = {
    "page.jsx": 'import { createRoot } from "react-dom/client"; import { createElement } from "react";'
    'import { Page } from "./page.jsx"; createRoot(document.getElementById("root")).render(createElement(Page));',
    "page.vue.js": 'import { createApp } from "vue/dist/vue.esm-bundler.js"; import Page from "./page.vue.js";'
    'createApp(Page).mount("#root");',
    "page.svelte": 'import { mount } from "svelte"; import Page from "./page.svelte.js";'
    'mount(Page, { target: document.getElementById("root") });',
    "page.lit.js": 'import "./page.lit.js"; document.getElementById("root").append(document.createElement("my-page"));',
}

HTML = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>
<div id="root"></div>{script}"""

DEEP = """(() => {
  const within = (root) => root.querySelector("workqueue-progress") ?? within(root.querySelector("my-page").shadowRoot);
  return within(document);
})()"""


@pytest.fixture(scope="session")
def node_modules() -> Path:
    path = os.environ.get("WORKQUEUE_TEST_NODE_MODULES")
    if not path:
        missing(f"WORKQUEUE_TEST_NODE_MODULES is not set: {INSTALL}")
    return Path(path)


def bundle(name: str, text: str, node_modules: Path, directory: Path) -> str:
    """A page as a script of its own; the module of ours stays outside."""
    for package in PAGES[name]:
        if not (node_modules / package).is_dir():
            missing(f"no {package} in WORKQUEUE_TEST_NODE_MODULES: {INSTALL}")
    node = find_command("node") or missing("there is no node on PATH")
    (directory / "node_modules").symlink_to(node_modules)
    if name == "page.svelte":
        (directory / "compile.mjs").write_text(COMPILE)
        done = subprocess.run(
            [node, "compile.mjs"], cwd=directory, input=text, capture_output=True, text=True, check=True
        )
        (directory / "page.svelte.js").write_text(done.stdout)
    (directory / name).write_text(text)
    (directory / "main.js").write_text(MOUNT[name])
    command = [node, "node_modules/esbuild/bin/esbuild", "main.js", "--bundle", "--format=esm", "--jsx=automatic"]
    command += ["--external:/generate/workqueue.js", "--define:process.env.NODE_ENV='production'", "--log-level=error"]
    command += ["--conditions=browser", "--preserve-symlinks"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def renderings(page: "Page") -> Iterator[None]:
    yield
    page.close()


def check_asked_once(page: "Page", script: Script, gate: threading.Event) -> None:
    """Seconds pass while the program runs, and after it has failed."""
    handle = page.wait_for_function(f"{DEEP}?.state === 'running' && {DEEP}")
    page.clock.run_for(5_000)
    gate.set()
    page.wait_for_function(f"{DEEP}.state === 'failed'")
    page.clock.run_for(5_000)
    assert page.evaluate("(element) => element.request", handle)["body"] == {"name": "a", "seconds": "6"}
    assert [body for _, body in script.requests] == ["name=a&seconds=6"]


@pytest.mark.parametrize("is_documentation", [True, False], ids=["documentation", "renders each second"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_once(page: "Page", tmp_path: Path, node_modules: Path, name: str, is_documentation: bool) -> None:
    text = block(name, DOCS / "pages.rst") if is_documentation else RENDERING_PAGES[name]
    text = bundle(name, text, node_modules, tmp_path)
    gate = threading.Event()
    script = Script(Answer(line(0.25), line(0.5), gate, line(1.0, returncode=1, error="no such set")))
    with ExitStack() as stack:
        site = stack.enter_context(serving(WithModule(script)))
        site.page("main.js", text)
        page.clock.install()
        page.goto(site.page("page", HTML.format(script='<script type="module" src="/main.js"></script>')))
        check_asked_once(page, script, gate)
        if not is_documentation:
            n_seconds = f"Number(/\\d+/.exec({DEEP}.parentNode.textContent)[0])"
            page.wait_for_function(f"{n_seconds} >= 9")
            assert len(script.requests) == 1
        page.close()


class WithModule:
    """A script of answers, with the browser module at its usual address."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def __call__(self, environ, start_response):  # type: ignore[no-untyped-def]
        from workqueue.web import BROWSER_MODULE

        if environ["PATH_INFO"] == "/generate/workqueue.js":
            start_response("200 OK", [("Content-Type", "text/javascript; charset=utf-8")])
            return [BROWSER_MODULE.read_bytes()]
        return self._script(environ, start_response)


def test_htmx_swaps_an_equal_element_and_a_new_one(page: "Page") -> None:
    """Each swap is a new element, which asks for itself; `hx-preserve` keeps the one that is there."""
    found = importlib.util.find_spec("django_htmx")
    if found is None or found.origin is None:
        missing("no htmx: pip install django-htmx, which has it")
    htmx = (Path(found.origin).parent / "static" / "django_htmx" / "htmx-2.min.js").read_text()
    gate = threading.Event()
    script = Script(Answer(line(0.5), gate, line(1.0, returncode=1, error="no such set")))
    with serving(WithModule(script)) as site:
        site.page("htmx.js", htmx)
        text = block("page.html", DOCS / "pages.rst")
        site.page("builds", text[text.index("<main") :])
        page.goto(site.page("page", "<!doctype html><title>A page</title>" + text))
        wait_state(page, "running")
        gate.set()
        wait_state(page, "failed")
        for _ in range(3):
            with page.expect_response("**/builds"):
                page.evaluate("htmx.trigger('main', 'poll')")
            page.wait_for_function("!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")
        wait_state(page, "failed")
        page.close()
    assert len(script.requests) == 1
