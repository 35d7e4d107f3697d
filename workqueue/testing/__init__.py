"""For tests of code that uses workqueue: real programs and jobs that go where a test sends them.

==================  ==================================================================
`ScriptedProgram`   a real program that does what a list of steps says, and waits where told
`ManualEngine`      an engine without programs, driven by the test
`collect`           all the events of a job, in a list
==================  ==================================================================
"""

from workqueue.testing.collect import collect
from workqueue.testing.engine import ManualEngine
from workqueue.testing.program import ScriptedProgram
from workqueue.testing.steps import Step, exit_with, output, print_bytes, print_error, say, wait

__all__ = (
    "ManualEngine",
    "ScriptedProgram",
    "Step",
    "collect",
    "exit_with",
    "output",
    "print_bytes",
    "print_error",
    "say",
    "wait",
)
