"""Blobs by every way and both digest algorithms, and byte ranges."""

from functools import partial

from . import uploads
from .content import digest_of
from .runner import StoredAnyway, NotReached, Step, suite

ALGORITHMS = ("sha256", "sha512")
UPLOADS = {
    **uploads.WAYS,
    "mount missing": uploads.mount_missing,
    "chunked out-of-order": uploads.chunked_disordered,
    "chunked out-of-order and put chunk": uploads.chunked_disordered_put,
}
FIXED = {"empty": b"", "emptyJSON": b"{}"}
BAD_DIGESTS = ("post only", "post+put", "chunked", "chunked and put chunk", "stream")
RANGED_SIZE = 5000
RANGES = {"500-1499": (500, 1499), "500-": (500, 4999), "-500": (4500, 4999), "2000-5000": (2000, 4999)}
UNSATISFIABLE = ("500-0", "5000-10000")


class BlobCase:
    """One blob that goes up by one way and is then looked at and deleted."""

    def __init__(self, name, algorithm, way, group, fixed=None):
        self.name = name
        self.algorithm = algorithm
        self.way = way
        self.fixed = fixed
        self.pushed = Step(name, self.push)
        suite.add(name, group, self.pushed.run)
        for part, action in (("blob-head", self.head), ("blob-get", self.get), ("blob-delete", self.delete)):
            suite.add(f"{name}/{part}", group, action)
        suite.add_cleanup(self.clean_up)

    def data(self, registry):
        if self.fixed is not None:
            return self.fixed
        if "multi" not in self.name and "out-of-order" not in self.name:
            return registry.data(self.name, 512)
        begun = registry.post(registry.uploads(registry.repo)).expect(202)
        least = max(int(begun.header("OCI-Chunk-Min-Length") or 0), 1024)
        return registry.data(self.name, 3 * least - 5)

    def digest(self, registry):
        return digest_of(self.data(registry), self.algorithm)

    def push(self, registry):
        self.way(registry, registry.repo, self.data(registry), self.digest(registry))

    def head(self, registry):
        self.pushed.require(registry)
        registry.check_blob_head(registry.repo, self.data(registry), self.digest(registry))

    def get(self, registry):
        self.pushed.require(registry)
        registry.check_blob(registry.repo, self.data(registry), self.digest(registry))

    def delete(self, registry):
        self.pushed.require(registry)
        target = registry.blob(registry.repo, self.digest(registry))
        registry.delete(target).expect(202)
        registry.check_gone(target)

    def clean_up(self, registry):
        if self.pushed.done:
            for repo in (registry.repo, registry.repo2):
                registry.delete(registry.blob(repo, self.digest(registry)))


def get_missing(registry, algorithm, method):
    target = registry.blob(registry.repo, digest_of(registry.data(f"{algorithm} missing", 512), algorithm))
    registry.client.request(method, target).expect(404)


def post_cancel(registry, algorithm):
    location = registry.start_upload(registry.repo)
    registry.delete(location).expect(204)


def bad_digest(registry, algorithm, way):
    data = registry.data(f"{algorithm} bad digest {way}", 3000)
    uploads.bad_digest(registry, registry.repo, data, digest_of(data + b"!", algorithm), way)


class Ranged:
    """A blob of 5000 bytes that is asked for in parts."""

    def __init__(self, algorithm):
        self.algorithm = algorithm
        self.pushed = Step(f"{algorithm} blobs/range requests", self.push)

    def push(self, registry):
        data = registry.data(f"{self.algorithm} ranges", RANGED_SIZE)
        return data, registry.blob(registry.repo, registry.put_blob(registry.repo, data, self.algorithm))

    def satisfied(self, registry, text):
        data, target = self.pushed.require(registry)
        first, last = RANGES[text]
        answer = registry.get(target, ("Range", f"bytes={text}")).expect(206)
        answer.expect_body(data[first:last + 1])
        answer.expect_header("Content-Length", str(last + 1 - first))
        answer.expect_header("Content-Range", f"bytes {first}-{last}/{RANGED_SIZE}")

    def refused(self, registry, text):
        _, target = self.pushed.require(registry)
        registry.get(target, ("Range", f"bytes={text}")).expect(416)

    def clean_up(self, registry):
        if self.pushed.done and self.pushed.value:
            registry.delete(self.pushed.value[1])


def digest_header(registry, algorithm):
    """Reads of blobs name the digest (dev; 1.1 only wants it right where it is)."""
    data = registry.data(f"{algorithm} digest header", 800)
    digest = registry.put_blob(registry.repo, data, algorithm)
    try:
        registry.check_blob(registry.repo, data, digest).expect_digest(digest, required=True)
        registry.check_blob_head(registry.repo, data, digest).expect_digest(digest, required=True)
    finally:
        registry.delete(registry.blob(registry.repo, digest))


def push_headers(registry, algorithm, way):
    """What ends an upload names the digest and the place (larder: docker's client reads both)."""
    data = registry.data(f"{algorithm} push header {way}", 800)
    digest = digest_of(data, algorithm)
    try:
        answer = uploads.WAYS[way](registry, registry.repo, data, digest)
    except StoredAnyway as failure:
        raise NotReached(str(failure)) from None
    finally:
        registry.delete(registry.blob(registry.repo, digest))
    answer.expect_digest(digest, required=True)
    if registry.location(answer) != registry.blob(registry.repo, digest):
        answer.fail(f"Location: {registry.blob(registry.repo, digest)}", registry.location(answer))


for name in ALGORITHMS:
    root = f"{name} blobs"
    suite.add(f"{root}/get-missing", "1.1", partial(get_missing, algorithm=name, method="GET"))
    suite.add(f"{root}/head-missing", "1.1", partial(get_missing, algorithm=name, method="HEAD"))
    for way_name, way_action in UPLOADS.items():
        BlobCase(f"{root}/{way_name}", name, way_action, "1.1")
    BlobCase(f"{root}/stream with length", name, uploads.stream_with_length, "1.1")
    suite.add(f"{root}/post cancel", "dev", partial(post_cancel, algorithm=name))
    ranged = Ranged(name)
    for span in RANGES:
        suite.add(f"{root}/range requests/range {span}", "1.1", partial(ranged.satisfied, text=span))
    for span in UNSATISFIABLE:
        suite.add(f"{root}/range requests/range {span}", "1.1", partial(ranged.refused, text=span))
    suite.add_cleanup(ranged.clean_up)
    for fixed_name, fixed_data in FIXED.items():
        BlobCase(f"{root}/{fixed_name}", name, uploads.post_put, "1.1", fixed_data)
        BlobCase(f"{root}/{fixed_name} post only", name, uploads.post_only, "larder", fixed_data)
        BlobCase(f"{root}/{fixed_name} stream", name, uploads.stream, "larder", fixed_data)
    for way_name in BAD_DIGESTS:
        suite.add(f"{root}/bad digest {way_name}", "1.1", partial(bad_digest, algorithm=name, way=way_name))
    suite.add(f"{root}/digest-header", "dev", partial(digest_header, algorithm=name))
    for way_name in uploads.WAYS:
        suite.add(f"{root}/push-headers {way_name}", "larder", partial(push_headers, algorithm=name, way=way_name))
