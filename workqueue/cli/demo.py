"""Show the whole thing: builds that wait in line, live progress in a browser, a search over what was built.

Starts an Overview plugin and a stand-in for Overview's API on this host, and prints the page's address. The page has
six document sets, of which two are built at once. With --once it does without a person: requests a build over HTTP,
draws its progress, searches, prints the hits and exits. With --cluster three NATS servers and two workers do the
work, and the page has buttons that kill them.

Examples:
  workqueue demo
  workqueue demo --once
"""

from workqueue.demo.run import add_arguments, run

__all__ = ("add_arguments", "run")
