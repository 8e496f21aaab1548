"""What the tests push: digests, layers, manifests, and the data sets made of them. All of it comes from the seed."""

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field

OCI = "application/vnd.oci.image."
IMAGE = OCI + "manifest.v1+json"
INDEX = OCI + "index.v1+json"
CONFIG = OCI + "config.v1+json"
LAYER = OCI + "layer.v1.tar"
LAYER_GZIP = LAYER + "+gzip"
FOREIGN_LAYER = OCI + "layer.nondistributable.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER = "application/vnd.docker."
DOCKER_IMAGE = DOCKER + "distribution.manifest.v2+json"
DOCKER_LIST = DOCKER + "distribution.manifest.list.v2+json"
DOCKER_CONFIG = DOCKER + "container.image.v1+json"
DOCKER_LAYER = DOCKER + "image.rootfs.diff.tar.gzip"
SCHEMA_1 = (DOCKER + "distribution.manifest.v1+json", DOCKER + "distribution.manifest.v1+prettyjws")
EXAMPLE = "application/vnd.larder.conformance."

ACCEPT = [("Accept", kind) for kind in (IMAGE, INDEX, DOCKER_IMAGE, DOCKER_LIST)]
LINUX = [{"os": "linux", "architecture": name} for name in ("amd64", "arm64")]


def digest_of(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def descriptor(kind, data, algorithm="sha256", **more):
    return {"mediaType": kind, "digest": digest_of(data, algorithm), "size": len(data), **more}


def encoded(value):
    return json.dumps(value, separators=(",", ":")).encode()


def tar_layer(chance, size, compressed):
    """A layer as an image has it; gives the bytes to push and the digest of the tar file inside."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(f"srv/{chance.randrange(1 << 40):010x}")
        entry.size = size
        tar.addfile(entry, io.BytesIO(chance.randbytes(size)))
    data = buffer.getvalue()
    return (gzip.compress(data, 1, mtime=0) if compressed else data), digest_of(data)


@dataclass
class Manifest:
    """A manifest to push, and what a registry has to say of it afterwards."""

    body: bytes
    kind: str
    algorithm: str = "sha256"
    tags: list = field(default_factory=list)
    wrong_digest: str | None = None

    @property
    def value(self):
        return json.loads(self.body)

    @property
    def digest(self):
        return self.wrong_digest or digest_of(self.body, self.algorithm)

    @property
    def subject(self):
        """The digest of the subject, if there is one."""
        return self.value.get("subject", {}).get("digest")

    @property
    def artifact_type(self):
        value = self.value
        own = value.get("artifactType")
        return own if own or self.kind in (INDEX, DOCKER_LIST) else value["config"]["mediaType"]

    def descriptor(self, **more):
        return {"mediaType": self.kind, "digest": self.digest, "size": len(self.body), **more}

    def as_referrer(self):
        """The descriptor by which the list of referrers names it."""
        more = {"artifactType": self.artifact_type} if self.artifact_type else {}
        annotations = self.value.get("annotations")
        return self.descriptor(**more, **({"annotations": annotations} if annotations else {}))


class Content:
    """Blobs, and manifests in the order in which they can be pushed."""

    def __init__(self, chance, algorithm="sha256"):
        self.chance = chance
        self.algorithm = algorithm
        self.blobs = {}
        self.manifests = []

    def blob(self, kind, data, pushed=True, **more):
        description = descriptor(kind, data, self.algorithm, **more)
        if pushed:
            self.blobs[description["digest"]] = data
        return description

    def random_blob(self, kind, size, **more):
        return self.blob(kind, self.chance.randbytes(size), **more)

    def config(self, layers, platform=None, **more):
        value = {"created": "2026-01-01T00:00:00Z", **(platform or LINUX[0]), "config": {"Env": ["PATH=/bin"]},
                 "rootfs": {"type": "layers", "diff_ids": layers}, "history": [{"created_by": "conformance"}], **more}
        return self.blob(CONFIG, encoded(value))

    def manifest(self, kind, value, tags=()):
        made = Manifest(encoded(value), kind, self.algorithm, list(tags))
        self.manifests.append(made)
        return made

    def image(self, tags=(), platform=None, compressed=True, layer_sizes=(300, 70_000), config_more=None, **more):
        """An image of random layers."""
        layers, inner = [], []
        for size in layer_sizes:
            data, inside = tar_layer(self.chance, size, compressed)
            layers.append(self.blob(LAYER_GZIP if compressed else LAYER, data))
            inner.append(inside)
        config = self.config(inner, platform, **(config_more or {}))
        return self.image_of(config, layers, tags, **more)

    def image_of(self, config, layers, tags=(), **more):
        value = {"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers, **more}
        return self.manifest(IMAGE, value, tags)

    def index(self, children, tags=(), **more):
        value = {"schemaVersion": 2, "mediaType": INDEX, "manifests": children, **more}
        return self.manifest(INDEX, value, tags)

    def index_of_images(self, tags=(), **more):
        """An index of one image for each of two platforms."""
        children = [self.image(platform=platform).descriptor(platform=platform) for platform in LINUX]
        return self.index(children, tags, **more)

    def artifact(self, kind, tags=(), **more):
        """An artifact of one layer, with the empty config."""
        config = self.blob(EMPTY, b"{}")
        layer = self.random_blob(EXAMPLE + "file", 700)
        return self.image_of(config, [layer], tags, artifactType=kind, **more)

    def drop_blob(self, digest):
        del self.blobs[digest]
