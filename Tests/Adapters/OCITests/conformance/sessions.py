"""Upload sessions: their state, their end, what they refuse; mounts; several clients at once."""

import re
from functools import partial
from threading import Barrier

from .client import head_of
from .content import digest_of
from .registry import OCTETS, with_query
from .runner import Failure, NoAnswer, NotReached, demand, preparing, suite, together, wait_until

UNKNOWN = "BLOB_UPLOAD_UNKNOWN"
SESSION = "3f0c9a52-7c0e-4c62-9c1d-5b1f0d3b7a10"


def received(answer):
    """How many bytes a Range of an upload says are there, as far as it can say: `0-0` is none or one."""
    match = re.fullmatch(r"0-(\d+)", answer.header("Range") or "")
    if match is None:
        answer.fail("a Range of the form 0-<last byte>", f"{answer.status} with Range: {answer.header('Range')}")
    return int(match[1]) + 1


def expect_range(answer, last):
    return answer.expect_header("Range", f"0-{last}")


@suite.test("chunked/range-of-each-answer", "1.1")
def range_of_each_answer(registry):
    """The workflow of the suite of 1.1: wrong chunk, first, first again, state, second, end."""
    data = registry.data("range of each answer", 3000)
    digest = digest_of(data)
    location = registry.start_upload(registry.repo)
    registry.patch_range(location, data[1500:], 1500).expect(416)
    first = expect_range(registry.patch_range(location, data[:1500], 0).expect(202), 1499)
    location = registry.location(first)
    registry.patch_range(location, data[:1500], 0).expect(416)
    state = expect_range(registry.get(location).expect(204), 1499)
    second = registry.patch_range(registry.location(state), data[1500:], 1500).expect(202)
    end = registry.finish_upload(registry.location(second), digest)
    registry.get(registry.location(end)).expect(200).expect_body(data)


@suite.test("sessions/begin-headers", "larder")
def begin_headers(registry):
    answer = registry.post(registry.uploads(registry.repo)).expect(202)
    expect_range(answer, 0).expect_header("Content-Length", "0")
    identifier = answer.header("Docker-Upload-UUID")
    location = registry.location(answer)
    path = location.split("?")[0]
    if not identifier or path != f"{registry.uploads(registry.repo)}{identifier}":
        answer.fail("Location …/blobs/uploads/<Docker-Upload-UUID>", f"202 with {location} and {identifier}")
    if "digest=" in location:
        answer.fail("a Location without a digest, clients add it", f"202 with {location}")


@suite.test("sessions/patch-headers", "larder")
def patch_headers(registry):
    answer = registry.post(registry.uploads(registry.repo)).expect(202)
    identifier = answer.header("Docker-Upload-UUID")
    answer = registry.patch(registry.location(answer), b"x" * 700, chunked=True).expect(202)
    expect_range(answer, 699).expect_header("Docker-Upload-UUID", identifier).expect_header("Content-Length", "0")
    registry.location(answer)


@suite.test("sessions/state", "larder")
def state(registry):
    """GET tells what has come so far, whatever query it has, and leaves the session usable."""
    data = registry.data("state", 900)
    location = registry.start_upload(registry.repo)
    expect_range(registry.get(location).expect(204), 0)
    for end in (300, 600, 900):
        location = registry.location(registry.patch(location, data[end - 300:end]).expect(202))
        answer = expect_range(registry.get(location).expect(204), end - 1)
        expect_range(registry.get(with_query(location, ("digest", digest_of(b"")), ("x", "y"))).expect(204), end - 1)
        location = registry.location(answer)
    digest = digest_of(data)
    registry.finish_upload(location, digest)
    registry.check_blob(registry.repo, data, digest)


@suite.test("sessions/state-after-refusal", "larder")
def state_after_refusal(registry):
    """A 416 says where the upload is, and keeps nothing of the refused chunk."""
    data = registry.data("state after refusal", 900)
    location = registry.start_upload(registry.repo)
    location = registry.location(registry.patch_range(location, data[:300], 0).expect(202))
    for start, end, method in ((600, 900, "PATCH"), (0, 300, "PATCH"), (299, 600, "PATCH"), (301, 600, "PUT")):
        target = with_query(location, ("digest", digest_of(data))) if method == "PUT" else location
        answer = registry.patch_range(target, data[start:end], start, method)
        answer.expect_error(416, "RANGE_INVALID", "BLOB_UPLOAD_INVALID")
        expect_range(answer, 299)
        registry.location(answer)
        expect_range(registry.get(target).expect(204), 299)
    answer = registry.patch_range(location, data[300:], 300).expect(202)
    registry.finish_upload(registry.location(answer), digest_of(data))
    registry.check_blob(registry.repo, data, digest_of(data))


@suite.test("sessions/chunk-length-differs", "larder")
def chunk_length_differs(registry):
    """A Content-Range that is not as long as the body is refused and adds nothing."""
    location = registry.start_upload(registry.repo)
    for span in ("0-99", "0-49"):
        answer = registry.patch(location, b"x" * 70, ("Content-Range", span))
        answer.expect_error(400, "SIZE_INVALID")
    target = with_query(location, ("digest", digest_of(b"x" * 70)))
    answer = registry.put(target, b"x" * 70, OCTETS, ("Content-Range", "0-99"))
    answer.expect_error(400, "SIZE_INVALID")
    expect_range(registry.get(location).expect(204), 0)


@suite.test("sessions/chunk-range-malformed", "larder")
def chunk_range_malformed(registry):
    location = registry.start_upload(registry.repo)
    for span in ("banana", "9-0", "-5", "0-99999999999999999999999"):
        registry.patch(location, b"x" * 10, ("Content-Range", span)).expect(400, 416)
    expect_range(registry.get(location).expect(204), 0)


@suite.test("sessions/put-without-digest", "larder")
def put_without_digest(registry):
    location = registry.start_upload(registry.repo)
    registry.put(location, b"body").expect_error(400, "DIGEST_INVALID")
    location = registry.start_upload(registry.repo)
    registry.put(with_query(location, ("digest", "")), b"body").expect_error(400, "DIGEST_INVALID")


@suite.test("sessions/wrong-digest-ends-it", "larder")
def wrong_digest_ends_it(registry):
    location = registry.start_upload(registry.repo)
    location = registry.location(registry.patch(location, b"one thing").expect(202))
    wrong = with_query(location, ("digest", digest_of(b"another thing")))
    registry.put(wrong).expect_error(400, "DIGEST_INVALID")
    registry.get(location).expect_error(404, UNKNOWN)
    registry.patch(location, b"more").expect_error(404, UNKNOWN)
    for text in (b"one thing", b"another thing"):
        registry.head(registry.blob(registry.repo, digest_of(text))).expect(404)


def expect_ended(registry, location):
    """No request to the session finds it any more."""
    registry.get(location).expect_error(404, UNKNOWN)
    registry.patch(location, b"more").expect_error(404, UNKNOWN)
    registry.patch(location, b"more", ("Content-Range", "0-3")).expect_error(404, UNKNOWN)
    digest = digest_of(b"more")
    registry.put(with_query(location, ("digest", digest)), b"more").expect_error(404, UNKNOWN)
    registry.delete(location).expect_error(404, UNKNOWN)
    registry.head(registry.blob(registry.repo, digest)).expect(404)


@suite.test("sessions/finished", "larder")
def finished(registry):
    location = registry.start_upload(registry.repo)
    registry.finish_upload(location, digest_of(b"finished"), b"finished")
    expect_ended(registry, location)


@suite.test("sessions/cancelled", "larder")
def cancelled(registry):
    location = registry.start_upload(registry.repo)
    location = registry.location(registry.patch(location, b"some bytes").expect(202))
    registry.delete(location).expect(204)
    expect_ended(registry, location)


@suite.test("sessions/unknown", "larder")
def unknown(registry):
    expect_ended(registry, registry.uploads(registry.repo) + SESSION)
    expect_ended(registry, registry.uploads(registry.repo) + "no-such-session")


@suite.test("sessions/of-another-repository", "larder")
def of_another_repository(registry):
    location = registry.start_upload(registry.repo)
    wrong = location.replace(f"/v2/{registry.repo}/", f"/v2/{registry.fresh('other-session')}/", 1)
    registry.get(wrong).expect(404)
    registry.patch(wrong, b"x").expect(404)
    registry.put(with_query(wrong, ("digest", digest_of(b"x"))), b"x").expect(404)
    registry.delete(wrong).expect(404)
    registry.get(location).expect(204)


@suite.test("sessions/wrong-single-post-leaves-none", "larder")
def wrong_single_post(registry):
    target = registry.uploads(registry.repo, ("digest", digest_of(b"right")))
    answer = registry.post(target, b"wrong", OCTETS).expect_error(400, "DIGEST_INVALID")
    if answer.header("Location") or answer.header("Docker-Upload-UUID"):
        answer.fail("no session", f"400 with Location: {answer.header('Location')}")
    registry.head(registry.blob(registry.repo, digest_of(b"wrong"))).expect(404)


@suite.test("sessions/digest-first-in-query", "larder")
def digest_first(registry):
    """skopeo writes the parameters in another order than they were given."""
    data = registry.data("digest first", 400)
    location = registry.start_upload(registry.repo)
    location = registry.location(registry.patch(location, data).expect(202))
    path, _, query = location.partition("?")
    target = with_query(path, ("digest", digest_of(data))) + (f"&{query}" if query else "") + "&zzz=1"
    registry.put(target).expect(201)
    registry.check_blob(registry.repo, data, digest_of(data))


@suite.test("sessions/unescaped-digest", "larder")
def unescaped_digest(registry):
    data = registry.data("unescaped digest", 400)
    target = f"{registry.uploads(registry.repo)}?digest={digest_of(data)}"
    registry.post(target, data, OCTETS).expect(201)
    location = registry.start_upload(registry.repo)
    location += f"{'&' if '?' in location else '?'}digest={digest_of(data)}"
    registry.put(location, data).expect(201)


@suite.test("sessions/several-streams", "larder")
def several_streams(registry):
    """PATCHes without Content-Range append, empty ones too; the PUT may bring the rest."""
    data = registry.data("several streams", 150_000)
    location = registry.start_upload(registry.repo)
    for start, end, chunked in ((0, 70_000, True), (70_000, 70_000, True), (70_000, 100_001, False),
                                (100_001, 100_001, False)):
        answer = registry.patch(location, data[start:end], chunked=chunked).expect(202)
        location = registry.location(expect_range(answer, end - 1))
    registry.finish_upload(location, digest_of(data), data[100_001:])
    registry.check_blob(registry.repo, data, digest_of(data))


@suite.test("sessions/chunked-encoding-everywhere", "larder")
def chunked_encoding(registry):
    data = registry.data("chunked encoding", 200_000)
    digest = digest_of(data)
    target = registry.uploads(registry.repo, ("digest", digest))
    registry.client.request("POST", target, [OCTETS], data, chunked=True).expect(201)
    registry.check_blob(registry.repo, data, digest)
    location = registry.start_upload(registry.repo)
    registry.put(with_query(location, ("digest", digest)), data, OCTETS, chunked=True).expect(201)
    span = ("Content-Range", f"0-{len(data) - 1}")
    location = registry.start_upload(registry.repo)
    answer = registry.patch(location, data, span, chunked=True).expect(202)
    expect_range(answer, len(data) - 1)
    registry.finish_upload(registry.location(answer), digest)


@suite.test("sessions/large-blob", "larder")
def large_blob(registry):
    data = registry.data("large blob", 9 * 1024 * 1024 + 1)
    digest = digest_of(data, "sha512")
    location = registry.start_upload(registry.repo)
    location = registry.location(registry.patch(location, data[:5_000_000], chunked=True).expect(202))
    registry.finish_upload(location, digest, data[5_000_000:])
    registry.check_blob(registry.repo, data, digest)
    registry.delete(registry.blob(registry.repo, digest)).expect(202)


@suite.test("sessions/client-died", "larder")
def client_died(registry):
    """A body that ends early keeps the session; GET says how far it came, and the upload goes on from there."""
    data = registry.data("client died", 200_000)
    with preparing():
        location = registry.start_upload(registry.repo)
    connection = registry.client.connect()
    headers = [("Host", registry.client.authority), OCTETS, ("Content-Range", f"0-{len(data) - 1}"),
               ("Content-Length", str(len(data)))]
    connection.send(head_of("PATCH", location, headers), data[:120_000])
    connection.close()
    answer = wait_until(partial(settled, registry, location), seconds=10)
    if answer is None:
        registry.get(location).fail("within 10 s a 204 whose Range stays, after a client died")
    count = received(answer)
    kept = 0 if count == 1 else count
    demand(kept <= 120_000, f"{answer.request}: demanded at most the 120000 bytes sent, answered Range to {count - 1}")
    answer = registry.patch_range(registry.location(answer), data[kept:], kept).expect(202)
    registry.finish_upload(expect_range(answer, len(data) - 1) and registry.location(answer), digest_of(data))
    registry.check_blob(registry.repo, data, digest_of(data))


def settled(registry, location):
    """The state of a session that is the same twice, a little apart."""
    answers = []
    for _ in range(2):
        try:
            answers.append(registry.get(location))
        except NoAnswer:
            return None
        wait_until(lambda: False, seconds=0.2)
    first, second = answers
    same = first.status == second.status == 204 and first.header("Range") == second.header("Range")
    return second if same else None


@suite.test("sessions/digest-algorithm", "dev")
def digest_algorithm(registry):
    for algorithm in ("sha256", "sha512"):
        data = registry.data(f"digest algorithm {algorithm}", 500)
        location = registry.start_upload(registry.repo, ("digest-algorithm", algorithm))
        location = registry.location(registry.patch(location, data).expect(202))
        digest = digest_of(data, algorithm)
        registry.finish_upload(location, digest)
        registry.check_blob(registry.repo, data, digest).expect_digest(digest, required=True)


@suite.test("sessions/digest-algorithm-unknown", "dev")
def digest_algorithm_unknown(registry):
    registry.post(registry.uploads(registry.repo, ("digest-algorithm", "md5"))).expect(400)


# Mounts.

@suite.test("mount/location", "1.1")
def mount_location(registry):
    """The Location of a mounted blob is its address, exactly."""
    digest = registry.put_blob(registry.repo2, registry.data("mount location", 300))
    answer = registry.post(registry.uploads(registry.repo, ("mount", digest), ("from", registry.repo2))).expect(201)
    if registry.location(answer) != registry.blob(registry.repo, digest):
        answer.fail(f"Location: {registry.blob(registry.repo, digest)}", registry.location(answer))


def begins_upload(registry, repo, *query):
    """The mount is answered as a new session would be, and the session works."""
    answer = registry.post(registry.uploads(repo, *query)).expect(202)
    location = registry.location(answer)
    if not location.startswith(registry.uploads(repo)):
        answer.fail(f"a Location that begins with {registry.uploads(repo)}", location)
    data = registry.data(f"instead of {query}", 100)
    registry.finish_upload(location, digest_of(data), data)
    registry.check_blob(repo, data, digest_of(data))


@suite.test("mount/missing-location", "1.1")
def mount_missing_location(registry):
    nobody_has = digest_of(registry.data("nobody has this", 300))
    begins_upload(registry, registry.repo, ("mount", nobody_has), ("from", registry.repo2))


@suite.test("mount/missing-anonymous", "1.1")
def mount_missing_anonymous(registry):
    begins_upload(registry, registry.repo, ("mount", digest_of(registry.data("nobody has this", 301))))


@suite.test("mount/from-one-that-lacks-it", "larder")
def mount_from_lacking(registry):
    """`from` is where to look, even when a third repository has the blob."""
    digest = registry.put_blob(registry.repo2, registry.data("mount from lacking", 300))
    lacking = registry.fresh("lacking")
    registry.push_image(lacking, "lacking")
    begins_upload(registry, registry.repo, ("mount", digest), ("from", lacking))
    registry.head(registry.blob(registry.repo, digest)).expect(404)


@suite.test("mount/from-unknown-repository", "larder")
def mount_from_unknown(registry):
    digest = registry.put_blob(registry.repo2, registry.data("mount from unknown", 300))
    begins_upload(registry, registry.repo, ("mount", digest), ("from", registry.fresh("never-used")))


@suite.test("mount/malformed", "larder")
def mount_malformed(registry):
    """What cannot be mounted is uploaded: a bad digest or name is no error here."""
    begins_upload(registry, registry.repo, ("mount", "sha256:abc"), ("from", registry.repo2))
    digest = registry.put_blob(registry.repo2, registry.data("mount malformed", 300))
    begins_upload(registry, registry.repo, ("mount", digest), ("from", "Not/A/Name"))
    begins_upload(registry, registry.repo, ("mount", ""), ("from", ""))


@suite.test("mount/source-deleted", "larder")
def mount_source_deleted(registry):
    """Deletion in one repository leaves the blob in the other; so does deletion of the mounted one."""
    source, target = registry.fresh("mount-source"), registry.fresh("mount-target")
    data = registry.data("mount source deleted", 30_000)
    digest = registry.put_blob(source, data)
    registry.post(registry.uploads(target, ("mount", digest), ("from", source))).expect(201)
    registry.delete(registry.blob(source, digest)).expect(202)
    registry.check_gone(registry.blob(source, digest))
    registry.check_blob(target, data, digest)
    registry.post(registry.uploads(source, ("mount", digest), ("from", target))).expect(201)
    registry.delete(registry.blob(target, digest)).expect(202)
    registry.check_blob(source, data, digest)


@suite.test("mount/nobody-has-it-any-more", "larder")
def mount_deleted(registry):
    repo = registry.fresh("mount-deleted")
    digest = registry.put_blob(repo, registry.data("mount deleted", 300))
    registry.delete(registry.blob(repo, digest)).expect(202)
    begins_upload(registry, registry.repo, ("mount", digest), ("from", repo))
    begins_upload(registry, registry.repo, ("mount", digest))


# Several clients.

@suite.test("concurrent/same-blob-in-chunks", "larder")
def same_blob_in_chunks(registry):
    """Two clients send one blob in step with each other, in sessions of their own; both succeed."""
    data = registry.data("same blob in chunks", 100_000)
    digest = digest_of(data)
    step = Barrier(2, timeout=registry.client.timeout)

    def upload(number):
        try:
            location = registry.start_upload(registry.repo)
            step.wait()
            answer = registry.patch_range(location, data[:60_000], 0).expect(202)
            step.wait()
            answer = registry.patch_range(registry.location(answer), data[60_000:], 60_000).expect(202)
            step.wait()
            return registry.finish_upload(registry.location(answer), digest)
        except Exception:
            step.abort()
            raise

    try:
        for answer in together(2, upload):
            answer.expect(201)
    except Exception as error:
        raise error if isinstance(error, (Failure, NoAnswer)) else NotReached(f"the other client failed: {error}")
    registry.check_blob(registry.repo, data, digest)


@suite.test("concurrent/same-blob-at-once", "larder")
def same_blob_at_once(registry):
    data = registry.data("same blob at once", 400_000)
    digest = digest_of(data)
    target = registry.uploads(registry.repo, ("digest", digest))
    for answer in together(4, lambda number: registry.post(target, data, OCTETS)):
        answer.expect(201)
    registry.check_blob(registry.repo, data, digest)


@suite.test("concurrent/push-and-delete", "larder")
def push_and_delete(registry):
    """While blobs of the same content come and go in one repository, they stay whole in another."""
    data = registry.data("push and delete", 50_000)
    stays, changes = registry.fresh("stays"), registry.fresh("changes")
    digest = registry.put_blob(stays, data)

    def work(number):
        for _ in range(5):
            if number % 2:
                registry.delete(registry.blob(changes, digest)).expect(202, 404)
            else:
                registry.post(registry.uploads(changes, ("digest", digest)), data, OCTETS).expect(201)
            registry.check_blob(stays, data, digest)

    together(4, work)
    registry.post(registry.uploads(changes, ("digest", digest)), data, OCTETS).expect(201)
    registry.check_blob(changes, data, digest)
