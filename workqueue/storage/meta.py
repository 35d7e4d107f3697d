"""1 and 5 meta: what a bucket answers about one object -> what a storage needs to know of it; pure."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from workqueue.storage.details import Details, packed, unpacked

#: What the details are called in an object's metadata; Azure takes letters, digits and underscores.
_DETAILS: Final = "workqueue"

#: How a weak ETag begins: one that promises no equal bytes, and that no If-Match may match (RFC 9110, 13.1.1).
_WEAK: Final = "W/"


class Meta(NamedTuple):
    """What a bucket knows of one object."""

    size: int
    """In bytes."""

    published_at: float
    """In seconds since the epoch, by the server's clock."""

    e_tag: str | None
    """What the server calls this version of it, as it says it; None: it does not. On S3 the same content has the same.
    Services and proxies leave the quotes out, or make it a weak one, in some answers and not in others."""

    details: Details = Details()
    """What whoever published it says of it; a listing does not."""

    @property
    def version(self) -> str:
        """16 hexadecimal digits, other ones for every publication.

        They are made of what we wrote ourselves, where that came back: an ETag may be another one in the answer to
        HEAD than in that to GET or PUT.
        """
        text = self.details.publication or _plain(self.e_tag) or f"{self.published_at} {self.size}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def if_match(self) -> str | None:
        """What asks for this version alone; None where there is nothing that could."""
        return None if not self.e_tag or self.e_tag.startswith(_WEAK) else f'"{_plain(self.e_tag)}"'


def meta_of(found: Mapping[str, Any], attributes: Mapping[str, str] | None = None) -> Meta:
    """From an answer.

    Args:
        found: obstore's ObjectMeta.
        attributes: those of the object, where the answer has them.
    """
    details = Details() if attributes is None else _details(attributes)
    return Meta(found["size"], found["last_modified"].timestamp(), found["e_tag"], details)


def attributes_of(details: Details) -> dict[str, str]:
    """The attributes of an object that say this of it."""
    return {_DETAILS: base64.urlsafe_b64encode(packed(details)).decode()}


def _details(attributes: Mapping[str, str]) -> Details:
    try:
        return unpacked(base64.urlsafe_b64decode(attributes.get(_DETAILS, "")))
    except ValueError:
        return Details()


def _plain(e_tag: str | None) -> str:
    return (e_tag or "").removeprefix(_WEAK).strip('"')
