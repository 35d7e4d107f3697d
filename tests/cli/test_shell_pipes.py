"""A pipe that may hide a failure is found; what only looks like one is not."""

import subprocess
from pathlib import Path

import pytest

from workqueue.cli.shell_pipes import find_hidden_status

FOR_SH = "make #!/bin/bash its first line and `set -eo pipefail` its second"
FOR_BASH = "put `set -eo pipefail` in its second line"


@pytest.mark.parametrize(
    ("script", "number", "line"),
    [
        ("#!/bin/sh\nset -e\nffmpeg -i a 3>&1 |\n awk '{ print }'\n", 3, "ffmpeg -i a 3>&1 |"),
        (
            "#!/bin/sh\nreader | while read line; do echo $line; done",
            2,
            "reader | while read line; do echo $line; done",
        ),
        ("#! /usr/bin/env bash\n\n  reader|sort >$1", 3, "reader|sort >$1"),
        ("#!/usr/bin/env -S bash -e\nreader |& tee log", 2, "reader |& tee log"),
        ("#!/usr/local/bin/zsh\nreader | sort", 2, "reader | sort"),
        ("#!/bin/dash\necho '|'; reader | sort", 2, "echo '|'; reader | sort"),
        ("#!/bin/sh\n: # pipefail would do\nreader | sort", 3, "reader | sort"),
        ("#!/bin/sh\necho a | reader | sort", 2, "echo a | reader | sort"),
        ("#!/bin/sh\ncase $1 in\n a|b) reader | sort;;\nesac", 3, "a|b) reader | sort;;"),
        ("#!/bin/sh\necho $# ${#x}; reader | sort", 2, "echo $# ${#x}; reader | sort"),
        ("#!/bin/sh\ncat <<END\na | b\nEND\nreader | sort", 5, "reader | sort"),
        ("#!/bin/sh\necho 'a\nb'\nreader | sort", 4, "reader | sort"),
        ("#!/bin/sh\n(reader a | sort)", 2, "(reader a | sort)"),
        ("#!/bin/sh\nx=$(reader | sort)", 2, "x=$(reader | sort)"),
    ],
)
def test_a_pipe_is_found_with_its_line(script: str, number: int, line: str) -> None:
    found = find_hidden_status(script)
    assert found is not None
    assert (found.number, found.line) == (number, line)
    assert found.fix == (FOR_BASH if "bash" in script or "zsh" in script else FOR_SH)


@pytest.mark.parametrize(
    "script",
    [
        "",
        "#!/usr/bin/env python3\nx = a | b",
        "#!/usr/bin/python3 # not sh\nx = a | b",
        "no shell | at all",
        "\x7fELF\x00 | ",
        "#!/bin/sh\nreader || exit 1\na||b",
        "#!/bin/sh\n# reader | sort\nreader # | sort",
        '#!/bin/sh\necho \'a | b\' "c | d \\" | e" \\| f',
        "#!/bin/sh\necho 'a\n | b'",
        "#!/bin/sh\necho a | sort",
        "#!/bin/sh\nfor x in a; do printf '%s\\n' $x | sort; done",
        "#!/bin/sh\nif reader | grep -q x; then exit 1; fi",
        "#!/bin/sh\n! reader | grep -q x",
        "#!/bin/sh\necho >| file",
        "#!/bin/bash\nset -eo pipefail\nreader | sort",
        "#!/bin/bash\nset -o errexit -o pipefail\nreader | sort",
        "#!/bin/bash -o pipefail\nreader | sort",
        "#!/bin/bash\nif [[ $x =~ a|b ]]; then exit; fi\necho $((1 | 2))",
        "#!/bin/sh\ncase $1 in a|b) exit;; c | d) exit;; esac",
        "#!/bin/sh\ncase $1 in\n  start|stop)\n  exit;;\n  (a|b) exit;;\nesac",
        "#!/bin/sh\npython3 - <<'END'\nx = a | b\nEND\n",
        "#!/bin/sh\ncat <<-END\n\ta | b\n\tEND\n",
    ],
)
def test_what_hides_nothing_is_not_complained_of(script: str) -> None:
    assert find_hidden_status(script) is None


def test_a_shell_does_hide_it(tmp_path: Path) -> None:
    """What the warning says of sh, and of its fix for bash, is so."""
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nset -e\n(exit 3) | sort\n")
    assert subprocess.run(["sh", script], check=False).returncode == 0
    script.write_text("#!/bin/bash\nset -eo pipefail\n(exit 3) | sort\n")
    assert find_hidden_status(script.read_text()) is None
