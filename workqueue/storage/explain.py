"""1 and 5 explain: what obstore says of a failed request -> what is wrong, in words that say what to do; pure.

Its exceptions tell little apart: a wrong secret is a refusal for one request and a nameless error for another, and all
that is wrong with a network has the same first line. Its texts do, which hold the server's answer and, below, a tree of
causes; see tests/objects/test_servers.py for the texts that this relies on, of the version that was tried.
"""

import re
from typing import Final

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")

#: It may hold a password, or a signature; and clients are not told where the service is.
_URL: Final = re.compile(r"\w+://\S+")

#: Whom obstore asks for the credentials of this host's role, when there are no others.
_HOST_ROLE: Final = "169.254.169.254"

_CAUSES: Final = (
    (_HOST_ROLE, "there are no credentials: give them in config, or in the environment"),
    ("dns error", "there is no such host: look at the endpoint, and the region"),
    ("ConnectionRefused", "nobody listens at the endpoint: look at its address, and whether the service runs"),
    ("InvalidMessage", "the endpoint does not speak TLS: is it http://, not https://?"),
    ("certificate", "the endpoint's certificate is not trusted: see client_options"),
    ("Invalid Access Key", "the access key is none: it should be in base64"),
    ("kind: Timeout", "the service did not answer in time; it may be overloaded, or behind a firewall"),
    ("error sending request", "the connection to the service broke, again and again"),
)

_MISSING: Final = "there is no such bucket: create it, or mend its name"
_REFUSED: Final = (
    "the service refuses the credentials{code}: look at the key and its secret, and whether it may list, read, write"
    " and delete the objects of this bucket"
)


def says_it_is_another(text: str) -> bool:
    """Whether the object that was asked for by its version is gone, or has another one."""
    status = _STATUS.search(text)
    return status is not None and status[1] in ("404", "412")


def explained(text: str) -> str:
    """What is wrong, in one sentence without an address or a secret.

    Args:
        text: that of an exception of obstore.
    """
    status, code = (match and match[1] for match in (_STATUS.search(text), _CODE.search(text)))
    if _HOST_ROLE not in text:
        if status in ("401", "403"):
            return _REFUSED.format(code=f" ({code})" if code else "")
        if status == "404":
            return _MISSING if code else "the endpoint knows no such bucket, or is no service of this kind"
        if status is not None:
            return f"the service answers with status {status}{f' ({code})' if code else ''}"
    for sign, cause in _CAUSES:
        if sign in text:
            return cause
    return _URL.sub("the service", text.partition("\n")[0])
