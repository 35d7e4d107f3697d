"""Questions that a user would ask before choosing this library, each answered by one file, with its peers in the run.

``python -m benchmarks.<name>`` prints one answer; ``python -m benchmarks`` makes them all, and writes the report.

========================  =====================================================================================
`answer`                  what a question's file returns: a table, targets, plots; and how it is printed
`peers`                   what we are measured beside, installed apart, each in a directory of its own
`clock`                   medians, percentiles, and what a process has used
========================  =====================================================================================
"""
