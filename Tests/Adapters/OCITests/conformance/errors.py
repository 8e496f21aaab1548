"""What is refused, and how: names, tags, digests, uploads; the form of every error."""

from functools import partial

from .content import INDEX, digest_of
from .registry import OCTETS, with_query
from .runner import preparing, suite, demand

BAD_NAMES = {
    "upper-case": "Conformance/repo", "double-slash": "conformance//repo", "leading-dash": "-conformance",
    "trailing-dash": "conformance-", "leading-dot": ".conformance/repo", "two-dots": "con..formance",
    "dot-dot": "conformance/../repo", "three-underscores": "con___formance", "mixed-separators": "con._formance",
    "component-of-underscore": "conformance/_/repo", "space": "conformance/a%20b", "encoded-slash-dot": "a%2F..%2Fb",
    "not-ascii": "conformance/%C3%BC", "nul": "conformance/a%00b", "over-long": "conformance/" + "a" * 300,
}
BAD_TAGS = {
    "129-characters": "a" * 129, "leading-dash": "-a", "leading-dot": ".a", "space": "a%20b", "plus": "a+b",
    "encoded-slash": "a%2Fb", "not-ascii": "%C3%BC", "at": "a@b",
}
BAD_DIGESTS = {
    "not-hex": "sha256:" + "z" * 64, "upper-case": "sha256:" + "A" * 64, "short": "sha256:" + "a" * 63,
    "long": "sha256:" + "a" * 65, "sha512-of-64": "sha512:" + "a" * 64, "unknown-algorithm": "md5:" + "a" * 32,
    "no-algorithm": "a" * 64, "empty-hash": "sha256:", "path": "sha256:../../../etc/passwd",
}


def refuse_name(registry, name):
    registry.get(registry.tags(name)).expect_error(400, "NAME_INVALID")
    registry.post(registry.uploads(name)).expect_error(400, "NAME_INVALID")
    content = registry.content("bad name")
    index = content.index([])
    registry.put_manifest(name, "latest", index.body, INDEX).expect_error(400, "NAME_INVALID")
    registry.head_manifest(name, "latest").expect(400, 404)


for label, bad_name in BAD_NAMES.items():
    suite.add(f"errors/name-invalid/{label}", "larder", partial(refuse_name, name=bad_name))


def refuse_tag(registry, tag):
    repo = registry.fresh("bad-tags")
    registry.push_image(repo, "bad tags", "good")
    body = registry.content("bad tags").index([]).body
    answer = registry.put_manifest(repo, tag, body, INDEX)
    answer.expect_error((400, 404), "MANIFEST_INVALID", "TAG_INVALID", "NAME_INVALID", "MANIFEST_UNKNOWN")
    registry.get_manifest(repo, tag).expect(400, 404)
    names = registry.all_tags(repo)
    demand(names == ["good"], f"{answer.request}: demanded no tag, but the list is now {names}")


for label, bad_tag in BAD_TAGS.items():
    suite.add(f"errors/tag-invalid/{label}", "larder", partial(refuse_tag, tag=bad_tag))


@suite.test("errors/tag-of-128-characters", "larder")
def longest_tag(registry):
    repo = registry.fresh("long-tag")
    tag = "_" + "Z.9-" * 31 + "abc"
    registry.push_image(repo, "long tag", tag)
    registry.get_manifest(repo, tag).expect(200)
    registry.delete(registry.manifest(repo, tag)).expect(202)


def refuse_digest(registry, digest):
    """Where content is pushed under it the digest is invalid; where content is asked for it may just be unknown."""
    data = registry.data("bad digests", 100)
    whole = registry.post(registry.uploads(registry.repo, ("digest", digest)), data, OCTETS)
    whole.expect_error(400, "DIGEST_INVALID")
    location = registry.start_upload(registry.repo)
    registry.put(with_query(location, ("digest", digest)), data).expect_error(400, "DIGEST_INVALID")
    if "/" in digest:
        return  # As a path this is another address.
    target = registry.blob(registry.repo, digest)
    registry.get(target).expect_error((400, 404), "DIGEST_INVALID", "BLOB_UNKNOWN")
    registry.head(target).expect(400, 404)
    registry.delete(target).expect_error((400, 404), "DIGEST_INVALID", "BLOB_UNKNOWN")


for label, bad_digest in BAD_DIGESTS.items():
    suite.add(f"errors/digest-invalid/{label}", "larder", partial(refuse_digest, digest=bad_digest))


def refuse_upload(registry, digest):
    """The main branch of the specification names the status and no code."""
    location = registry.start_upload(registry.repo)
    registry.put(with_query(location, ("digest", digest)), b"some bytes").expect(400)


for label in ("not-hex", "unknown-algorithm"):
    suite.add(f"errors/upload-refused/{label}", "dev", partial(refuse_upload, digest=BAD_DIGESTS[label]))


def refuse_manifest_digest(registry, digest):
    body = registry.content("bad manifest digests").index([]).body
    target = registry.manifest(registry.repo, digest)
    registry.put_manifest(registry.repo, digest, body, INDEX).expect_error(400, "DIGEST_INVALID")
    registry.get(target).expect_error((400, 404), "DIGEST_INVALID", "MANIFEST_UNKNOWN")
    registry.head(target).expect(400, 404)
    registry.delete(target).expect_error((400, 404), "DIGEST_INVALID", "MANIFEST_UNKNOWN", "UNSUPPORTED")
    registry.get(registry.referrers(registry.repo, digest)).expect_error(400, "DIGEST_INVALID")


for label, bad_digest in BAD_DIGESTS.items():
    if ":" in bad_digest and label != "path":  # Without a colon it is a tag.
        name = f"errors/manifest-digest-invalid/{label}"
        suite.add(name, "larder", partial(refuse_manifest_digest, digest=bad_digest))


@suite.test("errors/name-unknown", "larder")
def name_unknown(registry):
    registry.get(registry.tags(registry.fresh("never-used"))).expect_error(404, "NAME_UNKNOWN")


@suite.test("errors/manifest-of-unknown-name", "larder")
def manifest_of_unknown_name(registry):
    repo = registry.fresh("never-used")
    for reference in ("latest", digest_of(b"nothing")):
        registry.get_manifest(repo, reference).expect_error(404, "NAME_UNKNOWN", "MANIFEST_UNKNOWN")
        registry.head_manifest(repo, reference).expect(404)
        answer = registry.delete(registry.manifest(repo, reference))
        answer.expect_error(404, "NAME_UNKNOWN", "MANIFEST_UNKNOWN")


@suite.test("errors/blob-of-unknown-name", "larder")
def blob_of_unknown_name(registry):
    target = registry.blob(registry.fresh("never-used"), digest_of(b"nothing"))
    registry.get(target).expect_error(404, "NAME_UNKNOWN", "BLOB_UNKNOWN")
    registry.head(target).expect(404)
    registry.delete(target).expect_error(404, "NAME_UNKNOWN", "BLOB_UNKNOWN")


def unknown_manifest(registry, reference):
    repo = registry.fresh("manifest-unknown")
    registry.push_image(repo, "manifest unknown", "known")
    registry.get_manifest(repo, reference).expect_error(404, "MANIFEST_UNKNOWN")
    registry.head_manifest(repo, reference).expect(404)
    registry.delete(registry.manifest(repo, reference)).expect_error(404, "MANIFEST_UNKNOWN")


suite.add("errors/manifest-unknown/tag", "larder", partial(unknown_manifest, reference="unknown"))
for algorithm in ("sha256", "sha512"):
    unknown_digest = digest_of(b"nothing", algorithm)
    suite.add(f"errors/manifest-unknown/{algorithm}", "larder", partial(unknown_manifest, reference=unknown_digest))


def unknown_blob(registry, algorithm):
    repo = registry.fresh("blob-unknown")
    registry.put_blob(repo, registry.data("blob unknown", 50))
    target = registry.blob(repo, digest_of(b"nothing", algorithm))
    registry.get(target).expect_error(404, "BLOB_UNKNOWN")
    registry.get(target, ("Range", "bytes=0-1")).expect_error(404, "BLOB_UNKNOWN")
    registry.head(target).expect(404)
    registry.delete(target).expect_error(404, "BLOB_UNKNOWN")


for algorithm in ("sha256", "sha512"):
    suite.add(f"errors/blob-unknown/{algorithm}", "larder", partial(unknown_blob, algorithm=algorithm))


@suite.test("errors/blob-only-elsewhere", "larder")
def blob_only_elsewhere(registry):
    """A repository shows what was pushed or mounted there, not what the store happens to hold."""
    digest = registry.put_blob(registry.fresh("owner"), registry.data("blob only elsewhere", 300))
    other = registry.fresh("other")
    registry.push_image(other, "blob only elsewhere")
    registry.get(registry.blob(other, digest)).expect_error(404, "BLOB_UNKNOWN")
    registry.head(registry.blob(other, digest)).expect(404)


@suite.test("errors/unknown-route", "larder")
def unknown_route(registry):
    for target in (f"/v2/{registry.repo}", f"/v2/{registry.repo}/blobs", f"/v2/{registry.repo}/nothing/here"):
        registry.get(target).expect(404)


@suite.test("errors/wrong-method", "larder")
def wrong_method(registry):
    with preparing():
        repo = registry.fresh("wrong-method")
        registry.push_image(repo, "wrong method", "known")
    registry.post(registry.manifest(repo, "known"), b"{}").expect(404, 405)
    registry.delete(registry.tags(repo)).expect(404, 405)
    registry.patch(registry.manifest(repo, "known"), b"{}").expect(404, 405)
    registry.get_manifest(repo, "known").expect(200)


class Watch:
    """Looks at every answer of the run, from the first test on."""

    def __init__(self):
        self.answers = 0
        self.without_version = []
        self.formless_errors = []
        self.server_errors = []
        self.cut = []

    def __call__(self, answer):
        self.answers += 1
        note = f"{answer.request} ({answer.status})"
        if answer.header("Docker-Distribution-API-Version") != "registry/2.0":
            self.without_version.append(note)
        if answer.status >= 500:
            self.server_errors.append(note)
        if answer.is_cut:
            self.cut.append(note)
        if answer.status >= 400 and answer.method != "HEAD":
            try:
                answer.error_codes()
            except Exception:
                self.formless_errors.append(note)


watch = Watch()


def look_back(registry, notes, demanded):
    """Complains of the answers so far; asks some things by itself in case nothing was asked yet."""
    registry.get("/v2/")
    registry.get(registry.tags(registry.fresh("never-used")))
    registry.get(registry.blob(registry.repo, digest_of(b"nothing")))
    registry.get_manifest(registry.repo, "unknown")
    registry.delete(registry.start_upload(registry.repo))
    found = notes()
    if found:
        demand(False, f"demanded {demanded}, {len(found)} of {watch.answers} answers differ: {', '.join(found[:4])}")


def add_watch():
    """These come last, so that they see all answers."""
    for name, attribute, demanded in (
        ("api-version-header", "without_version", "Docker-Distribution-API-Version: registry/2.0 in every answer"),
        ("form-of-all-errors", "formless_errors", "errors of application/json in the form of the specification"),
        ("no-server-error", "server_errors", "no status of 500 or more"),
        ("no-short-body", "cut", "bodies as long as their Content-Length"),
    ):
        suite.add(f"every-answer/{name}", "larder",
                  partial(look_back, notes=partial(getattr, watch, attribute), demanded=demanded))
