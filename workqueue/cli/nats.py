"""The options of a command that name a cluster -> how to connect to its servers."""

import argparse
import os
import ssl

from workqueue.cli.place import CannotUseStorage


def add_cluster(parser: argparse.ArgumentParser, *, is_required: bool = True) -> None:
    """Declare them.

    Args:
        parser: of the command.
        is_required: whether the servers must be named, here or in the environment.
    """
    add = parser.add_argument
    url = os.environ.get("WORKQUEUE_NATS_URL")
    add(
        "--nats",
        metavar="URL",
        default=url if is_required else None,
        required=is_required and url is None,
        help="the NATS servers, separated by commas, such as nats://HOST:4222 (default: $WORKQUEUE_NATS_URL)",
    )
    add(
        "--cluster",
        metavar="NAME",
        default="workqueue",
        help="the name that the servers give their ClusterEngine (default: %(default)s)",
    )
    add("--credentials", metavar="FILE", help="the file with the NATS credentials")
    add("--tls-ca", metavar="FILE", help="the certificates to trust, instead of the system's")
    add("--tls-cert", metavar="FILE", help="the certificate to present, with its chain")
    add("--tls-key", metavar="FILE", help="the private key of --tls-cert, if it is in another file")


def tls_of(options: argparse.Namespace) -> ssl.SSLContext | None:
    """The certificates to trust and to present; None without such an option.

    Raises:
        CannotUseCluster: a file cannot be used; the text says which.
    """
    if options.tls_ca is None and options.tls_cert is None:
        if options.tls_key is not None:
            raise CannotUseCluster("--tls-key needs --tls-cert; give the certificate of this key, too")
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
