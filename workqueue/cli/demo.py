"""Show the whole thing: an Overview plugin, live progress in a browser, a search over what was built.

Starts a stand-in for Overview's API and the plugin on this host, and prints the page's address. With --once it does
without a person: requests a build over HTTP, draws its progress, searches, prints the hits and exits. With --cluster
three NATS servers and two workers do the work, and the page has buttons that kill them.
"""

from workqueue.demo.run import add_arguments, run

__all__ = ("add_arguments", "run")
