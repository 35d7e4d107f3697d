"""Each thing that can be wrong with a bucket is told apart, without an address; the texts are obstore 0.12's."""

import pytest

from workqueue.storage.explain import explained, says_it_is_another

_LIST = (
    "Generic S3 error: Error performing list request: Error performing GET http://127.0.0.1:8333/b?list-type=2 in 1ms"
)
_ANSWERED = _LIST + " - Server returned non-2xx status code: "
_TREE = _LIST + " - HTTP error: error sending request\n\nDebug source:\n    source: HttpError { "


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            _ANSWERED + "403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code></Error>",
            "the service refuses the credentials (SignatureDoesNotMatch): look at the key and its secret, and",
        ),
        (_ANSWERED + "403 Forbidden: \n\nDebug source:", "the service refuses the credentials: look at the key"),
        (_ANSWERED + "401 Unauthorized: ", "the service refuses the credentials: look at the key"),
        (_ANSWERED + "404 Not Found: <Error><Code>NoSuchBucket</Code></Error>", "there is no such bucket: create it"),
        (_ANSWERED + "404 Not Found: ", "the endpoint knows no such bucket, or is no service of this kind"),
        (_ANSWERED + "503 Slow: <Code>SlowDown</Code>", "the service answers with status 503 (SlowDown)"),
        (_ANSWERED + "500 Oh: ", "the service answers with status 500"),
        (
            _TREE + 'kind: Connect, "dns error", Name or service not known',
            "there is no such host: look at the endpoint",
        ),
        (_TREE + "kind: Connect, Os { code: 111, kind: ConnectionRefused }", "nobody listens at the endpoint: look at"),
        (_TREE + "kind: Connect, InvalidMessage(InvalidContentType)", "the endpoint does not speak TLS: is it http://"),
        (_TREE + "kind: Timeout, source: TimedOut", "the service did not answer in time; it may be overloaded"),
        (_TREE + "kind: Request, IncompleteMessage", "the connection to the service broke, again and again"),
        (
            "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token: status code: 403",
            "there are no credentials: give them in config, or in the environment",
        ),
        ("Generic MicrosoftAzure error: Invalid Access Key: Invalid symbol 32", "the access key is none: it should be"),
        ("Something new\n\nDebug source:\nmuch more", "Something new"),
        (
            "Generic S3 error: Error performing GET http://u:pw@host/b?sig=secret in 1ms - HTTP error: builder error",
            "Generic S3 error: Error performing GET the service in 1ms - HTTP error: builder error",
        ),
    ],
)
def test_it_says_what_is_wrong_and_what_to_do(text: str, cause: str) -> None:
    told = explained(text)
    assert told.startswith(cause)
    assert "127.0.0.1" not in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("answer", "is_another"), [("412 Precondition Failed: ", True), ("404 Not Found: ", True), ("503 Slow: ", False)]
)
def test_a_version_that_is_gone_is_told_from_a_request_that_failed(answer: str, is_another: bool) -> None:
    assert says_it_is_another(_ANSWERED + answer) is is_another
    assert not says_it_is_another(_TREE)
