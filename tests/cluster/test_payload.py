"""A record's value to bytes and back, and the headers by which it is put on a condition."""

import pytest

from workqueue.engines.cluster.payload import decode, encode, headers_of


def test_a_value_comes_back() -> None:
    assert decode(encode(["a", 1, None, {"b": 0.5}])) == ["a", 1, None, {"b": 0.5}]


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_json_is_none(data: bytes) -> None:
    assert decode(data) is None


def test_a_put_without_a_condition_has_no_headers() -> None:
    assert headers_of(None, None, 0.0, is_only=False) == {}


@pytest.mark.parametrize(("ttl", "header"), [(0.2, "1s"), (1.0, "1s"), (119.6, "120s")])
def test_a_put_has_headers_for_what_it_says(ttl: float, header: str) -> None:
    assert headers_of(7, "wq.name.s.own.-.*", ttl, is_only=True) == {
        "Nats-Expected-Last-Subject-Sequence": "7",
        "Nats-Expected-Last-Subject-Sequence-Subject": "wq.name.s.own.-.*",
        "Nats-TTL": header,
        "Nats-Rollup": "sub",
    }


def test_a_condition_may_be_that_there_is_none() -> None:
    assert headers_of(0, None, 0.0, is_only=False) == {"Nats-Expected-Last-Subject-Sequence": "0"}
