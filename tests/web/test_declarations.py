"""workqueue.d.ts declares what workqueue.js has: no name more, no name less, and the same defaults."""

import re

from tests.readme import DOCS
from workqueue.web import BROWSER_MODULE, progress_schema

MODULE = BROWSER_MODULE.read_text()
DECLARED = BROWSER_MODULE.with_suffix(".d.ts").read_text()


def body_of(head: str, text: str) -> str:
    """What stands between this and the closing brace at the same indentation."""
    found = re.search(rf"{re.escape(head)}[^\n]*\{{\n(.*?)\n\}}", text, re.DOTALL)
    assert found is not None, head
    return found[1]


def members(interface: str) -> set[str]:
    return set(
        re.findall(r"^  (?:readonly )?(\w+)\??:", body_of(f"export interface {interface}", DECLARED), re.MULTILINE)
    )


def unpacked(pattern: str) -> dict[str, str]:
    """The names of a destructuring pattern, with their defaults."""
    items = (item.partition("=") for item in pattern.split(","))
    return {name.strip(): default.strip() for name, _, default in items}


def test_an_event_is_declared_as_its_schema_has_it() -> None:
    types = {"integer": "number", "number": "number", "string": "string", "null": "null"}
    schemas = progress_schema()["properties"].items()
    names = {name: [schema["type"]] if isinstance(schema["type"], str) else schema["type"] for name, schema in schemas}
    declared = re.findall(
        r"^  readonly (\w+\??): ([^;]+);", body_of("export interface Progress", DECLARED), re.MULTILINE
    )
    required = progress_schema()["required"]
    assert declared == [
        (name if name in required else f"{name}?", " | ".join(types[part] for part in parts))
        for name, parts in names.items()
    ]


def test_the_same_things_are_exported() -> None:
    declared = re.findall(r"^export (?:class|function) (\w+)", DECLARED, re.MULTILINE)
    assert set(declared) == set(re.findall(r"^export (?:class|function) (\w+)", MODULE, re.MULTILINE))


def test_each_option_is_declared_with_its_default() -> None:
    found = re.findall(r"(?:const|function initOf\() ?\{ ([^}]*) \}(?: = options;|, accept = LINES\) \{)", MODULE)
    options = {name: default for pattern in found for name, default in unpacked(pattern).items()}
    assert set(options) == members("WatchRequest") | members("WatchOptions")
    for name in ("stall", "firstPause", "longestPause", "glance", "grace"):
        value = re.search(rf"const {options[name]} = ([\d_]+);", MODULE)
        assert value is not None
        assert re.search(rf"Default {int(value[1]):,}\.[^\n]*\n  {name}\?:", DECLARED), name
    assert f"Default `{options['method']}`" in DECLARED
    assert f"Default `{options['credentials']}`" in DECLARED


def test_each_text_is_declared() -> None:
    assert members("Texts") == set(re.findall(r"^  (\w+):", body_of("const TEXTS =", MODULE), re.MULTILINE))


def test_each_state_is_declared() -> None:
    states = re.search(r"export type WorkqueueProgressState = ([^;]*);", DECLARED)
    assert states is not None
    rendered = re.search(r"const says = \{(.*?)\}\[state\]", MODULE, re.DOTALL)
    assert rendered is not None
    assert set(re.findall(r'"(\w+)"', states[1])) == set(re.findall(r"^      (\w+): \(\)", rendered[1], re.MULTILINE))


def test_each_part_and_each_variable_is_named() -> None:
    comment = re.sub(r"\s*\n \* ?", " ", DECLARED)
    listed = re.search(r"the parts ([\w, ]+), and the custom properties ([^.]+)\.", comment)
    assert listed is not None
    parts = set(re.findall(r'part\(\s*"\w+",\s*"(\w+)"', MODULE))
    unlisted = {"spoken"}  # seen by nobody
    assert set(re.findall(r"\w+", listed[1])) == parts - unlisted
    variables = set(re.findall(r"var\(--workqueue(-[\w-]+)", MODULE))
    assert {"-" + name for name in re.findall(r"-([\w-]+)`", listed[2].replace("--workqueue-", "-"))} == variables


def test_the_documentation_has_all_of_it() -> None:
    """Attributes, properties, options, events, texts, parts and variables, each by its name."""
    page = (DOCS / "pages.rst").read_text()
    parts = set(re.findall(r'part\(\s*"\w+",\s*"(\w+)"', MODULE)) - {"spoken"}
    variables = {f"--workqueue{name}" for name in re.findall(r"var\(--workqueue(-[\w-]+)", MODULE)}
    events = set(re.findall(r"^  (\w+): CustomEvent", DECLARED, re.MULTILINE))
    names = parts | variables | events | members("Texts") | members("WatchRequest") | members("WatchOptions")
    names |= {"src", "label", "manual", "state", "request", "texts", "redirected", *states_declared()}
    assert {name for name in names if not re.search(rf"``{re.escape(name)}[`(]", page)} == set()


def states_declared() -> set[str]:
    states = re.search(r"export type WorkqueueProgressState = ([^;]*);", DECLARED)
    assert states is not None
    return set(re.findall(r'"(\w+)"', states[1]))
