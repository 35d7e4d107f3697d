#!/usr/bin/env python3
# ruff: noqa: N999 - a program, not a module: nobody imports it
r"""Build a full-text index of one Overview document set.

Usage: process-docset.py SERVER DOCUMENT_SET_ID API_TOKEN OUTPUT_FILENAME

OUTPUT_FILENAME is an existing, empty file; it becomes an SQLite database with one FTS5 table,
`documents(title, text)`, whose rowid is the document's id. Progress goes to stdout as
`0.3667\tIndexed 154 of 420 documents\n`. Exit status: 0 when the index is whole, 1 when it is not (one line on
stderr says why), 2 when it was called wrongly.

Needs ijson, which reads the stream as it comes, so that memory does not grow with the document set.
"""

import base64
import http.client
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote, urlsplit

try:
    import ijson  # type: ignore[import-untyped]
except ImportError:
    sys.exit(f"{sys.executable} has no ijson: pip install 'overview-plugin-workqueue[demo]'")

#: Seconds to wait for a connection, and for each piece of the answer: Overview may think before it speaks.
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0

EXPLANATIONS = {
    401: "it does not accept the API token; the View may have been deleted",
    403: "the API token is for another document set",
    404: "it has no such document set",
}


class CannotBuildError(Exception):
    """The index cannot be built; the text says why, and never repeats the token."""


class Documents:
    """The documents of a set, one at a time, as Overview sends them; tells how many have been dealt with."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self._said = -1
        self.done = 0
        """How many have been given out, and dealt with."""
        self.total: int | None = None
        """How many there will be; Overview says so before the first one."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for document in ijson.items(self._noting_total(), "items.item"):
            yield document
            self.done += 1
        self.report()

    def read(self, size: int) -> bytes:
        """Give ijson what has arrived; to wait for `size` bytes would hold documents back."""
        if size == 0:
            return b""
        self.report()  # before it waits, so that no progress is held back either
        return self._response.read1(size)

    def report(self) -> None:
        """Print a progress line, if there is anything new to say."""
        if self.total is None or self._said == self.done:
            return
        self._said = self.done
        fraction = min(self.done / self.total, 1.0) if self.total else 1.0
        print(f"{fraction:.4f}\tIndexed {self.done} of {self.total} documents", flush=True)

    def _noting_total(self) -> Iterator[tuple[str, str, Any]]:
        for prefix, event, value in ijson.parse(self):
            if prefix == "pagination.total" and event == "number":
                self.total = int(value)
            yield prefix, event, value


def open_connection(server: str) -> http.client.HTTPConnection:
    """Connect to Overview. Redirects and proxies are not followed: the token is for this server alone."""
    url = urlsplit(server)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(url.hostname or "", url.port, timeout=CONNECT_TIMEOUT)
        connection.connect()
    except (OSError, ValueError, http.client.HTTPException) as err:
        raise CannotBuildError(f"Cannot reach Overview at {address(server)}: {reason(err)}") from err
    connection.sock.settimeout(READ_TIMEOUT)
    return connection


def request_documents(
    connection: http.client.HTTPConnection, server: str, document_set_id: str, api_token: str
) -> http.client.HTTPResponse:
    """Ask for all documents in one streamed answer."""
    prefix = quote(urlsplit(server).path.rstrip("/"), safe="/%")
    path = f"{prefix}/api/v1/document-sets/{quote(document_set_id, safe='')}/documents"
    credentials = base64.b64encode(f"{api_token}:x-auth-token".encode()).decode("ascii")
    headers = {"Authorization": f"Basic {credentials}", "Accept": "application/json"}
    connection.request("GET", f"{path}?stream=true&fields=id,title,text", headers=headers)
    response = connection.getresponse()
    if response.status != 200:
        status = f"HTTP {response.status}"
        explanation = EXPLANATIONS.get(response.status, response.reason or "it did not say why")
        raise CannotBuildError(f"Overview at {address(server)} answered {status}: {explanation}")
    return response


def build_index(documents: Documents, output_filename: str) -> None:
    """Write the index; the database is closed, and is one file, when this returns."""
    # No journal: an index that was not finished is thrown away, and no second file may lie beside this one.
    with closing(sqlite3.connect(output_filename, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("BEGIN")
        database.execute("CREATE VIRTUAL TABLE documents USING fts5(title, text, tokenize = 'unicode61')")
        insert_documents(database, documents)
        database.execute("INSERT INTO documents (documents) VALUES ('optimize')")
        check_count(database, documents.total)
        database.execute("COMMIT")


def insert_documents(database: sqlite3.Connection, documents: Documents) -> None:
    """Put each document into the index as it arrives."""
    for document in documents:
        row = (document["id"], document.get("title") or "", document.get("text") or "")
        database.execute("INSERT INTO documents (rowid, title, text) VALUES (?, ?, ?)", row)


def check_count(database: sqlite3.Connection, total: int | None) -> None:
    """Refuse an index that holds fewer documents than Overview has announced."""
    (count,) = database.execute("SELECT count(*) FROM documents").fetchone()
    if total is None:
        raise CannotBuildError("Overview's answer lacks the number of documents: is this its API?")
    if count < total:
        raise CannotBuildError(f"Overview announced {total} documents but sent {count}")


def address(server: str) -> str:
    """Where Overview is, fit for an error message: no path, and nobody's password."""
    url = urlsplit(server)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def reason(error: Exception) -> str:
    """What went wrong, in the system's words where it has some."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def one_line(text: str) -> str:
    """Make text from a server fit for a terminal and a log."""
    return "".join(c if c.isprintable() else " " for c in text[:500]).strip()


def run(server: str, document_set_id: str, api_token: str, output_filename: str) -> None:
    """Build the index, or raise CannotBuildError."""
    try:
        with closing(open_connection(server)) as connection:
            response = request_documents(connection, server, document_set_id, api_token)
            build_index(Documents(response), output_filename)
    except ijson.IncompleteJSONError as err:
        raise CannotBuildError("Overview's answer broke off before its end, or is not JSON") from err
    except ijson.JSONError as err:
        raise CannotBuildError("Overview's answer is not JSON") from err
    except (KeyError, TypeError, AttributeError, OverflowError) as err:
        raise CannotBuildError("Overview's answer holds something that is not a document") from err
    except sqlite3.Error as err:
        raise CannotBuildError(f"Cannot write the index: {err}") from err
    except http.client.IncompleteRead as err:
        raise CannotBuildError("The connection to Overview broke off before the last document") from err
    except (OSError, ValueError, http.client.HTTPException) as err:
        raise CannotBuildError(f"The connection to Overview failed: {reason(err)}") from err


def main() -> None:
    """Run the program; the exit status is all that says whether the index is whole."""
    if len(sys.argv) != 5:
        print("Usage: process-docset.py SERVER DOCUMENT_SET_ID API_TOKEN OUTPUT_FILENAME", file=sys.stderr)
        sys.exit(2)
    try:
        run(*sys.argv[1:])
    except CannotBuildError as err:
        print(one_line(str(err)), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
