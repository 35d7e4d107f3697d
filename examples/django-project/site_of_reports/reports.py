"""What a client may ask for."""

from workqueue.web import Fields, Problem


def params(fields: Fields) -> tuple[str, str]:
    """What the program is given; a client is told what is wrong with it."""
    if not fields["seconds"].isdecimal():
        raise Problem(400, "seconds must be a whole number")
    return fields["name"], fields["seconds"]
