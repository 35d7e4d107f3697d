"""For programs in Python that a queue runs: progress, the arguments, and a failure, in a line each.

::

    from workqueue.builder import arguments, fail, track

    server, document_set_id, api_token, output = arguments("server", "document_set_id", "api_token")
    with open(output, "w") as file:
        for document in track(documents, "Reading {n} of {total}"):
            file.write(document)

==================  ================================================================
`arguments`         the fields and the output's path, or a usage line and exit status 2
`progress`          one line of progress
`track`             progress of a loop
`part`              which share of the whole the loops of a block are
`tqdm`, `trange`    tqdm's, for a program that has its bars already
`claim_stdout`      what anybody else prints goes to stderr from now on
`fail`              why there is no result, and an exit status that says so
==================  ================================================================

It needs nothing but a few small modules of the standard library, and takes a millisecond to import.
"""

from workqueue.builder.bars import tqdm, trange
from workqueue.builder.command import arguments, fail
from workqueue.builder.loops import part, progress, track
from workqueue.builder.stdout import claim_stdout

__all__ = ("arguments", "claim_stdout", "fail", "part", "progress", "tqdm", "track", "trange")
