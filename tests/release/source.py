"""The checkout that the tests belong to, which is not where they run: tox copies them away from the source."""

import os
from pathlib import Path

from tests.readme import ROOT
from tests.tools import missing

#: tox names it, since only the tests are copied, and what they read.
SOURCE = Path(os.environ.get("WORKQUEUE_TEST_SOURCE") or ROOT)


def source_file(name: str) -> Path:
    """A file or directory of the checkout, or `missing`."""
    path = SOURCE / name
    return path if path.exists() else missing(f"there is no {name}: name a checkout in WORKQUEUE_TEST_SOURCE")
