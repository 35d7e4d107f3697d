"""Azure's blobs as Azurite, Microsoft's emulator, keeps them."""

import base64
import hashlib
import hmac
import http.client
import re
import signal
from contextlib import closing
from email.utils import formatdate
from types import MappingProxyType
from typing import ClassVar

from tests.objects.server import ObjectServer
from tests.servers.server import TIMEOUT

#: What every Azurite knows, and nobody else.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Azurite(ObjectServer):
    """Its blob service alone. It has containers where others have buckets."""

    kind: ClassVar = "azure"
    variable: ClassVar = "WORKQUEUE_TEST_AZURITE"
    program: ClassVar = "azurite-blob"
    package: ClassVar = "npm install --global azurite@3.37.0"
    n_ports: ClassVar = 1
    credentials: ClassVar = MappingProxyType({"account_name": _ACCOUNT, "account_key": _KEY})
    stop_signal: ClassVar = signal.SIGTERM  # else it writes down what it has every 5 seconds
    wrong_credentials: ClassVar = MappingProxyType({**credentials, "account_key": "A" + _KEY[1:]})

    def endpoint_at(self, port: int) -> str:
        """See `ObjectServer`."""
        return f"http://127.0.0.1:{port}/{_ACCOUNT}"

    def url(self, prefix: str = "", bucket: str | None = None) -> str:
        """See `ObjectServer`."""
        return f"az://{bucket or self.bucket}/{prefix}".rstrip("/")

    def _unfinished(self) -> list[str]:
        query = {"restype": "container", "comp": "list"}
        whole, all_of_them = self._ask("GET", query), self._ask("GET", {**query, "include": "uncommittedblobs"})
        return list(_names(all_of_them) - _names(whole))

    def _make_bucket(self) -> None:
        self._ask("PUT", {"restype": "container"})

    def _arguments(self) -> list[str]:
        return [
            "--blobHost=127.0.0.1",
            f"--blobPort={self.port}",
            f"--location={self.directory}",
            "--disableTelemetry",
            # obstore asks for the newest API, Azurite for the ones that it knows.
            "--skipApiVersionCheck",
            "--silent",
        ]

    def _ask(self, method: str, query: dict[str, str]) -> str:
        """Ask of the container what obstore has no call for; 409, it is there already, is an answer too."""
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
        path = f"/{_ACCOUNT}/{self.bucket}"
        # The method, eleven headers that are not sent, those that are, the account, and what is asked for.
        lines = [method, *[""] * 11, *map(":".join, headers.items()), f"/{_ACCOUNT}{path}"]
        lines += map(":".join, sorted(query.items()))
        signature = hmac.digest(base64.b64decode(_KEY), "\n".join(lines).encode(), hashlib.sha256)
        headers["Authorization"] = f"SharedKey {_ACCOUNT}:{base64.b64encode(signature).decode()}"
        target = f"{path}?{'&'.join(map('='.join, query.items()))}"
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)) as connection:
            connection.request(method, target, headers=headers)
            response = connection.getresponse()
            body = response.read().decode()
        assert response.status in {200, 201, 409}, body
        return body


def _names(listing: str) -> set[str]:
    return set(re.findall("<Name>([^<]*)</Name>", listing))
