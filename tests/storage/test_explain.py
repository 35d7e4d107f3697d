"""Each thing that can be wrong with a bucket is told apart, without an address; the texts are obstore 0.12's."""

import pytest

from workqueue.storage.explain import explained, says_it_is_another, says_it_is_archived, says_no_reason

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
        (
            _ANSWERED + "403 Forbidden: <Error><Code>RequestTimeTooSkewed</Code></Error>",
            "the clock of this host is wrong, says the service (RequestTimeTooSkewed): set it",
        ),
        (
            _ANSWERED + "403 Forbidden: <Code>AuthenticationFailed</Code>Request date header too old: 'Fri'",
            "the clock of this host is wrong, says the service (AuthenticationFailed): set it",
        ),
        (
            _ANSWERED + "403 Forbidden: <Error><Code>InvalidObjectState</Code></Error>",
            "it is in an archive tier of the bucket, which cannot be read (InvalidObjectState): have it brought back",
        ),
        (
            _ANSWERED + "409 Conflict: <Error><Code>BlobArchived</Code></Error>",
            "it is in an archive tier of the bucket, which cannot be read (BlobArchived): have it brought back",
        ),
        (_ANSWERED + "400 Bad: <Code>ExpiredToken</Code>", "the credentials have expired (ExpiredToken): get new ones"),
        (
            _LIST + " - Received redirect without LOCATION, this normally indicates an incorrectly configured region",
            "the bucket is in another region: set region in config",
        ),
        (_ANSWERED + "301 Moved Permanently: ", "the bucket is in another region: set region in config"),
        (
            _ANSWERED + "400 Bad: <Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region>",
            "the bucket is in another region, eu-west-1 (AuthorizationHeaderMalformed): set region in config",
        ),
        (
            "Generic S3 error: Unable to extract metadata from headers: ETag Header missing from response",
            "the service does not say which version (ETag) of a part it has stored",
        ),
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


def test_an_archived_object_and_a_refusal_without_a_word_are_told_from_others() -> None:
    assert says_it_is_archived(_ANSWERED + "403 Forbidden: <Code>InvalidObjectState</Code>")
    assert not says_it_is_archived(_ANSWERED + "403 Forbidden: <Code>AccessDenied</Code>")
    assert not says_it_is_archived(_TREE)
    assert says_no_reason(_ANSWERED + "403 Forbidden: ")
    assert says_no_reason(_ANSWERED + "400 Bad Request: ")
    assert not says_no_reason(_ANSWERED + "403 Forbidden: <Code>AccessDenied</Code>")
    assert not says_no_reason(_ANSWERED + "503 Slow: ")
    assert not says_no_reason(_TREE)
