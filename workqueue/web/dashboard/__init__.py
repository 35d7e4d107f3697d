"""7 dashboard: a queue -> a page that shows what runs, what waits and what has ended, live, to its operators.

`workqueue.web.wsgi.DashboardApp` and `workqueue.web.asgi.DashboardApp` are made of this.
"""
