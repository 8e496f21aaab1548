"""A conformance suite for OCI registries; `conformance.py` beside this folder runs it."""


def load(sparse):
    """All tests in the order in which they run, and what has to see every answer for the last of them."""
    from . import basics, blobs, datasets
    from .runner import suite
    datasets.add_all(sparse)
    from . import sessions, reads, lists, referrers, manifests, deletion, errors
    errors.add_watch()
    return suite, errors.watch
