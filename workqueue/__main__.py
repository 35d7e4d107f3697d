"""``python -m workqueue``: the command line."""

from workqueue.cli import main

raise SystemExit(main())
