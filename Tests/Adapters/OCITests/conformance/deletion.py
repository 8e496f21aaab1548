"""What goes with a deletion, what stays, and what cannot be deleted yet."""

from .content import IMAGE, INDEX, LINUX, digest_of
from .runner import demand, suite


@suite.test("delete/tag-count-falls", "1.1")
def tag_count_falls(registry):
    repo = registry.fresh("tag-count")
    registry.push_image(repo, "tag count", "a", "b", "c")
    registry.delete(registry.manifest(repo, "b")).expect(202)
    names = registry.all_tags(repo)
    demand(sorted(names) == ["a", "c"], f"GET {registry.tags(repo)}: demanded a and c, answered {names}")


@suite.test("delete/tag-leaves-the-rest", "larder")
def tag_leaves_the_rest(registry):
    repo = registry.fresh("tag-leaves")
    image = registry.push_image(repo, "tag leaves", "a", "b")
    registry.delete(registry.manifest(repo, "a")).expect(202)
    registry.check_gone(registry.manifest(repo, "a"))
    for reference in ("b", image.digest):
        registry.check_manifest(registry.get_manifest(repo, reference), image)
    registry.delete(registry.manifest(repo, "b")).expect(202)
    registry.check_manifest(registry.get_manifest(repo, image.digest), image)
    for layer in image.value["layers"]:
        registry.head(registry.blob(repo, layer["digest"])).expect(200)


@suite.test("delete/digest-takes-its-tags", "larder")
def digest_takes_its_tags(registry):
    repo = registry.fresh("digest-takes-tags")
    other = registry.push_image(repo, "digest takes tags: other", "other")
    image = registry.push_image(repo, "digest takes tags", "a", "b")
    registry.delete(registry.manifest(repo, image.digest)).expect(202)
    for reference in (image.digest, "a", "b"):
        registry.check_gone(registry.manifest(repo, reference))
    names = registry.all_tags(repo)
    demand(names == ["other"], f"GET {registry.tags(repo)}: demanded the tag other, answered {names}")
    registry.check_manifest(registry.get_manifest(repo, "other"), other)


@suite.test("delete/twice", "larder")
def twice(registry):
    repo = registry.fresh("delete-twice")
    image = registry.push_image(repo, "delete twice", "a")
    blob = registry.blob(repo, registry.put_blob(repo, registry.data("delete twice blob", 40)))
    tag, manifest = registry.manifest(repo, "a"), registry.manifest(repo, image.digest)
    for target, code in ((tag, "MANIFEST_UNKNOWN"), (manifest, "MANIFEST_UNKNOWN"), (blob, "BLOB_UNKNOWN")):
        registry.delete(target).expect(202)
        registry.delete(target).expect_error(404, code)


@suite.test("delete/pushed-again", "larder")
def pushed_again(registry):
    repo = registry.fresh("pushed-again")
    image = registry.push_image(repo, "pushed again", "a")
    registry.delete(registry.manifest(repo, image.digest)).expect(202)
    for layer in [*image.value["layers"], image.value["config"]]:
        registry.delete(registry.blob(repo, layer["digest"])).expect(202)
    answer = registry.put_manifest(repo, "a", image.body, IMAGE)
    answer.expect_error(400, "MANIFEST_BLOB_UNKNOWN")
    registry.push_image(repo, "pushed again", "a")
    registry.check_manifest(registry.get_manifest(repo, "a"), image)


@suite.test("delete/child-of-a-live-index", "larder")
def child_of_index(registry):
    repo = registry.fresh("child-of-index")
    content = registry.content("child of index")
    index = content.index_of_images(["multi"])
    outer = content.index([index.descriptor()], ["outer"])
    registry.push(repo, content)
    child = registry.manifest(repo, index.value["manifests"][0]["digest"])
    registry.delete(child).expect_error(405, "UNSUPPORTED")
    registry.get(child).expect(200)
    registry.delete(registry.manifest(repo, index.digest)).expect_error(405, "UNSUPPORTED")
    registry.check_manifest(registry.get_manifest(repo, "multi"), index)
    for digest in (outer.digest, index.digest):
        registry.delete(registry.manifest(repo, digest)).expect(202)
    registry.delete(child).expect(202)
    registry.check_gone(child)


@suite.test("delete/tag-of-a-child", "larder")
def tag_of_child(registry):
    """A tag can go although its manifest is a child of a live index."""
    repo = registry.fresh("tag-of-child")
    content = registry.content("tag of child")
    child = content.image(["child"], layer_sizes=(50,))
    index = content.index([child.descriptor(platform=LINUX[0])], ["index"])
    registry.push(repo, content)
    registry.delete(registry.manifest(repo, "child")).expect(202)
    registry.check_gone(registry.manifest(repo, "child"))
    registry.check_manifest(registry.get_manifest(repo, child.digest), child)
    registry.check_manifest(registry.get_manifest(repo, "index"), index)


@suite.test("delete/blob-in-use", "larder")
def blob_in_use(registry):
    """A blob that manifests use stays until the last of them is gone."""
    repo = registry.fresh("blob-in-use")
    content = registry.content("blob in use")
    first = content.image(layer_sizes=(50,))
    config, layers = first.value["config"], first.value["layers"]
    second = content.image_of(config, layers, annotations={"second": "yes"})
    registry.push(repo, content)
    for manifest in (first, second):
        for part in (config, layers[0]):
            target = registry.blob(repo, part["digest"])
            registry.delete(target).expect_error(405, "UNSUPPORTED")
            registry.head(target).expect(200)
        registry.delete(registry.manifest(repo, manifest.digest)).expect(202)
    for part in (config, layers[0]):
        registry.delete(registry.blob(repo, part["digest"])).expect(202)
        registry.check_gone(registry.blob(repo, part["digest"]))


@suite.test("delete/blob-of-another-repository", "larder")
def blob_of_another_repository(registry):
    """A deletion is of one repository."""
    content = registry.content("blob of another")
    image = content.image(["a"], layer_sizes=(20_000,))
    repos = registry.fresh("deleted-here"), registry.fresh("kept-there")
    for repo in repos:
        registry.push(repo, content)
    registry.delete(registry.manifest(repos[0], image.digest)).expect(202)
    for digest in content.blobs:
        registry.delete(registry.blob(repos[0], digest)).expect(202)
    registry.check_manifest(registry.get_manifest(repos[1], "a"), image)
    for digest, data in content.blobs.items():
        registry.check_blob(repos[1], data, digest)


@suite.test("delete/manifest-as-blob", "larder")
def manifest_as_blob(registry):
    """A manifest's bytes are not taken away from under it."""
    repo = registry.fresh("manifest-as-blob")
    image = registry.push_image(repo, "manifest as blob", "a")
    registry.delete(registry.blob(repo, image.digest)).expect_error(405, "UNSUPPORTED")
    registry.check_manifest(registry.get_manifest(repo, "a"), image)
    layer = image.value["layers"][0]["digest"]
    registry.delete(registry.manifest(repo, layer)).expect_error(404, "MANIFEST_UNKNOWN")
    registry.head(registry.blob(repo, layer)).expect(200)


@suite.test("delete/last-tag-leaves-the-repository", "larder")
def last_tag(registry):
    repo = registry.fresh("last-tag")
    index = registry.content("last tag").index([])
    registry.put_manifest(repo, "only", index.body, INDEX).expect(201)
    registry.delete(registry.manifest(repo, "only")).expect(202)
    names = registry.all_tags(repo)
    demand(names == [], f"GET {registry.tags(repo)}: demanded no tags, answered {names}")
    registry.check_manifest(registry.get_manifest(repo, digest_of(index.body)), index)
