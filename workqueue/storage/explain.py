"""1 and 5 explain: what obstore says of a failed request -> what is wrong, in words that say what to do; pure.

Its exceptions tell little apart: a wrong secret is a refusal for one request and a nameless error for another, and all
that is wrong with a network has the same first line. Its texts do, which hold the server's answer and, below, a tree of
causes; see tests/objects/test_servers.py for the texts that this relies on, of the version that was tried.
"""

import re
from typing import Final

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_REGION_OF: Final = re.compile(r"<Region>([\w-]+)</Region>")

#: It may hold a password, or a signature; and clients are not told where the service is.
_URL: Final = re.compile(r"\w+://\S+")

#: Whom obstore asks for the credentials of this host's role, when there are no others.
_HOST_ROLE: Final = "169.254.169.254"

_MISSING: Final = "there is no such bucket: create it, or mend its name"
_REFUSED: Final = (
    "the service refuses the credentials{code}: look at the key and its secret, and whether it may list, read, write"
    " and delete the objects of this bucket"
)
_CLOCK: Final = "the clock of this host is wrong, says the service{code}: set it, best by NTP"
_REGION: Final = "the bucket is in another region{where}{code}: set region in config, or in the environment"
_EXPIRED: Final = "the credentials have expired{code}: get new ones"
_ARCHIVED: Final = (
    "it is in an archive tier of the bucket, which cannot be read{code}: have it brought back, or delete it, to have it"
    " built again"
)

#: What the service says is wrong, whatever its status.
_OF_CODE: Final = {
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "InvalidObjectState": _ARCHIVED,
    "BlobArchived": _ARCHIVED,
}

#: Azure's code is the same for whatever is wrong with what signs a request; its text is not.
_OLD_DATE: Final = "date header too old"

_CAUSES: Final = (
    (_HOST_ROLE, "there are no credentials: give them in config, or in the environment"),
    ("dns error", "there is no such host: look at the endpoint, and the region"),
    ("ConnectionRefused", "nobody listens at the endpoint: look at its address, and whether the service runs"),
    ("InvalidMessage", "the endpoint does not speak TLS: is it http://, not https://?"),
    ("certificate", "the endpoint's certificate is not trusted: see client_options"),
    ("Invalid Access Key", "the access key is none: it should be in base64"),
    ("kind: Timeout", "the service did not answer in time; it may be overloaded, or behind a firewall"),
    # A redirect by S3 that does not say where to.
    ("incorrectly configured region", _REGION),
    (
        "ETag Header missing",
        "the service does not say which version (ETag) of a part it has stored, as it must",
    ),
    ("error sending request", "the connection to the service broke, again and again"),
)


def says_it_is_another(text: str) -> bool:
    """Whether the object that was asked for by its version is gone, or has another one."""
    status = _STATUS.search(text)
    return status is not None and status[1] in ("404", "412")


def says_it_is_archived(text: str) -> bool:
    """Whether the object that was asked for is there, in a tier that cannot be read."""
    return _OF_CODE.get(_code(text) or "") is _ARCHIVED


def says_no_reason(text: str) -> bool:
    """Whether the service refused the request without a word, as it does when no text may be in the answer."""
    status = _STATUS.search(text)
    return status is not None and status[1] in ("400", "403") and _code(text) is None


def says_no_version(text: str) -> bool:
    """Whether the service took what it was sent, and did not say which version that is."""
    return "ETag Header missing" in text


def explained(text: str) -> str:
    """What is wrong, in one sentence without an address or a secret.

    Args:
        text: that of an exception of obstore.
    """
    if _HOST_ROLE not in text and (cause := _cause_of_answer(text)) is not None:
        return cause
    for sign, cause in _CAUSES:
        if sign in text:
            return cause.format(code="", where="")
    return _URL.sub("the service", text.partition("\n")[0])


def _cause_of_answer(text: str) -> str | None:
    """What the service says; None if it did not answer."""
    status = _STATUS.search(text)
    if status is None:
        return None
    code, region = _code(text), _REGION_OF.search(text)
    told = {"code": f" ({code})" if code else "", "where": f", {region[1]}" if region else ""}
    cause = _OF_CODE.get(code or "")
    if cause is None and _OLD_DATE in text:
        cause = _CLOCK
    if cause is None and status[1] in ("401", "403"):
        cause = _REFUSED
    if cause is not None:
        return cause.format(**told)
    if status[1] == "404":
        return _MISSING if code else "the endpoint knows no such bucket, or is no service of this kind"
    if status[1] == "301":
        return _REGION.format(**told)
    return f"the service answers with status {status[1]}{told['code']}"


def _code(text: str) -> str | None:
    code = _CODE.search(text)
    return None if code is None else code[1]
