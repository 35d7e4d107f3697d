"""1 and 5 links: whether a symbolic link in a directory leads to a place in it; pure.

It must, without "..", but at its beginning. Those climb from where the link is, through directories that are none
themselves; what follows goes down, perhaps through other links, each of which leads to a place within. A ".." behind a
name is refused, since that name may be a link: then it climbs from somewhere else.
"""


def leads_within(path: str, target: str) -> bool:
    """Whether a link leads to nowhere else.

    Args:
        path: the link's, from the top of the directory.
        target: where it leads.
    """
    if target.startswith("/"):
        return False
    depth = path.count("/")
    parts = [part for part in target.split("/") if part not in ("", ".")]
    n_up = next((i for i, part in enumerate(parts) if part != ".."), len(parts))
    return n_up <= depth and ".." not in parts[n_up:]
