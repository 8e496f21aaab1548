"""The data sets: kinds of content, each pushed, listed, looked at, pulled, asked for referrers, and deleted."""

import base64

from .content import (
    CONFIG, EMPTY, EXAMPLE, FOREIGN_LAYER, IMAGE, LAYER_GZIP, LINUX, Manifest, descriptor, digest_of, encoded,
    tar_layer,
)
from .runner import Failure, NoAnswer, NotReached, suite
from .uploads import push_by_turns


class DataSet:
    """One kind of content and the tests of it."""

    def __init__(self, name, make, group="1.1", algorithm="sha256", tag_parameters=False, sparse=False,
                 is_tagged=True, has_blobs=True):
        self.name = name
        self.make = make
        self.group = group
        self.algorithm = algorithm
        self.tag_parameters = tag_parameters
        self.sparse = sparse
        self.is_tagged = is_tagged
        self.has_blobs = has_blobs
        self.content = None
        self.stored = set()
        self.push_failure = None
        self.add()

    def add(self):
        parts = [
            ("push", self.push), ("tag-list", self.tag_list),
            ("head/manifest-head-by-tag", self.head_by_tag), ("head/manifest-head-by-digest", self.head_by_digest),
            ("head/blob-head", self.blob_head),
            ("pull/manifest-by-tag", self.pull_by_tag), ("pull/manifest-by-digest", self.pull_by_digest),
            ("pull/blob-get", self.blob_get),
            ("referrers", self.referrers), ("digest-header", self.digest_header),
            ("delete/tag-delete", self.tag_delete), ("delete/manifest-delete", self.manifest_delete),
            ("delete/blob-delete", self.blob_delete),
        ]
        for part, action in parts:
            if self.applies(part):
                suite.add(f"{self.name}/{part}", "dev" if part == "digest-header" else self.group, action)
        suite.add_cleanup(self.clean_up)

    def applies(self, part):
        """A set without tags or without blobs has no tests of them."""
        if part in ("head/blob-head", "pull/blob-get", "delete/blob-delete"):
            return self.has_blobs
        return self.is_tagged or not part.endswith(("by-tag", "tag-delete"))

    # What there is to push.

    def prepare(self, registry):
        if self.content is None:
            fresh = registry.content(f"{self.name} set", self.algorithm)
            self.content = self.make(fresh, registry.tag(self.name))
        return registry.sparse_repo if self.sparse else registry.repo

    @property
    def manifests(self):
        return self.content.manifests

    @property
    def tags(self):
        return {tag: manifest for manifest in self.manifests for tag in manifest.tags}

    # Push.

    def push(self, registry):
        """Pushes everything, also behind a failure, and then complains of the first things that went wrong."""
        repo = self.prepare(registry)
        problems = []

        def attempt(key, action, *values):
            try:
                action(registry, repo, *values)
            except (Failure, NoAnswer, OSError) as error:
                problems.append(str(error))
                if key not in self.stored:
                    return
            self.stored.add(key)

        for digest, data in self.content.blobs.items():
            attempt(digest, self.push_blob, data)
        for manifest in self.manifests:
            attempt(manifest.digest, self.push_manifest, manifest, manifest.digest)
        if not self.tag_parameters:
            for tag, manifest in self.tags.items():
                attempt(tag, self.push_manifest, manifest, tag)
        self.push_failure = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if problems[3:] else "")
        if problems:
            raise Failure(self.push_failure)

    def push_blob(self, registry, repo, data):
        push_by_turns(registry, repo, data, self.algorithm)

    def push_manifest(self, registry, repo, manifest, reference):
        query = [("tag", tag) for tag in manifest.tags] if self.tag_parameters else []
        answer = registry.put_manifest(repo, reference, manifest.body, manifest.kind, *query)
        if manifest.wrong_digest:
            answer.expect(400)
            return
        answer.expect(201)
        self.stored.add(reference)
        registry.users.setdefault(repo, {})[manifest.digest] = manifest
        registry.check_manifest(registry.get(registry.location(answer), ("Accept", manifest.kind)), manifest)
        answer.expect_digest(manifest.digest)
        if query:
            self.check_tags(answer, manifest)
        if manifest.subject:
            answer.expect_header("OCI-Subject", manifest.subject)

    def check_tags(self, answer, manifest):
        given = {tag.strip() for line in answer.all("OCI-Tag") for tag in line.split(",")}
        self.stored |= given & set(manifest.tags)
        if not given >= set(manifest.tags):
            answer.fail(f"OCI-Tag: {', '.join(manifest.tags)}", f"201 with {answer.all('OCI-Tag')}")

    def require(self, registry, *keys):
        """The push has stored these references and blobs, whatever else it did wrong."""
        repo = self.prepare(registry)
        if self.push_failure is None:
            try:
                self.push(registry)
            except Failure:
                pass
        for key in keys:
            if key not in self.stored:
                raise NotReached(f"{self.name}/push did not store {key}: {self.push_failure}")
        return repo

    # List, look, pull.

    def tag_list(self, registry):
        """All tags are listed; `last` gives what comes after a tag in the middle, and nothing else."""
        repo = self.require(registry, *self.tags_if_expected(registry))
        if not self.is_tagged and registry.get(registry.tags(repo)).status == 404:
            return
        names = registry.all_tags(repo)
        missing = [tag for tag in self.tags if tag not in names]
        if missing:
            raise Failure(f"GET {registry.tags(repo)}: demanded the tags {missing}, answered {names[:20]}")
        if names:
            middle = (len(names) - 1) // 2
            later = registry.all_tags(repo, ("last", names[middle]))
            if later != names[middle + 1:]:
                raise Failure(f"GET {registry.tags(repo)}?last={names[middle]}: demanded {names[middle + 1:][:20]}, "
                              f"answered {later[:20]}")

    def tags_if_expected(self, registry):
        self.prepare(registry)
        return list(self.tags)

    def each_tag(self, registry, method, required=False):
        repo = self.require(registry, *self.tags_if_expected(registry))
        for tag, manifest in self.tags.items():
            answer = method(repo, tag)
            registry.check_manifest(answer, manifest).expect_digest(manifest.digest, required)

    def each_manifest(self, registry, method, required=False):
        self.prepare(registry)
        repo = self.require(registry, *[manifest.digest for manifest in self.manifests])
        for manifest in self.manifests:
            answer = method(repo, manifest.digest)
            if manifest.wrong_digest:
                answer.expect(404)
            else:
                registry.check_manifest(answer, manifest).expect_digest(manifest.digest, required)

    def each_blob(self, registry, check, required=False):
        self.prepare(registry)
        repo = self.require(registry, *self.content.blobs)
        for digest, data in self.content.blobs.items():
            check(repo, data, digest).expect_digest(digest, required)

    def head_by_tag(self, registry):
        self.each_tag(registry, registry.head_manifest)

    def head_by_digest(self, registry):
        self.each_manifest(registry, registry.head_manifest)

    def blob_head(self, registry):
        self.each_blob(registry, registry.check_blob_head)

    def pull_by_tag(self, registry):
        self.each_tag(registry, registry.get_manifest)

    def pull_by_digest(self, registry):
        self.each_manifest(registry, registry.get_manifest)

    def blob_get(self, registry):
        self.each_blob(registry, registry.check_blob)

    def digest_header(self, registry):
        """Docker-Content-Digest is there in every answer to a read (dev; before, it only had to be right)."""
        for method in (registry.head_manifest, registry.get_manifest):
            self.each_tag(registry, method, required=True)
            self.each_manifest(registry, method, required=True)
        for check in (registry.check_blob_head, registry.check_blob):
            self.each_blob(registry, check, required=True)

    def referrers(self, registry):
        """Each manifest and each subject has exactly the referrers of the set, also when filtered by type."""
        self.prepare(registry)
        repo = self.require(registry, *[manifest.digest for manifest in self.manifests])
        subjects = {manifest.digest for manifest in self.manifests}
        subjects |= {manifest.subject for manifest in self.manifests if manifest.subject}
        for subject in sorted(subjects):
            expected = [manifest.as_referrer() for manifest in self.manifests if manifest.subject == subject]
            registry.check_referrers(repo, subject, expected)
            for kind in sorted({entry["artifactType"] for entry in expected if "artifactType" in entry}):
                chosen = [entry for entry in expected if entry.get("artifactType") == kind]
                answer = registry.check_referrers(repo, subject, chosen, ("artifactType", kind))
                answer.expect_header("OCI-Filters-Applied", "artifactType")

    # Delete.

    def tag_delete(self, registry):
        repo = self.require(registry, *self.tags_if_expected(registry))
        for tag in self.tags:
            target = registry.manifest(repo, tag)
            registry.delete(target).expect(202)
            registry.check_gone(target)

    def manifest_delete(self, registry):
        self.prepare(registry)
        repo = self.require(registry, *[manifest.digest for manifest in self.manifests])
        for manifest in reversed(self.manifests):
            target = registry.manifest(repo, manifest.digest)
            if manifest.wrong_digest:
                registry.delete(target).expect(404)
                continue
            registry.delete(target).expect(202)
            registry.check_gone(target)
            registry.users[repo].pop(manifest.digest, None)

    def blob_delete(self, registry):
        self.prepare(registry)
        repo = self.require(registry, *self.content.blobs)
        for digest in self.content.blobs:
            self.require_unused(registry, repo, digest)
            target = registry.blob(repo, digest)
            registry.delete(target).expect(202)
            registry.check_gone(target)

    def require_unused(self, registry, repo, digest):
        """A manifest that could not be deleted may keep its blobs."""
        for manifest in registry.users.get(repo, {}).values():
            if digest.encode() in manifest.body:
                raise NotReached(f"the manifest {manifest.digest}, which uses the blob {digest}, is still there")

    def clean_up(self, registry):
        if self.push_failure is None:
            return
        repo = self.prepare(registry)
        for tag in self.tags:
            registry.delete(registry.manifest(repo, tag))
        for manifest in reversed(self.manifests):
            answer = registry.delete(registry.manifest(repo, manifest.digest))
            if answer.status in (202, 404):
                registry.users.get(repo, {}).pop(manifest.digest, None)
        for digest in self.content.blobs:
            registry.delete(registry.blob(repo, digest))


# What is in each set. `tag` is a name that is new in every run.

def image(content, tag):
    content.image([tag, f"{tag}-1.0", f"{tag}-1.0.3"], annotations={"org.opencontainers.image.title": "conformance"})
    return content


def image_uncompressed(content, tag):
    content.image([tag], compressed=False)
    return content


def large_manifest(content, tag):
    letters = base64.b64encode(content.chance.randbytes(7500)).decode()
    content.image([tag], annotations={f"larder.conformance.{number:03}": letters for number in range(390)})
    return content


def index(content, tag):
    content.index_of_images([tag, f"{tag}-multi"])
    return content


def nested_index(content, tag):
    inner = [content.index_of_images().descriptor() for _ in range(2)]
    content.index([*inner, content.image().descriptor()], [tag])
    return content


def empty_index(content, tag):
    # The annotation makes it another one than that of other runs.
    content.index([], [tag], annotations={"larder.conformance.tag": tag})
    return content


def artifact(content, tag):
    content.artifact(EXAMPLE + "report", [tag])
    return content


def artifact_index(content, tag):
    children = [content.artifact(EXAMPLE + "report").descriptor(artifactType=EXAMPLE + "report", platform=platform)
                for platform in LINUX]
    content.index(children, [tag], artifactType=EXAMPLE + "reports")
    return content


def artifact_without_layers(content, tag):
    empty = content.blob(EMPTY, b"{}")
    content.image_of(empty, [empty], [tag], artifactType=EXAMPLE + "mark", annotations={"larder.conformance.tag": tag})
    return content


def refer_to(content, subject, tag):
    """Five referrers: two of one type, one of another, one that has the type of its config, one index."""
    for number in range(2):
        content.artifact(EXAMPLE + "sbom+json", [f"{tag}-sbom{number}"] if number == 0 else [], subject=subject,
                         annotations={"larder.conformance.number": str(number)})
    content.artifact(EXAMPLE + "signature", [f"{tag}-signature"], subject=subject,
                     annotations={"larder.conformance.text": "über / \"quoted\" + \\ \u2028 €", "empty": ""})
    own = content.random_blob(EXAMPLE + "config", 90)
    content.image_of(own, [content.random_blob(LAYER_GZIP, 300)], subject=subject)
    content.index([], artifactType=EXAMPLE + "collection", subject=subject, annotations={"a": "b"})


def artifacts_with_subject(content, tag):
    refer_to(content, content.image([tag]).descriptor(), tag)
    return content


def index_with_subject(content, tag):
    subject = content.index_of_images([tag]).descriptor()
    child = content.artifact(EXAMPLE + "report").descriptor()
    content.index([child], [f"{tag}-reports"], artifactType=EXAMPLE + "reports", subject=subject,
                  annotations={"larder.conformance.index": "typed"})
    content.index([child], subject=subject, annotations={"larder.conformance.index": "without a type"})
    return content


def missing_subject(content, tag):
    absent = descriptor(IMAGE, content.chance.randbytes(321))
    content.artifact(EXAMPLE + "sbom", [tag], subject=absent, annotations={"larder.conformance.alone": "yes"})
    return content


def data_field(content, tag):
    """Every descriptor carries its content; the blobs are pushed as well."""
    def embedded(kind, data):
        return {**content.blob(kind, data), "data": base64.b64encode(data).decode()}

    layer, inside = tar_layer(content.chance, 150, compressed=True)
    config = encoded({**LINUX[0], "rootfs": {"type": "layers", "diff_ids": [inside]}})
    content.image_of(embedded(CONFIG, config), [embedded(LAYER_GZIP, layer)], [tag])
    return content


def non_distributable_layers(content, tag):
    """Two layers that are named but never pushed, and one as usual."""
    absent = []
    for kind in (FOREIGN_LAYER + "+gzip", FOREIGN_LAYER):
        name = descriptor(kind, content.chance.randbytes(400))
        absent.append({**name, "urls": [f"https://store.example.com/blobs/{name['digest']}"]})
    data, inside = tar_layer(content.chance, 250, compressed=True)
    layers = absent + [content.blob(LAYER_GZIP, data)]
    config = content.config([absent[0]["digest"], absent[1]["digest"], inside])
    content.image_of(config, layers, [tag])
    return content


def custom_fields(content, tag):
    """Fields that no specification knows, in every place that may have them."""
    unknown = {"org.example.unknown": {"list": [1, 2.5, None, True], "config": "not the config"}}
    layer = content.random_blob(LAYER_GZIP, 200, **unknown)
    config = content.config([layer["digest"]], **unknown)
    image = content.image_of({**config, **unknown}, [layer], **unknown)
    content.index([image.descriptor(platform=LINUX[0], **unknown)], [tag], **unknown)
    return content


def no_layers(content, tag):
    content.image([tag], layer_sizes=(), annotations={"larder.conformance.tag": tag})
    return content


def sparse_image(content, tag):
    """An image of whose layers one is nowhere."""
    image = content.image([tag])
    content.drop_blob(image.value["layers"][0]["digest"])
    return content


def sparse_index(content, tag):
    """An index of two images of which one is nowhere."""
    here = content.image(platform=LINUX[0]).descriptor(platform=LINUX[0])
    nowhere = descriptor(IMAGE, content.chance.randbytes(500), platform=LINUX[1])
    content.index([here, nowhere], [tag])
    return content


def by_digest_only(content, tag):
    content.index_of_images()
    return content


def tag_parameters(content, tag):
    """Each manifest gets two tags, the index ten."""
    top = content.index_of_images()
    for number, manifest in enumerate(content.manifests):
        manifest.tags = [f"{tag}-{number}-{letter}" for letter in ("abcdefghij" if manifest is top else "ab")]
    return content


def bad_digest_image(content, tag):
    """The body that is sent is not the one whose digest the address names."""
    image = content.image()
    content.manifests[0] = Manifest(image.body + b"  ", IMAGE, wrong_digest=digest_of(image.body))
    return content


def add_all(sparse):
    for make in (image, image_uncompressed, large_manifest, index, nested_index, empty_index, artifact, artifact_index,
                 artifact_without_layers, artifacts_with_subject, index_with_subject, missing_subject, data_field,
                 non_distributable_layers, custom_fields, no_layers):
        DataSet(make.__name__.replace("_", "-"), make, has_blobs=make is not empty_index)
    if sparse:
        DataSet("sparse-image", sparse_image, sparse=True)
        DataSet("sparse-index", sparse_index, sparse=True)
    DataSet("sha512", by_digest_only, algorithm="sha512", is_tagged=False)
    DataSet("tag-param-sha256", tag_parameters, group="dev", tag_parameters=True)
    DataSet("tag-param-sha512", tag_parameters, group="dev", algorithm="sha512", tag_parameters=True)
    DataSet("bad-digest-image", bad_digest_image, is_tagged=False)
