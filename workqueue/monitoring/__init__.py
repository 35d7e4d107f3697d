"""Queues and jobs -> the tools that watch a site. Each module needs the extra of its name, and nothing imports them.

`prometheus` counts, `opentelemetry` traces; both use what is public, `WorkQueue.statistics` and `Hooks`.
"""
