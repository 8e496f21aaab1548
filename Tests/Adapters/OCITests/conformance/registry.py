"""The registry under test: its addresses, and the conversations that push, list and delete."""

import json
import random
import re
from urllib.parse import quote, unquote, urlsplit

from .client import Client
from .content import ACCEPT, INDEX, Content, digest_of
from .runner import demand, preparing

OCTETS = ("Content-Type", "application/octet-stream")


def with_query(target, *pairs):
    """Adds parameters to a path that may have some."""
    added = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
    return f"{target}{'&' if '?' in target else '?'}{added}" if added else target


class Registry:
    def __init__(self, client: Client, repo, repo2, sparse_repo, seed):
        self.client = client
        self.repo = repo
        self.repo2 = repo2
        self.sparse_repo = sparse_repo
        self.seed = seed
        self.token = f"{random.Random(f'{seed}/token').getrandbits(32):08x}"
        self.turn = 0
        self.users = {}

    # Names, data and addresses.

    def chance(self, label):
        """A generator of random data that depends on the seed and the label only."""
        return random.Random(f"{self.seed}/{label}")

    def content(self, label, algorithm="sha256"):
        return Content(self.chance(label), algorithm)

    def data(self, label, size):
        return self.chance(label).randbytes(size)

    def fresh(self, label):
        """The name of a repository that only the test with this label uses, in this run."""
        return f"{self.repo}/{label}-{self.token}"

    def tag(self, label):
        return f"{label}-{self.token}"

    @staticmethod
    def blob(repo, digest):
        return f"/v2/{repo}/blobs/{digest}"

    @staticmethod
    def manifest(repo, reference):
        return f"/v2/{repo}/manifests/{reference}"

    @staticmethod
    def uploads(repo, *query):
        return with_query(f"/v2/{repo}/blobs/uploads/", *query)

    @staticmethod
    def tags(repo, *query):
        return with_query(f"/v2/{repo}/tags/list", *query)

    @staticmethod
    def referrers(repo, digest, *query):
        return with_query(f"/v2/{repo}/referrers/{digest}", *query)

    # Requests.

    def get(self, target, *headers):
        return self.client.request("GET", target, headers)

    def head(self, target, *headers):
        return self.client.request("HEAD", target, headers)

    def delete(self, target, *headers):
        return self.client.request("DELETE", target, headers)

    def post(self, target, body=None, *headers):
        return self.client.request("POST", target, headers, body)

    def put(self, target, body=None, *headers, chunked=False):
        return self.client.request("PUT", target, headers or (OCTETS,), body, chunked)

    def patch(self, target, body, *headers, chunked=False):
        return self.client.request("PATCH", target, (OCTETS, *headers), body, chunked)

    def location(self, answer):
        return self.client.location(answer)

    def get_manifest(self, repo, reference):
        return self.get(self.manifest(repo, reference), *ACCEPT)

    def head_manifest(self, repo, reference):
        return self.head(self.manifest(repo, reference), *ACCEPT)

    # Blobs.

    def start_upload(self, repo, *query):
        """The location of a new upload session."""
        return self.location(self.post(self.uploads(repo, *query)).expect(202))

    def finish_upload(self, location, digest, body=None, *headers):
        answer = self.put(with_query(location, ("digest", digest)), body, OCTETS, *headers)
        return answer.expect(201)

    def patch_range(self, location, data, first, method="PATCH"):
        """Sends a chunk with the Content-Range it claims to start at."""
        span = ("Content-Range", f"{first}-{first + len(data) - 1}")
        return self.client.request(method, location, (OCTETS, span), data)

    def put_blob(self, repo, data, algorithm="sha256"):
        """Pushes by POST and PUT, the way that every registry has; gives the digest."""
        digest = digest_of(data, algorithm)
        with preparing():
            self.finish_upload(self.start_upload(repo), digest, data)
        return digest

    def check_blob_head(self, repo, data, digest):
        answer = self.head(self.blob(repo, digest)).expect(200)
        answer.expect_header("Content-Length", str(len(data))).expect_body(b"")
        return answer.expect_digest(digest)

    def check_blob(self, repo, data, digest):
        answer = self.get(self.blob(repo, digest)).expect(200).expect_body(data)
        return answer.expect_header("Content-Length", str(len(data))).expect_digest(digest)

    def check_gone(self, target):
        self.head(target, *ACCEPT).expect(404)
        self.get(target, *ACCEPT).expect(404)

    # Manifests.

    def put_manifest(self, repo, reference, body, kind, *query):
        """PUTs a manifest and gives the answer, whatever it is."""
        target = with_query(self.manifest(repo, reference), *query)
        return self.put(target, body, ("Content-Type", kind))

    def check_manifest(self, answer, manifest, digest=None):
        answer.expect(200).expect_header("Content-Type", manifest.kind)
        answer.expect_header("Content-Length", str(len(manifest.body)))
        answer.expect_body(b"" if answer.method == "HEAD" else manifest.body)
        return answer.expect_digest(digest or manifest.digest)

    def push(self, repo, content):
        """Pushes blobs and manifests as plainly as possible, for tests of something else."""
        with preparing():
            for data in content.blobs.values():
                self.put_blob(repo, data, content.algorithm)
            for manifest in content.manifests:
                for reference in [manifest.digest, *manifest.tags]:
                    self.put_manifest(repo, reference, manifest.body, manifest.kind).expect(201)

    def push_image(self, repo, label, *tags, **more):
        """Pushes a small image; gives its manifest."""
        content = self.content(label)
        image = content.image(tags, layer_sizes=(200,), **more)
        self.push(repo, content)
        return image

    # Lists.

    def pages(self, target):
        """The answers from a target on, each found by the Link of the one before."""
        for _ in range(1000):
            answer = self.get(target).expect(200)
            yield answer
            following = self.next_page(answer)
            if following is None:
                return
            demand(following != target, f"{answer.request}: demanded a Link to another page, it leads to itself")
            target = following
        answer.fail("an end of the pages", "more than a thousand")

    def next_page(self, answer):
        """Path and query of the Link with rel="next", if there is one."""
        for value in ", ".join(answer.all("Link")).split(", <"):
            match = re.fullmatch(r"<?([^>]*)>((?:\s*;\s*[^;]+)*)", value.strip())
            if match and re.search(r';\s*rel="?next"?\s*(;|$)', match[2]):
                parts = urlsplit(match[1])
                path = parts.path or answer.target.split("?")[0]
                return path + (f"?{parts.query}" if parts.query else "")
        if answer.header("Link"):
            answer.fail('a Link of the form <…>; rel="next"', f"Link: {answer.header('Link')}")
        return None

    def tag_names(self, answer, repo):
        """The tags in an answer, which must have the form of a tag list."""
        value = answer.expect_json()
        if not isinstance(value, dict) or value.get("name") != repo:
            answer.fail(f'a list with "name":"{repo}"')
        names = value.get("tags")
        if names is None:  # What Go writes for an empty list, and reads; `pages/empty` forbids it.
            return []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            answer.fail("an array of tags")
        return names

    def all_tags(self, repo, *query):
        names = []
        for answer in self.pages(self.tags(repo, *query)):
            names += self.tag_names(answer, repo)
        return names

    def referrer_list(self, repo, digest, *query):
        """The descriptors of all pages, and the first answer."""
        first, found = None, []
        for answer in self.pages(self.referrers(repo, digest, *query)):
            first = first or answer
            answer.expect_header("Content-Type", INDEX)
            value = answer.expect_json()
            if not isinstance(value, dict) or value.get("schemaVersion") != 2 or value.get("mediaType") != INDEX:
                answer.fail("an index with schemaVersion 2 and its mediaType")
            if not isinstance(value.get("manifests"), list):
                answer.fail("an array of manifests")
            found += value["manifests"]
        return found, first

    def check_referrers(self, repo, digest, expected, *query):
        """Exactly the expected manifests are listed, each with all its properties."""
        found, answer = self.referrer_list(repo, digest, *query)
        given = {entry.get("digest"): entry for entry in found}
        wanted = {entry["digest"]: entry for entry in expected}
        if sorted(map(str, given)) != sorted(wanted) or len(found) != len(expected):
            answer.fail(f"{len(expected)} referrers {sorted(wanted)}", f"{len(found)}: {sorted(map(str, given))}")
        for name, entry in wanted.items():
            for key in ("mediaType", "size", "artifactType", "annotations"):
                if (given[name].get(key) or None) != entry.get(key):
                    answer.fail(f"{key} {json.dumps(entry.get(key))} of {name}", json.dumps(given[name].get(key)))
        return answer


def query_of(target):
    """The parameters of a target, decoded."""
    pairs = [pair.partition("=") for pair in urlsplit(target).query.split("&") if pair]
    return {unquote(name): unquote(value) for name, _, value in pairs}
