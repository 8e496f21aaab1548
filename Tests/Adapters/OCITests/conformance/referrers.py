"""Referrers, beyond what the data sets ask."""

from functools import partial

from .content import EXAMPLE, IMAGE, INDEX, Manifest, digest_of, encoded
from .runner import demand, suite

SBOM = EXAMPLE + "sbom+json"
SIGNATURE = EXAMPLE + "signature"


def pushed(registry, label, *kinds):
    """A repository with an image and an artifact of each kind that refers to it."""
    repo = registry.fresh(label)
    content = registry.content(label)
    subject = content.image(["image"], layer_sizes=(100,))
    referring = [content.artifact(kind, subject=subject.descriptor(), annotations={"number": str(number)})
                 for number, kind in enumerate(kinds)]
    registry.push(repo, content)
    return repo, subject, referring


def as_listed(manifests):
    return [manifest.as_referrer() for manifest in manifests]


@suite.test("referrers/exact-count", "1.1")
def exact_count(registry):
    """Five of three types, one annotation each; two of the first type."""
    repo, subject, made = pushed(registry, "five-referrers", SBOM, SBOM, SIGNATURE, SIGNATURE, EXAMPLE + "other")
    registry.check_referrers(repo, subject.digest, as_listed(made))
    answer = registry.check_referrers(repo, subject.digest, as_listed(made[:2]), ("artifactType", SBOM))
    answer.expect_header("OCI-Filters-Applied", "artifactType")


@suite.test("referrers/unknown-digest", "1.1")
def unknown_digest(registry):
    repo = registry.fresh("referrers-unknown")
    registry.push_image(repo, "referrers unknown")
    for algorithm in ("sha256", "sha512"):
        registry.check_referrers(repo, digest_of(b"nothing", algorithm), [])


@suite.test("referrers/unknown-repository", "1.1")
def unknown_repository(registry):
    registry.check_referrers(registry.fresh("never-used"), digest_of(b"nothing"), [])


@suite.test("referrers/malformed-digest", "larder")
def malformed_digest(registry):
    for digest in ("sha256:abc", "latest", "sha256:" + "A" * 64):
        registry.get(registry.referrers(registry.repo, digest)).expect_error(400, "DIGEST_INVALID")


@suite.test("referrers/no-filter-no-header", "larder")
def no_filter(registry):
    repo, subject, made = pushed(registry, "no-filter", SBOM)
    for query in ((), (("n", "5"),), (("annotation", "x"),)):
        answer = registry.check_referrers(repo, subject.digest, as_listed(made), *query)
        answer.expect_header("OCI-Filters-Applied", None)


@suite.test("referrers/filter-without-match", "larder")
def filter_without_match(registry):
    repo, subject, _ = pushed(registry, "filter-no-match", SBOM)
    for kind in (EXAMPLE + "nothing", SBOM.upper(), SBOM[:-1]):
        answer = registry.check_referrers(repo, subject.digest, [], ("artifactType", kind))
        answer.expect_header("OCI-Filters-Applied", "artifactType")


@suite.test("referrers/several-types", "larder")
def several_types(registry):
    """The parameter given twice means any of the two."""
    repo, subject, made = pushed(registry, "several-types", SBOM, SIGNATURE, EXAMPLE + "other")
    query = (("artifactType", SBOM), ("artifactType", SIGNATURE))
    registry.check_referrers(repo, subject.digest, as_listed(made[:2]), *query)


def spelled(registry, spelling):
    repo, subject, made = pushed(registry, "spelled-type", SBOM, SIGNATURE)
    target = f"{registry.referrers(repo, subject.digest)}?artifactType={spelling}"
    answer = registry.get(target).expect(200).expect_header("OCI-Filters-Applied", "artifactType")
    names = [entry.get("digest") for entry in answer.expect_json().get("manifests", [])]
    if names != [made[0].digest]:
        answer.fail(f"the one of type {SBOM}", f"{len(names)} referrers")


for name, text in {
    "percent-encoded": SBOM.replace("/", "%2F").replace("+", "%2B"),
    "plus-encoded": SBOM.replace("+", "%2B"),
    "lower-case-escapes": SBOM.replace("/", "%2f").replace("+", "%2b"),
    "bare-plus": SBOM,
}.items():
    suite.add(f"referrers/type-{name}", "larder", partial(spelled, spelling=text))


@suite.test("referrers/type-of-config", "1.1")
def type_of_config(registry):
    """An image without an artifactType has the type of its config; an index without one has none."""
    repo = registry.fresh("type-of-config")
    content = registry.content("type of config")
    subject = content.image(layer_sizes=(50,)).descriptor()
    image = content.image(layer_sizes=(60,), subject=subject)
    index = content.index([], subject=subject)
    registry.push(repo, content)
    registry.check_referrers(repo, subject["digest"], as_listed([image, index]))
    kind = image.value["config"]["mediaType"]
    registry.check_referrers(repo, subject["digest"], as_listed([image]), ("artifactType", kind))
    found, answer = registry.referrer_list(repo, subject["digest"])
    if any("artifactType" in entry for entry in found if entry["digest"] == index.digest):
        answer.fail("no artifactType of an index that has none")


@suite.test("referrers/sha512-subject", "larder")
def sha512_subject(registry):
    repo = registry.fresh("sha512-subject")
    content = registry.content("sha512 subject", "sha512")
    subject = content.image(layer_sizes=(50,))
    made = content.artifact(SBOM, subject=subject.descriptor())
    registry.push(repo, content)
    registry.check_referrers(repo, subject.digest, as_listed([made]))
    registry.check_referrers(repo, digest_of(subject.body), [])


@suite.test("referrers/subject-header", "1.1")
def subject_header(registry):
    """OCI-Subject names the subject, by digest and by tag, there or not; and is absent without a subject."""
    repo = registry.fresh("subject-header")
    content = registry.content("subject header")
    subject = content.image(layer_sizes=(50,))
    absent = Manifest(encoded({"nothing": registry.token}), IMAGE)
    made = [content.artifact(SBOM, subject=one.descriptor()) for one in (subject, absent)]
    made.append(content.index([], subject=subject.descriptor()))
    registry.push(repo, content)
    for manifest in made:
        for reference in (manifest.digest, "referring"):
            answer = registry.put_manifest(repo, reference, manifest.body, manifest.kind).expect(201)
            answer.expect_header("OCI-Subject", manifest.subject)
    registry.put_manifest(repo, "plain", subject.body, IMAGE).expect(201).expect_header("OCI-Subject", None)


@suite.test("referrers/before-the-subject", "larder")
def before_the_subject(registry):
    """What was pushed first is listed all the same once the subject is there."""
    repo = registry.fresh("before-subject")
    content = registry.content("before subject")
    subject = content.image(layer_sizes=(50,))
    made = content.artifact(SBOM, subject=subject.descriptor())
    content.manifests.reverse()
    registry.push(repo, content)
    registry.check_referrers(repo, subject.digest, as_listed([made]))


@suite.test("referrers/of-one-repository", "larder")
def of_one_repository(registry):
    repo, subject, made = pushed(registry, "referrers-here", SBOM)
    elsewhere = registry.fresh("referrers-elsewhere")
    content = registry.content("referrers here")
    content.image(["image"], layer_sizes=(100,))
    registry.push(elsewhere, content)
    registry.check_referrers(elsewhere, subject.digest, [])
    registry.check_referrers(repo, subject.digest, as_listed(made))


@suite.test("referrers/deleted-at-once", "larder")
def deleted_at_once(registry):
    repo, subject, made = pushed(registry, "referrers-deleted", SBOM, SIGNATURE)
    registry.delete(registry.manifest(repo, made[0].digest)).expect(202)
    registry.check_referrers(repo, subject.digest, as_listed(made[1:]))
    registry.put_manifest(repo, made[0].digest, made[0].body, IMAGE).expect(201)
    registry.check_referrers(repo, subject.digest, as_listed(made))


@suite.test("referrers/subject-deleted", "larder")
def subject_deleted(registry):
    """Referrers outlive the deletion of their subject."""
    repo, subject, made = pushed(registry, "subject-deleted", SBOM)
    registry.delete(registry.manifest(repo, subject.digest)).expect(202)
    registry.check_referrers(repo, subject.digest, as_listed(made))
    registry.check_manifest(registry.get_manifest(repo, made[0].digest), made[0])


@suite.test("referrers/fallback-tag", "larder")
def fallback_tag(registry):
    """What a client listed under the fallback tag counts if it has the subject; the tag stays an ordinary one."""
    repo = registry.fresh("fallback-tag")
    content = registry.content("fallback tag")
    subject = content.image(layer_sizes=(50,))
    listed = content.artifact(SBOM, subject=subject.descriptor())
    unlisted = content.artifact(SIGNATURE, subject=subject.descriptor())
    stranger = content.artifact(SBOM)
    tag = subject.digest.replace(":", "-")
    fallback = content.index([listed.as_referrer(), stranger.as_referrer()], [tag])
    registry.push(repo, content)
    registry.check_referrers(repo, subject.digest, as_listed([listed, unlisted]))
    registry.check_manifest(registry.get_manifest(repo, tag), fallback)


@suite.test("referrers/pages", "larder")
def pages(registry):
    """More than fits into 4 MiB comes in pages that Link joins, each small enough for a client."""
    repo = registry.fresh("many-referrers")
    content = registry.content("many referrers")
    subject = content.image(layer_sizes=(50,))
    letters = "x" * 90_000
    made = [content.index([], subject=subject.descriptor(), artifactType=SIGNATURE if number % 12 == 0 else SBOM,
                          annotations={"number": str(number), "letters": letters}) for number in range(65)]
    registry.push(repo, content)
    registry.check_referrers(repo, subject.digest, as_listed(made))
    boms = [manifest for manifest in made if manifest.artifact_type == SBOM]
    registry.check_referrers(repo, subject.digest, as_listed(boms), ("artifactType", SBOM))
    for answer in registry.pages(registry.referrers(repo, subject.digest)):
        if len(answer.body) > 4 * 1024 * 1024:
            answer.fail("at most 4 MiB a page", f"{len(answer.body)} bytes")


@suite.test("referrers/content-type", "larder")
def content_type(registry):
    """The list is an index wherever it is asked for, whatever Accept says."""
    repo, subject, _ = pushed(registry, "referrers-accept", SBOM)
    for headers in ([], [("Accept", "application/json")], [("Accept", INDEX)]):
        answer = registry.get(registry.referrers(repo, subject.digest), *headers)
        answer.expect(200).expect_header("Content-Type", INDEX)
    demand(answer.expect_json().get("schemaVersion") == 2, f"{answer.request}: demanded schemaVersion 2")
