"""Reading: several ranges, conditions, headers, and the wire itself."""

import re
from functools import partial

from .client import head_of
from .content import ACCEPT, IMAGE, digest_of
from .runner import demand, suite, together

SIZE = 20_000


def ranged_blob(registry):
    data = registry.data("reads", SIZE)
    return data, registry.blob(registry.repo, registry.put_blob(registry.repo, data))


def parts_of(answer):
    """The parts of a multipart body: pairs of headers (in lower case) and bytes."""
    match = re.fullmatch(r"multipart/byteranges; boundary=([A-Za-z0-9:-]+)", answer.header("Content-Type") or "")
    if match is None:
        answer.fail("multipart/byteranges; boundary=<letters, digits, : and ->", answer.header("Content-Type"))
    boundary = b"--" + match[1].encode()
    pieces = (b"\r\n" + answer.body).split(b"\r\n" + boundary)
    if pieces[-1].rstrip(b"\r\n") != b"--":
        answer.fail("the boundary and -- at the end", repr(answer.body[-60:]))
    parts = []
    for piece in pieces[1:-1]:
        head, separator, body = piece.partition(b"\r\n\r\n")
        demand(separator and head.startswith(b"\r\n"), f"{answer.request}: a part without an empty line after its head")
        lines = [line.partition(":") for line in head.decode("latin-1").strip().split("\r\n")]
        parts.append(({name.lower(): value.strip() for name, _, value in lines}, body))
    return parts


@suite.test("ranges/several", "larder")
def several(registry):
    data, target = ranged_blob(registry)
    wanted = [(0, 9), (500, 999), (7000, 7000), (SIZE - 100, SIZE - 1)]
    answer = registry.get(target, ("Range", f"bytes=0-9,500-999, 7000-7000 ,-100")).expect(206)
    parts = parts_of(answer)
    given = [head.get("content-range") for head, _ in parts]
    spans = [f"bytes {first}-{last}/{SIZE}" for first, last in wanted]
    if given != spans:
        answer.fail(f"parts with Content-Range {spans}", given)
    for (first, last), (head, body) in zip(wanted, parts):
        if body != data[first:last + 1]:
            answer.fail(f"bytes {first}-{last} in their part", f"{len(body)} other bytes")
        if "content-type" not in head:
            answer.fail("a Content-Type in every part", head)


@suite.test("ranges/one-of-several-satisfiable", "larder")
def one_satisfiable(registry):
    """What lies beyond the end is left out; a single part may come as an ordinary 206."""
    data, target = ranged_blob(registry)
    answer = registry.get(target, ("Range", f"bytes={SIZE}-{SIZE + 5},3-7")).expect(206)
    if answer.header("Content-Range") is None:
        parts = parts_of(answer)
        if [(head.get("content-range"), body) for head, body in parts] != [(f"bytes 3-7/{SIZE}", data[3:8])]:
            answer.fail("one part with bytes 3-7", parts)
    else:
        answer.expect_header("Content-Range", f"bytes 3-7/{SIZE}").expect_body(data[3:8])


@suite.test("ranges/none-satisfiable", "larder")
def none_satisfiable(registry):
    _, target = ranged_blob(registry)
    for span in (f"{SIZE}-", f"{SIZE}-{SIZE + 1},{SIZE + 9}-", "-0", "99999999999999999999-"):
        answer = registry.get(target, ("Range", f"bytes={span}")).expect(416)
        answer.expect_header("Content-Range", f"bytes */{SIZE}")


@suite.test("ranges/edges", "larder")
def edges(registry):
    data, target = ranged_blob(registry)
    for span, first, last in (("0-0", 0, 0), (f"{SIZE - 1}-", SIZE - 1, SIZE - 1), (f"-{SIZE * 2}", 0, SIZE - 1),
                              ("0-99999999999999999999", 0, SIZE - 1), ("0-", 0, SIZE - 1)):
        answer = registry.get(target, ("Range", f"bytes={span}")).expect(206)
        answer.expect_header("Content-Range", f"bytes {first}-{last}/{SIZE}").expect_body(data[first:last + 1])


@suite.test("ranges/other-units-ignored", "larder")
def other_units(registry):
    data, target = ranged_blob(registry)
    registry.get(target, ("Range", "lines=0-5")).expect(200).expect_body(data)


@suite.test("ranges/if-range", "larder")
def if_range(registry):
    data, target = ranged_blob(registry)
    tag = registry.get(target).expect(200).header("ETag") or ""
    span = ("Range", "bytes=10-19")
    registry.get(target, span, ("If-Range", tag)).expect(206).expect_body(data[10:20])
    registry.get(target, span, ("If-Range", '"another"')).expect(200).expect_body(data)


@suite.test("ranges/same-part-at-once", "larder")
def parallel_ranges(registry):
    """containerd fetches one blob by several ranges at once."""
    data, target = ranged_blob(registry)

    def fetch(number):
        first = number * 5000
        return registry.get(target, ("Range", f"bytes={first}-{first + 4999}")).expect(206).body

    joined = b"".join(together(4, fetch))
    demand(joined == data, f"GET {target} by four ranges: demanded the blob, answered {len(joined)} other bytes")


def conditional(registry, make):
    target, digest = make(registry)
    tag = f'"{digest}"'
    registry.get(target, *ACCEPT).expect(200).expect_header("ETag", tag)
    registry.head(target, *ACCEPT).expect(200).expect_header("ETag", tag)
    for value in (tag, digest, f"W/{tag}", f'"x", {tag}', "*"):
        for method in ("GET", "HEAD"):
            answer = registry.client.request(method, target, ACCEPT + [("If-None-Match", value)])
            answer.expect(304).expect_body(b"").expect_header("ETag", tag)
    registry.get(target, *ACCEPT, ("If-None-Match", '"another"')).expect(200)


def a_blob(registry):
    digest = registry.put_blob(registry.repo, registry.data("conditional", 700))
    return registry.blob(registry.repo, digest), digest


def a_manifest(registry, reference=None):
    repo = registry.fresh("conditional")
    image = registry.push_image(repo, "conditional", "latest")
    return registry.manifest(repo, reference or image.digest), image.digest


suite.add("conditional/blob", "larder", partial(conditional, make=a_blob))
suite.add("conditional/manifest-by-digest", "larder", partial(conditional, make=a_manifest))
suite.add("conditional/manifest-by-tag", "larder", partial(conditional, make=partial(a_manifest, reference="latest")))


@suite.test("conditional/put-if-none-match", "larder")
def put_if_none_match(registry):
    """If-None-Match: * creates a tag and never moves one."""
    repo = registry.fresh("put-if-none-match")
    first = registry.push_image(repo, "put if none match 1")
    second = registry.push_image(repo, "put if none match 2")
    target = registry.manifest(repo, "new")
    registry.delete(target)  # A run with the same seed may have left it.
    kind, condition = ("Content-Type", IMAGE), ("If-None-Match", "*")
    registry.put(target, first.body, kind, condition).expect(201)
    registry.put(target, second.body, kind, condition).expect(412)
    registry.check_manifest(registry.get_manifest(repo, "new"), first)


@suite.test("conditional/put-if-match", "larder")
def put_if_match(registry):
    """If-Match moves a tag only from the manifest that the client has seen."""
    repo = registry.fresh("put-if-match")
    first = registry.push_image(repo, "put if match 1", "tag")
    second = registry.push_image(repo, "put if match 2")
    target, kind = registry.manifest(repo, "tag"), ("Content-Type", IMAGE)
    registry.put(target, second.body, kind, ("If-Match", f'"{second.digest}"')).expect(412)
    registry.check_manifest(registry.get_manifest(repo, "tag"), first)
    registry.put(target, second.body, kind, ("If-Match", f'"{first.digest}"')).expect(201)
    registry.check_manifest(registry.get_manifest(repo, "tag"), second)
    absent = registry.manifest(repo, "absent")
    registry.put(absent, second.body, kind, ("If-Match", f'"{second.digest}"')).expect(412)
    registry.get_manifest(repo, "absent").expect(404)


@suite.test("headers/blob", "larder")
def blob_headers(registry):
    data, target = ranged_blob(registry)
    for method in ("GET", "HEAD"):
        answer = registry.client.request(method, target, [("Accept-Encoding", "zstd, gzip;q=0.8, deflate;q=0.5")])
        answer.expect(200).expect_header("Content-Type", "application/octet-stream")
        answer.expect_header("Accept-Ranges", "bytes").expect_header("Content-Length", str(len(data)))
        answer.expect_header("Content-Encoding", None).expect_header("ETag", f'"{digest_of(data)}"')
        answer.expect_digest(digest_of(data), required=True)


@suite.test("headers/manifest", "larder")
def manifest_headers(registry):
    target, digest = a_manifest(registry)
    for method in ("GET", "HEAD"):
        answer = registry.client.request(method, target, [("Accept-Encoding", "gzip")]).expect(200)
        answer.expect_header("Content-Type", IMAGE).expect_header("Content-Encoding", None)
        answer.expect_header("ETag", f'"{digest}"').expect_digest(digest, required=True)


@suite.test("headers/head-of-nothing", "larder")
def head_of_nothing(registry):
    """A HEAD that finds nothing has no body either."""
    for target in (registry.blob(registry.repo, digest_of(b"nothing")), registry.manifest(registry.repo, "nothing")):
        registry.head(target).expect(404).expect_body(b"")


@suite.test("ping/api-version", "larder")
def api_version(registry):
    for method, target in (("GET", "/v2/"), ("HEAD", "/v2/"), ("GET", "/v2"), ("HEAD", "/v2")):
        answer = registry.client.request(method, target).expect(200)
        answer.expect_header("Docker-Distribution-API-Version", "registry/2.0")
        answer.expect_header("X-Registry-Supports-Signatures", None)


@suite.test("wire/encoded-path", "larder")
def encoded_path(registry):
    """Some clients write the colon of a digest as %3A in the path too."""
    data, target = ranged_blob(registry)
    registry.get(target.replace(":", "%3A")).expect(200).expect_body(data)
    registry.get(target.replace(":", "%3a")).expect(200).expect_body(data)
    target, _ = a_manifest(registry)
    registry.get(target.replace(":", "%3A"), *ACCEPT).expect(200)


@suite.test("wire/head-on-a-kept-connection", "larder")
def kept_head(registry):
    """Answers to HEAD carry no byte of a body: what follows on the connection is the next answer."""
    data, blob = ranged_blob(registry)
    manifest, digest = a_manifest(registry)
    connection = registry.client.connect()
    host = [("Host", registry.client.authority), *ACCEPT]
    missing = registry.blob(registry.repo, digest_of(b"nothing"))
    for target, status in ((blob, 200), (manifest, 200), (missing, 404), ("/v2/", 200)):
        connection.send(head_of("HEAD", target, host))
        given, _ = connection.receive_head()
        demand(given == status, f"HEAD {target}: demanded {status}, answered {given}")
    connection.send(head_of("GET", blob, host))
    answer = connection.receive("GET", blob).expect(200).expect_body(data)
    connection.close()
    answer.expect_header("Content-Length", str(len(data)))


@suite.test("wire/pipelined", "larder")
def pipelined(registry):
    """Requests sent without waiting are answered in order."""
    data, blob = ranged_blob(registry)
    connection = registry.client.connect()
    host = [("Host", registry.client.authority)]
    connection.send(head_of("GET", blob, host) + head_of("GET", "/v2/", host) + head_of("GET", blob, host))
    connection.receive("GET", blob).expect(200).expect_body(data)
    connection.receive("GET", "/v2/").expect(200)
    connection.receive("GET", blob).expect(200).expect_body(data)
    connection.close()
