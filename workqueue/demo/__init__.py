"""An Overview plugin made real: full-text search over a document set, and everything it takes to see it work.

::

    texts            real texts: the standard library's documentation, or a directory
    documents        texts -> a document set with Overview's ids
    selections       which documents one query found, for stable paging
    overview_api     a document set -> a stand-in for Overview's HTTP API
    sets             those texts cut up by subject, with words to look for
    library          several document sets -> a stand-in that knows by its token what a request is about
    process-docset   the program: API -> an SQLite full-text index, run by the queue
    search_index     a finished index + what a person typed -> hits
    plugin           the queue + the index -> /metadata, /show, /generate, /search
    programs         which process builds which set, and its end by SIGKILL
    last_jobs        the job that builds each set, or did so last, for a page that only looks
    home             the page at /: document sets that wait in line, and buttons for them
    server           a WSGI app -> an HTTP server on a thread
    stage            all of the above, started together and cleared away at the end
    client           the plugin's answers, as a program reads them
    tour             `--once`: the whole way, without a person
    cluster/         `--cluster`: three NATS servers and two workers, each with a button that kills it
    refusal          why the demo cannot start
    start            the options -> a stage, for a person or for the tour
    run              `workqueue demo`: its options, and what ends it

Only ``run`` may be imported without the extra ``demo``.
"""
