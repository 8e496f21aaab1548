"""Manifests that must be refused, and those that must be taken although they look unusual."""

import base64
import json
from functools import partial

from .content import (
    ACCEPT, CONFIG, DOCKER_CONFIG, DOCKER_IMAGE, DOCKER_LAYER, DOCKER_LIST, EMPTY, EXAMPLE, IMAGE, INDEX, LAYER_GZIP,
    LINUX, SCHEMA_1, Manifest, descriptor, digest_of, encoded,
)
from .runner import demand, suite, together

LIMIT = 4 * 1024 * 1024
DIGEST_CODES = ("MANIFEST_INVALID", "DIGEST_INVALID", "UNSUPPORTED", "MANIFEST_BLOB_UNKNOWN")


def refused(registry, label, spoil, kind=IMAGE, base="image", status=400, codes=("MANIFEST_INVALID",)):
    """All that a good manifest names is there; the spoilt one is refused by tag and by digest and leaves nothing."""
    repo = registry.fresh("refused")
    content = registry.content(f"refused {label}")
    good = content.image(layer_sizes=(150,))
    registry.push(repo, content)
    if base == "index":
        good = content.index([good.descriptor(platform=LINUX[0])])
    spoilt = spoil(good.value)
    body = spoilt if isinstance(spoilt, bytes) else encoded(spoilt)
    tag = registry.tag(label)
    for reference in (tag, digest_of(body)):
        registry.put_manifest(repo, reference, body, kind).expect_error(status, *codes)
        registry.get_manifest(repo, reference).expect(404)


def changed(path, value):
    """A function that sets (or with `KeyError` removes) what is at a path of a manifest."""
    def spoil(manifest):
        place = manifest
        for key in path[:-1]:
            place = place[key]
        if value is KeyError:
            del place[path[-1]]
        else:
            place[path[-1]] = value(place.get(path[-1])) if callable(value) else value
        return manifest
    return spoil


def twice(key, other):
    """A function that writes a member of the manifest a second time, in front of the first."""
    def spoil(manifest):
        return b"{" + json.dumps(key).encode() + b":" + encoded(other) + b"," + encoded(manifest)[1:]
    return spoil


def escaped_twice(manifest):
    return b'{"con\\u0066ig":' + encoded(descriptor(CONFIG, b"{}")) + b"," + encoded(manifest)[1:]


def with_data(content):
    return changed(("layers", 0, "data"), base64.b64encode(content).decode())


FOREIGN_CHILD = descriptor(IMAGE, b"{}", platform=LINUX[1])
BOMB = 1_000_000
REFUSED_IMAGES = {
    "image-with-manifests": changed(("manifests",), []),
    "image-with-children": changed(("manifests",), [FOREIGN_CHILD]),
    "media-type-differs": changed(("mediaType",), INDEX),
    "media-type-of-docker": changed(("mediaType",), DOCKER_IMAGE),
    "schema-version-1": changed(("schemaVersion",), 1),
    "schema-version-as-text": changed(("schemaVersion",), "2"),
    "schema-version-missing": changed(("schemaVersion",), KeyError),
    "fs-layers": changed(("fsLayers",), [{"blobSum": digest_of(b"")}]),
    "signatures": changed(("signatures",), [{"protected": "e30"}]),
    "config-missing": changed(("config",), KeyError),
    "config-null": changed(("config",), None),
    "config-not-an-object": changed(("config",), "sha256"),
    "layers-missing": changed(("layers",), KeyError),
    "layers-not-an-array": changed(("layers",), {}),
    "layer-not-an-object": changed(("layers", 0), 1),
    "size-missing": changed(("layers", 0, "size"), KeyError),
    "size-negative": changed(("layers", 0, "size"), -1),
    "size-as-text": changed(("layers", 0, "size"), str),
    "size-with-fraction": changed(("layers", 0, "size"), lambda size: size + 0.5),
    "size-beyond-int64": changed(("layers", 0, "size"), 1 << 63),
    "size-of-layer-differs": changed(("layers", 0, "size"), lambda size: size + 1),
    "size-of-config-differs": changed(("config", "size"), lambda size: size - 1),
    "layer-media-type-missing": changed(("layers", 0, "mediaType"), KeyError),
    "data-differs": with_data(b"something else"),
    "data-not-base64": changed(("layers", 0, "data"), "?"),
    "subject-without-digest": changed(("subject",), {"mediaType": IMAGE, "size": 2}),
    "subject-negative-size": changed(("subject",), {**descriptor(IMAGE, b"{}"), "size": -2}),
    "duplicate-config": twice("config", descriptor(CONFIG, b"{}")),
    "duplicate-layers": twice("layers", []),
    "duplicate-media-type": twice("mediaType", IMAGE),
    "duplicate-config-escaped": escaped_twice,
    "duplicate-subject": lambda manifest: b'{"subject":null,' + encoded(
        {**manifest, "subject": descriptor(IMAGE, b"{}")})[1:],
    "not-json": lambda manifest: b"layers: []",
    "an-array": lambda manifest: encoded([manifest]),
    "cut-short": lambda manifest: encoded(manifest)[:-1],
    "text-behind": lambda manifest: encoded(manifest) + b" {}",
    "not-utf-8": lambda manifest: encoded(manifest)[:-1] + b',"x":"\xff\xfe"}',
    "empty-body": lambda manifest: b"",
    "bomb-of-brackets": lambda manifest: b"[" * BOMB,
    "bomb-of-objects": lambda manifest: b'{"a":' * (BOMB // 5),
    "bomb-inside": lambda manifest: encoded(manifest)[:-1] + b',"x":' + b"[" * 400_000 + b"]" * 400_000 + b"}",
}
REFUSED_DIGESTS = {
    "digest-missing": changed(("layers", 0, "digest"), KeyError),
    "digest-malformed": changed(("layers", 0, "digest"), "sha256:abc"),
    "digest-upper-case": changed(("layers", 0, "digest"), "sha256:" + "A" * 64),
    "digest-unknown-algorithm": changed(("layers", 0, "digest"), "md5:" + "a" * 32),
    "subject-malformed-digest": changed(("subject",), {"mediaType": IMAGE, "size": 2, "digest": "sha256:abc"}),
}
REFUSED_INDEXES = {
    "index-with-layers": changed(("layers",), []),
    "index-with-config": changed(("config",), descriptor(CONFIG, b"{}")),
    "index-media-type-differs": changed(("mediaType",), IMAGE),
    "manifests-missing": changed(("manifests",), KeyError),
    "manifests-null": changed(("manifests",), None),
    "duplicate-manifests": twice("manifests", []),
}

for name, spoiler in REFUSED_IMAGES.items():
    suite.add(f"manifests/refused/{name}", "larder", partial(refused, label=name, spoil=spoiler))
for name, spoiler in REFUSED_DIGESTS.items():
    action = partial(refused, label=name, spoil=spoiler, codes=DIGEST_CODES)
    suite.add(f"manifests/refused/{name}", "larder", action)
for name, spoiler in REFUSED_INDEXES.items():
    action = partial(refused, label=name, spoil=spoiler, kind=INDEX, base="index")
    suite.add(f"manifests/refused/{name}", "larder", action)
for name, kind in {"schema-1": SCHEMA_1[0], "schema-1-signed": SCHEMA_1[1]}.items():
    old = {"schemaVersion": 1, "name": "a/b", "tag": "c", "architecture": "amd64",
           "fsLayers": [{"blobSum": digest_of(b"")}], "history": [{"v1Compatibility": "{}"}]}
    suite.add(f"manifests/refused/{name}", "larder",
              partial(refused, label=name, spoil=lambda manifest, old=old: old, kind=kind))
for name, kind in {"plain-json": "application/json", "binary": "application/octet-stream"}.items():
    suite.add(f"manifests/refused/{name}", "larder",
              partial(refused, label=name, spoil=changed(("mediaType",), KeyError), kind=kind))


def too_large(registry, chunked):
    repo = registry.fresh("too-large")
    body = padded(registry, repo, LIMIT + 1)
    target = registry.manifest(repo, digest_of(body))
    answer = registry.put(target, body, ("Content-Type", IMAGE), chunked=chunked)
    answer.expect_error(413)
    registry.get_manifest(repo, digest_of(body)).expect(404)


def padded(registry, repo, size):
    """An image whose manifest has exactly that size."""
    content = registry.content(f"padded {size}")
    image = content.image(layer_sizes=(100,))
    registry.push(repo, content)
    value = {**image.value, "annotations": {"padding": ""}}
    value["annotations"]["padding"] = "x" * (size - len(encoded(value)))
    return encoded(value)


suite.add("manifests/refused/over-4-MiB", "larder", partial(too_large, chunked=False))
suite.add("manifests/refused/over-4-MiB-chunked", "larder", partial(too_large, chunked=True))


@suite.test("manifests/exactly-4-MiB", "larder")
def largest(registry):
    repo = registry.fresh("largest")
    image = Manifest(padded(registry, repo, LIMIT), IMAGE)
    registry.put_manifest(repo, image.digest, image.body, IMAGE).expect(201)
    registry.check_manifest(registry.get_manifest(repo, image.digest), image)


@suite.test("manifests/wrong-digest", "larder")
def wrong_digest(registry):
    repo = registry.fresh("wrong-digest")
    image = registry.push_image(repo, "wrong digest")
    other = image.body + b"\n"
    registry.delete(registry.manifest(repo, image.digest)).expect(202)
    for algorithm in ("sha256", "sha512"):
        digest = digest_of(other, algorithm)
        registry.put_manifest(repo, digest, image.body, IMAGE).expect_error(400, "DIGEST_INVALID")
        registry.get_manifest(repo, digest).expect_error(404, "MANIFEST_UNKNOWN")
    registry.get_manifest(repo, image.digest).expect(404)


def demand_unknown(answer, digests):
    """One MANIFEST_BLOB_UNKNOWN for each digest, which stands in its detail."""
    answer.expect_error(400, "MANIFEST_BLOB_UNKNOWN")
    details = [json.dumps(error.get("detail")) for error in answer.expect_json()["errors"]
               if error["code"] == "MANIFEST_BLOB_UNKNOWN"]
    for digest in digests:
        if sum(digest in detail for detail in details) != 1 or len(details) != len(digests):
            answer.fail(f"one MANIFEST_BLOB_UNKNOWN with the detail {digest} and {len(digests)} in all")


@suite.test("sparse-refused/image", "larder")
def sparse_image_refused(registry):
    repo = registry.fresh("sparse-refused")
    content = registry.content("sparse refused image")
    image = content.image(["sparse"], layer_sizes=(10, 20, 30))
    missing = [layer["digest"] for layer in image.value["layers"][:2]] + [image.value["config"]["digest"]]
    registry.put_blob(repo, content.blobs[image.value["layers"][2]["digest"]])
    for reference in (image.digest, "sparse"):
        demand_unknown(registry.put_manifest(repo, reference, image.body, IMAGE), missing)
        registry.get_manifest(repo, reference).expect(404)


@suite.test("sparse-refused/index", "larder")
def sparse_index_refused(registry):
    repo = registry.fresh("sparse-refused")
    here = registry.push_image(repo, "sparse refused index").descriptor(platform=LINUX[0])
    nowhere = descriptor(IMAGE, registry.data("sparse refused nowhere", 500), platform=LINUX[1])
    index = registry.content("sparse refused index of it").index([here, nowhere])
    for reference in (index.digest, "sparse"):
        demand_unknown(registry.put_manifest(repo, reference, index.body, INDEX), [nowhere["digest"]])
        registry.get_manifest(repo, reference).expect(404)


@suite.test("sparse-refused/child-as-blob", "larder")
def child_as_blob(registry):
    """The bytes of a child that are there as a blob only are no manifest."""
    repo = registry.fresh("child-as-blob")
    content = registry.content("child as blob")
    image = content.image(layer_sizes=(10,))
    for data in (*content.blobs.values(), image.body):
        registry.put_blob(repo, data)
    index = content.index([image.descriptor()])
    demand_unknown(registry.put_manifest(repo, "latest", index.body, INDEX), [image.digest])


@suite.test("sparse-refused/blob-of-other-repository", "larder")
def blob_of_other_repository(registry):
    content = registry.content("blob of other repository")
    image = content.image(layer_sizes=(10,))
    registry.push(registry.fresh("has-the-blobs"), content)
    answer = registry.put_manifest(registry.fresh("has-no-blobs"), "latest", image.body, IMAGE)
    demand_unknown(answer, list(content.blobs))


@suite.test("manifests/push-headers", "larder")
def push_headers(registry):
    """docker fails without Docker-Content-Digest in the answer to a PUT."""
    repo = registry.fresh("push-headers")
    image = registry.push_image(repo, "push headers")
    for reference in (image.digest, "latest"):
        answer = registry.put_manifest(repo, reference, image.body, IMAGE).expect(201)
        answer.expect_digest(image.digest, required=True)
        if registry.location(answer) != registry.manifest(repo, image.digest):
            answer.fail(f"Location: {registry.manifest(repo, image.digest)}", registry.location(answer))


@suite.test("manifests/content-type-parameters", "larder")
def content_type_parameters(registry):
    repo = registry.fresh("content-type")
    image = registry.push_image(repo, "content type parameters")
    registry.put_manifest(repo, "parameters", image.body, f"{IMAGE}; charset=utf-8").expect(201)
    registry.check_manifest(registry.get_manifest(repo, "parameters"), image)


@suite.test("manifests/content-type-absent", "larder")
def content_type_absent(registry):
    repo = registry.fresh("content-type")
    content = registry.content("content type absent")
    image = content.image(layer_sizes=(10,))
    content.manifests.clear()
    registry.push(repo, content)
    registry.put(registry.manifest(repo, "absent"), image.body, ("User-Agent", "conformance")).expect(201)
    registry.check_manifest(registry.get_manifest(repo, "absent"), image)


@suite.test("manifests/media-type-absent", "larder")
def media_type_absent(registry):
    repo = registry.fresh("content-type")
    content = registry.content("media type absent")
    value = {key: part for key, part in content.image(layer_sizes=(10,)).value.items() if key != "mediaType"}
    content.manifests.clear()
    bare = content.manifest(IMAGE, value, ["bare"])
    registry.push(repo, content)
    registry.check_manifest(registry.get_manifest(repo, "bare"), bare)


@suite.test("manifests/bytes-kept", "larder")
def bytes_kept(registry):
    """White space, order, escapes and unusual numbers come back as they were sent."""
    repo = registry.fresh("bytes-kept")
    image = registry.push_image(repo, "bytes kept").value
    text = json.dumps(dict(reversed(image.items())), indent="\t").replace("\n", "\r\n")
    text = text[:-1] + ',\t"x": [1.0e+2, -0, "\\u00fc\\/", "ü"],\r\n "layers ": []}\r\n\n'
    odd = Manifest(text.encode(), IMAGE)
    registry.put_manifest(repo, odd.digest, odd.body, IMAGE).expect(201)
    registry.check_manifest(registry.get_manifest(repo, odd.digest), odd)


@suite.test("manifests/same-key-in-other-places", "larder")
def same_key_elsewhere(registry):
    """A key that is used again deeper down is no duplicate."""
    repo = registry.fresh("same-key")
    keys = {key: "x" for key in ("config", "layers", "manifests", "subject", "mediaType", "fsLayers", "signatures")}
    image = registry.push_image(repo, "same key", "same", annotations=keys, **{"org.example": [keys, keys]})
    registry.check_manifest(registry.get_manifest(repo, "same"), image)


@suite.test("manifests/any-accept", "larder")
def any_accept(registry):
    """The stored manifest is given whatever is asked for."""
    repo = registry.fresh("accept")
    image = registry.push_image(repo, "any accept", "latest")
    target = registry.manifest(repo, "latest")
    one_line = ", ".join(kind for _, kind in ACCEPT)
    for headers in ([], [("Accept", "*/*")], [("Accept", INDEX)], [("Accept", "text/html;q=0.5")], ACCEPT,
                    [("Accept", SCHEMA_1[1])], [("Accept", one_line)], [("Accept", "")]):
        registry.check_manifest(registry.get(target, *headers), image)
        registry.check_manifest(registry.head(target, *headers), image)


@suite.test("manifests/unknown-type-kept-as-it-came", "larder")
def unknown_type(registry):
    repo = registry.fresh("unknown-type")
    image = registry.push_image(repo, "unknown type", "a")
    value = {key: item for key, item in image.value.items() if key != "mediaType"}
    body = encoded(value)
    kind = EXAMPLE + "manifest+json"
    registry.put(registry.manifest(repo, "other"), body, ("Content-Type", kind)).expect(201)
    answer = registry.get(registry.manifest(repo, "other")).expect(200)
    answer.expect_body(body).expect_header("Content-Type", kind)


@suite.test("manifests/unknown-media-types-inside", "larder")
def unknown_types_inside(registry):
    repo = registry.fresh("unknown-types")
    content = registry.content("unknown types")
    child = content.image_of(content.random_blob(EXAMPLE + "c", 5), [content.random_blob(EXAMPLE + "l", 5)])
    content.index([child.descriptor()], ["latest"], artifactType="anything/at.all")
    registry.push(repo, content)


@suite.test("manifests/docker", "larder")
def docker(registry):
    """An image and a list of Docker's types, a foreign layer in the image."""
    repo = registry.fresh("docker")
    content = registry.content("docker")
    foreign = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", content.chance.randbytes(9))
    layers = [{**foreign, "urls": ["https://store.example.com/layer"]}, content.random_blob(DOCKER_LAYER, 500)]
    config = content.blob(DOCKER_CONFIG, encoded({**LINUX[0], "rootfs": {"type": "layers", "diff_ids": []}}))
    image = content.manifest(DOCKER_IMAGE, {"schemaVersion": 2, "mediaType": DOCKER_IMAGE, "config": config,
                                            "layers": layers}, ["image"])
    listed = content.manifest(DOCKER_LIST, {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [
        image.descriptor(platform=LINUX[0])]}, ["list"])
    registry.push(repo, content)
    for tag, manifest in (("image", image), ("list", listed)):
        for reference in (tag, manifest.digest):
            registry.check_manifest(registry.get_manifest(repo, reference), manifest)
            registry.check_manifest(registry.head_manifest(repo, reference), manifest)


@suite.test("manifests/tag-moves", "larder")
def tag_moves(registry):
    """A tag that is pushed again names the new manifest; the old one stays under its digest."""
    repo = registry.fresh("tag-moves")
    old = registry.push_image(repo, "tag moves old", "latest", "old")
    new = registry.push_image(repo, "tag moves new", "latest")
    registry.check_manifest(registry.get_manifest(repo, "latest"), new)
    registry.check_manifest(registry.head_manifest(repo, "latest"), new)
    registry.check_manifest(registry.get_manifest(repo, old.digest), old)
    registry.check_manifest(registry.get_manifest(repo, "old"), old)
    names = registry.all_tags(repo)
    demand(sorted(names) == ["latest", "old"], f"demanded the tags latest and old, answered {names}")


@suite.test("manifests/pushed-twice", "larder")
def pushed_twice(registry):
    repo = registry.fresh("pushed-twice")
    image = registry.push_image(repo, "pushed twice", "a")
    for reference in (image.digest, "a", "b"):
        registry.put_manifest(repo, reference, image.body, IMAGE).expect(201)
    registry.check_manifest(registry.get_manifest(repo, "b"), image)
    names = registry.all_tags(repo)
    demand(sorted(names) == ["a", "b"], f"demanded the tags a and b, answered {names}")


@suite.test("manifests/two-clients", "larder")
def two_clients(registry):
    """Four clients push one manifest and move one tag at the same time."""
    repo = registry.fresh("two-clients")
    image = registry.push_image(repo, "two clients")

    def push(number):
        for reference in (image.digest, "shared", f"own{number}"):
            registry.put_manifest(repo, reference, image.body, IMAGE).expect(201)

    together(4, push)
    names = registry.all_tags(repo)
    demand(sorted(names) == ["own0", "own1", "own2", "own3", "shared"], f"demanded five tags, answered {names}")


@suite.test("manifests/digest-in-both-algorithms", "larder")
def both_algorithms(registry):
    """The same bytes pushed under sha256 and sha512 are read under both, each named as it was asked for."""
    repo = registry.fresh("both-algorithms")
    image = registry.push_image(repo, "both algorithms")
    other = Manifest(image.body, IMAGE, "sha512")
    registry.put_manifest(repo, other.digest, other.body, IMAGE).expect(201)
    for manifest in (image, other):
        answer = registry.check_manifest(registry.get_manifest(repo, manifest.digest), manifest)
        answer.expect_digest(manifest.digest, required=True)


@suite.test("manifests/empty-artifact", "larder")
def empty_artifact(registry):
    """The two bytes {} as config and as layer need to be pushed but once."""
    repo = registry.fresh("empty-artifact")
    registry.put_blob(repo, b"{}")
    content = registry.content("empty artifact")
    empty = descriptor(EMPTY, b"{}")
    image = content.image_of(empty, [empty, {**empty, "mediaType": LAYER_GZIP}], artifactType=EXAMPLE + "none")
    registry.put_manifest(repo, "latest", image.body, IMAGE).expect(201)
    registry.check_manifest(registry.get_manifest(repo, "latest"), image)


# Tag parameters, beyond the data sets.

@suite.test("tag-param/tag-moves", "dev")
def parameters_move(registry):
    repo = registry.fresh("tag-param-moves")
    registry.push_image(repo, "tag param old", "a", "b")
    new = registry.push_image(repo, "tag param new")
    answer = registry.put_manifest(repo, new.digest, new.body, IMAGE, ("tag", "a"), ("tag", "c")).expect(201)
    given = {tag.strip() for line in answer.all("OCI-Tag") for tag in line.split(",")}
    if given != {"a", "c"}:
        answer.fail("OCI-Tag: a, c", f"201 with {answer.all('OCI-Tag')}")
    for tag in "ac":
        registry.check_manifest(registry.get_manifest(repo, tag), new)
    demand(registry.get_manifest(repo, "b").body != new.body, "demanded that the tag b stays as it was, it moved")


@suite.test("tag-param/none-when-refused", "larder")
def parameters_refused(registry):
    """A wrong digest or one bad tag among good ones creates no tag at all."""
    repo = registry.fresh("tag-param-refused")
    image = registry.push_image(repo, "tag param refused", "before")
    wrong = digest_of(image.body + b" ")
    answer = registry.put_manifest(repo, wrong, image.body, IMAGE, ("tag", "a"), ("tag", "b"))
    answer.expect_error(400, "DIGEST_INVALID")
    answer = registry.put_manifest(repo, image.digest, image.body, IMAGE, ("tag", "a"), ("tag", "-b"))
    answer.expect_error(400, "MANIFEST_INVALID", "TAG_INVALID", "NAME_INVALID", "UNSUPPORTED")
    names = registry.all_tags(repo)
    demand(names == ["before"], f"demanded only the tag before, answered {names}")
