"""The registry as such, repositories without content, references to nothing."""

from .content import INDEX, digest_of
from .runner import suite


@suite.test("ping", "1.1")
def ping(registry):
    registry.get("/v2/").expect(200)


@suite.test("empty/tag list", "1.1")
def empty_tag_list(registry):
    answer = registry.get(registry.tags(registry.fresh("untouched"))).expect(200, 404)
    if answer.status == 200:
        answer.expect_json()


@suite.test("empty/referrers", "1.1")
def empty_referrers(registry):
    digest = digest_of(registry.data("nothing refers to this", 64))
    registry.check_referrers(registry.fresh("untouched"), digest, [])


@suite.test("missing-manifest/by-digest", "1.1")
def missing_by_digest(registry):
    digest = digest_of(registry.data("missing manifest", 64))
    registry.get_manifest(registry.repo, digest).expect(404)
    registry.head_manifest(registry.repo, digest).expect(404)


@suite.test("missing-manifest/by-tag", "1.1")
def missing_by_tag(registry):
    registry.get_manifest(registry.repo, registry.tag("missing")).expect(404)
    registry.head_manifest(registry.repo, registry.tag("missing")).expect(404)


@suite.test("invalid-digest-format/manifest-put", "1.1")
def bad_digest_put(registry):
    content = registry.content("invalid-digest-format")
    content.index([])
    body = content.manifests[0].body
    registry.put_manifest(registry.repo, "sha256:baddigeststring", body, INDEX).expect(400)


@suite.test("invalid-digest-format/manifest-get", "1.1")
def bad_digest_get(registry):
    answer = registry.get_manifest(registry.repo, "sha256:totallywrong").expect(400, 404)
    if answer.status == 400:
        answer.expect_error(400)
