"""What counts as a request of the page's own."""

import re

import pytest

from workqueue.web import Problem
from workqueue.web.dashboard.forgery import check_is_ours, cookie_of, token_for
from workqueue.web.message import Request

TOKEN = "0123456789abcdef" * 2

OURS = {
    "content-type": "application/json",
    "cookie": f"session=x; workqueue_dashboard={TOKEN}",
    "x-workqueue-token": TOKEN,
    "sec-fetch-site": "same-origin",
    "origin": "http://ops.example:8000",
    "host": "ops.example:8000",
}


def post(**headers: str | None) -> Request:
    """The page's own request, with other headers, or without them."""
    changed = {**OURS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Request("POST", "/cancel", "", {name: value for name, value in changed.items() if value is not None})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_type": "Application/JSON; charset=utf-8"},
        {"sec_fetch_site": None},
        {"sec_fetch_site": None, "origin": None},
        {"sec_fetch_site": None, "origin": "http://OPS.example:8000"},
        {
            "host": "inside.example"
        },  # the browser has said that it is the same origin, whatever a proxy made of the host
        {"cookie": f"workqueue_dashboard={'f' * 32}; workqueue_dashboard={TOKEN}"},
        {"cookie": f"a=b, workqueue_dashboard={TOKEN}"},  # of two headers, put together
    ],
)
def test_what_the_page_sends_is_taken(headers: dict[str, str | None]) -> None:
    check_is_ours(post(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": None, "origin": "http://evil.example"},
        {"sec_fetch_site": None, "origin": "http://ops.example"},
        {"sec_fetch_site": None, "origin": "null"},
        {"x_workqueue_token": None},
        {"x_workqueue_token": ""},
        {"x_workqueue_token": "f" * 32},
        {"x_workqueue_token": "\u00e9"},
        {"cookie": None},
        {"cookie": "session=x"},
        {"cookie": f"workqueue_dashboard=; other={TOKEN}"},
        {"cookie": f"not_workqueue_dashboard={TOKEN}"},
        {"cookie": "workqueue_dashboard=", "x_workqueue_token": ""},
    ],
)
def test_what_another_site_could_send_is_not(headers: dict[str, str | None]) -> None:
    with pytest.raises(Problem) as raised:
        check_is_ours(post(**headers))
    assert raised.value.status == 403


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_what_a_form_could_send_is_not(content_type: str | None) -> None:
    with pytest.raises(Problem) as raised:
        check_is_ours(post(content_type=content_type))
    assert raised.value.status == 415


def test_a_page_keeps_the_token_of_its_browser() -> None:
    """Else a second tab would take the first one's away."""
    assert token_for(OURS) == TOKEN
    made = token_for({"cookie": "workqueue_dashboard=short"})
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert made != token_for({})


def test_the_cookie_is_neither_read_by_scripts_nor_sent_by_other_sites() -> None:
    assert cookie_of(TOKEN, is_secure=False) == f"workqueue_dashboard={TOKEN}; HttpOnly; SameSite=Strict"
    assert cookie_of(TOKEN, is_secure=True).endswith("; Secure")
