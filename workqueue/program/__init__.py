"""5 program: the one thing that is run, an executable in any language -> bytes -> Progress, and its exit.

`protocol` says what it may print, `start` how it is started, `process` reads it to its end, `run` is the whole.
"""
