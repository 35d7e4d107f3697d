"""1 and 5 signing: what a storage can do that sends clients to itself, with URLs that it signs."""

from typing import Literal, Protocol, runtime_checkable


@runtime_checkable
class SigningStorage(Protocol):
    """A storage whose results may be fetched from it by whoever has a URL that it signed. Callable from any thread."""

    def signed_url(self, key: str, seconds: float, method: Literal["GET", "HEAD"]) -> str:
        """The URL of a result, whether it is there or not, for so long and this method.

        Raises:
            StorageError: the credentials do not sign.
        """
        ...
