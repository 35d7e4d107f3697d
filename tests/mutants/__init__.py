"""Do the tests see what the code does? A sample of small changes to it, each of which some test must fail for.

``tox -e mutants`` takes 500 changes of the modules in `mutant.ROOMS`, always the same ones while the code stays, makes
each in a copy of the tree, and runs the tests that reach it. It is no part of CI: it takes about an hour.

==================  ==================================================================================
`operators`         the kinds of change: those of cosmic-ray, and two of ours
`places`            where no change is made, by rule
`mutant`            one change: the code with it, and what names it; all of them, and a sample
`reach`             which tests run which lines, and how long each takes: from one run with coverage
`trial`             a copy of the tree, and one change tried in it
`nursery`           the process that runs pytest for each: it has imported what takes long
`equivalents`       the changes that no test can see, each with the reason, in ``equivalents.toml``
==================  ==================================================================================
"""
