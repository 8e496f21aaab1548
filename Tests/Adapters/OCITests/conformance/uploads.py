"""The ways to push a blob. Each takes registry, repository, data and digest, and fails unless all went as demanded."""

import re

from .content import digest_of
from .registry import OCTETS, Registry, with_query
from .runner import Failure, NoAnswer, StoredAnyway


def verified(registry: Registry, answer, data, digest):
    """The blob is where the Location of the last answer says."""
    answer.expect(201)
    registry.get(registry.location(answer)).expect(200).expect_body(data)
    try:
        return answer.expect_digest(digest)
    except Failure as failure:
        raise StoredAnyway(str(failure)) from None


def fallen_back(registry, answer, data, digest, demanded):
    """After a 202 instead of a 201 the session is used, and the demand has failed all the same."""
    finished = registry.finish_upload(registry.location(answer), digest, data)
    registry.get(registry.location(finished)).expect(200).expect_body(data)
    raise StoredAnyway(f"{answer.request}: demanded {demanded}, answered 202 (the blob went by PUT)")


def post_only(registry, repo, data, digest):
    answer = registry.post(registry.uploads(repo, ("digest", digest)), data, OCTETS).expect(201, 202)
    if answer.status == 202:
        fallen_back(registry, answer, data, digest, "201 for the whole blob")
    return verified(registry, answer, data, digest)


def post_put(registry, repo, data, digest):
    return verified(registry, registry.finish_upload(registry.start_upload(repo), digest, data), data, digest)


def chunked_single(registry, repo, data, digest):
    location = registry.start_upload(repo)
    if data:
        location = registry.location(registry.patch_range(location, data, 0).expect(202))
    return verified(registry, registry.finish_upload(location, digest), data, digest)


def stream(registry, repo, data, digest):
    location = registry.start_upload(repo)
    location = registry.location(registry.patch(location, data, chunked=True).expect(202))
    return verified(registry, registry.finish_upload(location, digest), data, digest)


def stream_with_length(registry, repo, data, digest):
    location = registry.start_upload(repo)
    location = registry.location(registry.patch(location, data).expect(202))
    return verified(registry, registry.finish_upload(location, digest), data, digest)


def mount_from(registry, repo, data, digest, source):
    registry.put_blob(registry.repo2, data, digest.split(":")[0])
    query = (("mount", digest),) + ((("from", source),) if source else ())
    answer = registry.post(registry.uploads(repo, *query)).expect(201, 202)
    if answer.status == 202:
        fallen_back(registry, answer, data, digest, "201 for the mount")
    return verified(registry, answer, data, digest)


def mount(registry, repo, data, digest):
    return mount_from(registry, repo, data, digest, registry.repo2)


def mount_anonymous(registry, repo, data, digest):
    return mount_from(registry, repo, data, digest, None)


def mount_missing(registry, repo, data, digest):
    """A mount of what nobody has begins an upload, by which the blob then goes."""
    answer = registry.post(registry.uploads(repo, ("mount", digest), ("from", registry.repo2))).expect(202)
    return verified(registry, registry.finish_upload(registry.location(answer), digest, data), data, digest)


def spans(size, least):
    """Three chunks that cover the size, none smaller than the registry takes but the last."""
    step = max(least, -(-size // 3), 1)
    return [(start, min(start + step, size)) for start in range(0, size, step)]


def chunked(registry, repo, data, digest, put_last=False, disordered=False):
    begun = registry.post(registry.uploads(repo)).expect(202)
    chunks = spans(len(data), int(begun.header("OCI-Chunk-Min-Length") or 0))
    answer = begun
    for number, (start, end) in enumerate(chunks):
        if disordered:
            answer = refuse_disorder(registry, answer, data, digest, chunks, number, put_last)
        if put_last and number == len(chunks) - 1:
            last = with_query(registry.location(answer), ("digest", digest))
            answer = registry.patch_range(last, data[start:end], start, "PUT").expect(201)
            return verified(registry, answer, data, digest)
        answer = registry.patch_range(registry.location(answer), data[start:end], start).expect(202)
    return verified(registry, registry.finish_upload(registry.location(answer), digest), data, digest)


def refuse_disorder(registry, answer, data, digest, chunks, number, put_last):
    """Every chunk but the one that is next is refused and leaves the session as it was."""
    received = chunks[number][0]
    for start, end in chunks[:number] + chunks[number + 1:]:
        target = registry.location(answer)
        method = "PUT" if put_last and end == len(data) else "PATCH"
        if method == "PUT":
            target = with_query(target, ("digest", digest))
        registry.patch_range(target, data[start:end], start, method).expect(416)
        # The very address of the refused request answers, whatever parameters it has.
        answer = registry.get(target).expect(204)
        registry.location(answer)
        given = re.fullmatch(r"0-(\d+)", answer.header("Range") or "")
        if given is None or (received > 0 and int(given[1]) != received - 1):
            answer.fail(f"Range: 0-{max(received - 1, 0)}", f"204 with Range: {answer.header('Range')}")
    return answer


def chunked_multi(registry, repo, data, digest):
    return chunked(registry, repo, data, digest)


def chunked_multi_put(registry, repo, data, digest):
    return chunked(registry, repo, data, digest, put_last=True)


def chunked_disordered(registry, repo, data, digest):
    return chunked(registry, repo, data, digest, disordered=True)


def chunked_disordered_put(registry, repo, data, digest):
    return chunked(registry, repo, data, digest, put_last=True, disordered=True)


WAYS = {
    "post only": post_only,
    "post+put": post_put,
    "chunked single": chunked_single,
    "stream": stream,
    "mount": mount,
    "mount anonymous": mount_anonymous,
    "chunked multi": chunked_multi,
    "chunked multi and put chunk": chunked_multi_put,
}


def push_by_turns(registry, repo, data, algorithm):
    """Pushes by the next of all ways, or by POST and PUT when the registry does not have that way."""
    way = list(WAYS.values())[registry.turn % len(WAYS)]
    registry.turn += 1
    digest = digest_of(data, algorithm)
    try:
        way(registry, repo, data, digest)
    except StoredAnyway:
        pass
    except (Failure, NoAnswer, OSError):
        registry.finish_upload(registry.start_upload(repo), digest, data)


def bad_digest(registry, repo, data, digest, way):
    """The request that names a digest of other bytes gets 400, and the digest stays unknown."""
    if way == "post only":
        answer = registry.post(registry.uploads(repo, ("digest", digest)), data, OCTETS).expect(400, 202)
        if answer.status == 202:
            location = with_query(registry.location(answer), ("digest", digest))
            registry.put(location, data).expect(400)
            raise Failure(f"{answer.request}: demanded 400, answered 202 (and 400 to the PUT)")
        return registry.check_gone(registry.blob(repo, digest))
    location = registry.start_upload(repo)
    body = data if way == "post+put" else None
    headers = ()
    if way == "stream":
        location = registry.location(registry.patch(location, data, chunked=True).expect(202))
    elif way.startswith("chunked"):
        halves = spans(len(data), len(data) // 2 + 1)
        if way == "chunked and put chunk":
            start, end = halves.pop()
            body, headers = data[start:end], (("Content-Range", f"{start}-{end - 1}"),)
        for start, end in halves:
            location = registry.location(registry.patch_range(location, data[start:end], start).expect(202))
    registry.put(with_query(location, ("digest", digest)), body, OCTETS, *headers).expect(400)
    return registry.check_gone(registry.blob(repo, digest))
