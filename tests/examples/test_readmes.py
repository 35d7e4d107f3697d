"""What the READMEs of the examples say."""

import pytest

from tests.examples.example import EXAMPLES, known_extras, readme

NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_started_by_one_command_with_extras_that_there_are(name: str) -> None:
    found = readme(name)
    assert found.installed or found.line.startswith("docker ")
    assert found.extras <= known_extras()
    assert found.command


def test_the_list_has_each_example() -> None:
    text = (EXAMPLES / "README.rst").read_text()
    for name in NAMES:
        assert f"``{name}``" in text
    assert text.count("\n``") == len(NAMES)
