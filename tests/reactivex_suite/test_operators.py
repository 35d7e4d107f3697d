"""reactivex's own tests of its operators, over its own subject and over ours: no test tells the two apart.

These tests are in no package of reactivex's. Where a checkout of its repository is named, they are run from there::

    git clone --branch v6.1.0 REPOSITORY reactivex
    WORKQUEUE_TEST_REACTIVEX=reactivex pytest tests/reactivex_suite

Some of them want that nobody is told what was before: they fail over both.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import workqueue

HERE = Path(__file__).parent

#: Into how many shares the files are dealt, so that each takes seconds, also where much else runs.
N_SHARES = 12


@pytest.fixture
def checkout() -> Path:
    named = os.environ.get("WORKQUEUE_TEST_REACTIVEX")
    if not named:
        pytest.skip("reactivex's own tests are in no package: have a checkout's path in WORKQUEUE_TEST_REACTIVEX")
    return Path(named).resolve()


def outcomes(checkout: Path, share: int, subject: str, directory: Path) -> dict[str, str]:
    """How each of these tests ended over this subject."""
    found = directory / f"{subject}.json"
    files = sorted((checkout / "tests" / "test_observable").glob("test_*.py"))
    path = [str(HERE), str(Path(workqueue.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "through_subject", "-p", "no:cacheprovider", "-W", "ignore"]
    done = subprocess.run(
        # Nobody's settings but those here.
        [
            *(*command, "-c", os.devnull, "--rootdir", str(checkout)),
            *map(str, files[share::N_SHARES]),
        ],
        cwd=checkout,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "WORKQUEUE_TEST_SUBJECT": subject,
            "WORKQUEUE_TEST_OUTCOMES": str(found),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert found.exists(), done.stdout + done.stderr
    result: dict[str, str] = json.loads(found.read_text())
    return result


@pytest.mark.parametrize("share", range(N_SHARES))
def test_no_test_of_an_operator_tells_our_subject_from_the_stock_one(
    checkout: Path, tmp_path: Path, share: int
) -> None:
    stock, ours = (outcomes(checkout, share, subject, tmp_path) for subject in ("stock", "ours"))
    assert ours == stock
    n_of = Counter(ours.values())
    sys.stdout.write(f"{n_of['passed']} of {len(ours)} pass over both subjects\n")
    assert n_of["passed"] > 0.8 * len(ours) > 20
