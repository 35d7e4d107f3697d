"""The options of a command that say which cluster it is about -> how to get to its servers."""

import argparse
import os
import ssl

from workqueue.cli.place import CannotUseStorage


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    add = parser.add_argument
    url = os.environ.get("WORKQUEUE_NATS_URL")
    add(
        "--nats",
        metavar="URL",
        default=url,
        required=url is None,
        help="the servers, with commas between, such as nats://HOST:4222 (default: $WORKQUEUE_NATS_URL)",
    )
    add("--cluster", metavar="NAME", default="workqueue", help="ClusterEngine's name (default: %(default)s)")
    add("--credentials", metavar="FILE", help="NATS credentials")
    add("--tls-ca", metavar="FILE", help="whom to trust, in place of the system's certificates")
    add("--tls-cert", metavar="FILE", help="the certificate to show, with its chain")
    add("--tls-key", metavar="FILE", help="its private key, if it is in a file of its own")


def tls_of(options: argparse.Namespace) -> ssl.SSLContext | None:
    """What to trust and to show; None if the options say nothing of it.

    Raises:
        CannotUseCluster: a file cannot be used; the text says which.
    """
    if options.tls_ca is None and options.tls_cert is None:
        if options.tls_key is not None:
            raise CannotUseCluster("--tls-key needs --tls-cert, too")
        return None
    file = options.tls_ca
    try:
        context = ssl.create_default_context(cafile=options.tls_ca)
        if (file := options.tls_cert) is not None:
            context.load_cert_chain(options.tls_cert, options.tls_key)
    except (OSError, ssl.SSLError) as err:
        raise CannotUseCluster(f"cannot use the certificate in {file}: {err.strerror or err}") from err
    return context


class CannotUseCluster(CannotUseStorage):
    """The cluster that was named cannot be used; the text says why."""
