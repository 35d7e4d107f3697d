"""4 cluster seal: a task's text -> one that only those who have the secret can read, or make.

Fernet (AES-128-CBC with HMAC-SHA256; https://github.com/fernet/spec). Without a secret the text is left as it is.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class _Cipher(Protocol):
    def encrypt(self, msg: bytes) -> bytes: ...

    def decrypt(self, msg: bytes) -> bytes: ...


class Broken(Exception):
    """It was closed with another secret, for another key, or by nobody who has one."""


class Seal:
    """Closes and opens. Callable from any thread.

    Args:
        secrets: keys as ``cryptography.fernet.Fernet.generate_key()`` makes them; the first closes, all open, so that a
            secret can be replaced while both are in use. Empty: nothing is sealed.

    Raises:
        ImportError: there is a secret, and no ``cryptography``.
        ValueError: one that cannot be a secret.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._cipher: _Cipher | None = _cipher(secrets) if secrets else None

    @property
    def is_closed(self) -> bool:
        """Whether what it closes cannot be read."""
        return self._cipher is not None

    def close(self, key: str, data: Mapping[str, Any]) -> str:
        """The text of these data, bound to a run's key."""
        text = json.dumps({**data, "key": key}, separators=(",", ":"))
        return text if self._cipher is None else self._cipher.encrypt(text.encode()).decode()

    def open(self, key: str, text: str) -> dict[str, Any]:
        """The data of a text that was closed for this key.

        Raises:
            Broken: it was not.
        """
        try:
            data = json.loads(text if self._cipher is None else self._cipher.decrypt(text.encode()))
        except Exception as err:
            why = "it is sealed" if self._cipher is None else "it was sealed with another secret, or not at all"
            raise Broken(why) from err
        if not isinstance(data, dict) or data.pop("key", None) != key:
            raise Broken("it is about another key")
        return data


def _cipher(secrets: Sequence[str]) -> _Cipher:
    try:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - needs an extra
    except ImportError as err:
        raise ImportError("a secret needs the extra: pip install 'overview-plugin-workqueue[cluster]'") from err
    try:
        return MultiFernet([Fernet(secret) for secret in secrets])
    except ValueError as err:
        raise ValueError(
            "a secret is 32 random bytes in URL-safe base64, as this prints:"
            " python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
        ) from err
