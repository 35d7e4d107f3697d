"""Servers on threads."""

import socket
import threading

import pytest
from flask import Flask

from tests.demo.conftest import ask
from workqueue.demo.server import listen, serving, url_of


def test_a_server_lasts_as_long_as_its_context_and_logs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    app = Flask("hello")
    app.add_url_rule("/", view_func=lambda: "hello")
    with serving(app, listen("127.0.0.1", 0)) as url:
        assert ask(url, apiToken="secret").body == b"hello"
        assert ask(f"{url}/missing", apiToken="secret").status == 404
    assert capfd.readouterr() == ("", "")
    assert not [thread for thread in threading.enumerate() if thread.name == "serve hello"]
    with pytest.raises(OSError, match=r"refused"):
        ask(url)


def test_a_port_that_is_taken_is_an_oserror() -> None:
    with listen("127.0.0.1", 0) as listener, pytest.raises(OSError, match=r"in use"):
        listen("127.0.0.1", listener.getsockname()[1])


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_it_listens_on_ipv6_too() -> None:
    app = Flask("hello")
    app.add_url_rule("/", view_func=lambda: "hello")
    with serving(app, listen("::1", 0)) as url:
        assert url.startswith("http://[::1]:")
        assert ask(url).body == b"hello"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8"),
        ("0.0.0.0", "http://127.0.0.1:8"),
        ("::", "http://[::1]:8"),
        ("::1", "http://[::1]:8"),
    ],
)
def test_an_address_is_one_that_a_browser_here_can_open(host: str, url: str) -> None:
    assert url_of(host, 8) == url
