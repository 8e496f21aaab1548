"""The rows of the OCI registry: what each of them does to the servers, and what it counts."""

import hashlib
import json
import random
import statistics
import time
import urllib.parse

from drivers import answering_server, exchange, get_and_drop, push, upload_location, wrk
from servers import GIB, KIB, MIB, Bodies, RowFailed, say
from table import Line, shown

IMAGE_NAMES = ["image-manifest", "image-push", "image-pull", "image-tags", "image-delete", "image-catalog"]
MANIFEST_CONNECTIONS, TAGS_CONNECTIONS = 32, 4
LAYER, LAYERS = 64 * KIB, 5
PUSHED, PUSH_CONNECTIONS = MIB, 8
PUSHES_PER_SECOND = 16_000  # so many digests are prepared per second of a run; the driver does not manage more
CEILING_FACTOR = 5  # so many times the best server's pushes the driver must manage on its own
PULLED, PULLED_BLOBS, PULL_CONNECTIONS = 10 * MIB, 8, 4
TAGS, FEW_TAGS = 20_000, 200
DELETES = 10  # manifests per run and repository
REPOSITORIES, PAGE = 10_000, 1000

IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ACCEPT = ", ".join([IMAGE_MANIFEST, "application/vnd.oci.image.index.v1+json",
                    "application/vnd.docker.distribution.manifest.v2+json",
                    "application/vnd.docker.distribution.manifest.list.v2+json"])
EMPTY_TYPE, EMPTY = "application/vnd.oci.empty.v1+json", b"{}"


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(media_type, content):
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


class Image:
    """A configuration and layers, and as many manifests that name them as are asked for."""

    def __init__(self, seed):
        bodies = Bodies(f"{seed} layer", LAYER)
        self.layers = [bodies.body(number) for number in range(LAYERS)]
        diffs = [digest_of(layer) for layer in self.layers]
        self.configuration = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"]},
                                         "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()

    def manifest(self, version):
        """The bytes of a manifest of some 1.5 KB, set like those that docker pushes."""
        return json.dumps({
            "schemaVersion": 2,
            "mediaType": IMAGE_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", self.configuration),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer) for layer in self.layers],
            "annotations": {"org.opencontainers.image.created": "2026-01-01T00:00:00Z",
                            "org.opencontainers.image.version": version},
        }, indent=3).encode()


def manifest_path(server, repository, reference):
    return f"{server.base}/v2/{repository}/manifests/{reference}"


def manifest_put(server, repository, tag, manifest):
    return (f"PUT {manifest_path(server, repository, tag)} HTTP/1.1\r\nHost: {server.authority}\r\n"
            f"Content-Type: {IMAGE_MANIFEST}\r\nContent-Length: {len(manifest)}\r\n\r\n").encode() + manifest


def mount(server, repository, digest, origin):
    return (f"POST {server.base}/v2/{repository}/blobs/uploads/?mount={digest}&from={urllib.parse.quote(origin, '')}"
            f" HTTP/1.1\r\nHost: {server.authority}\r\nContent-Length: 0\r\n\r\n").encode()


def push_blobs(server, repository, contents):
    with server.client() as connection:
        for content in contents:
            fields, _ = server.ask(connection, 202, "POST", f"{server.base}/v2/{repository}/blobs/uploads/", b"")
            location = upload_location(fields["Location"], digest_of(content))
            server.ask(connection, 201, "PUT", location, content, {"Content-Type": "application/octet-stream"})


class ImageRows:
    """The part of Benchmark that is about images."""

    def repository(self, name):
        """The name of a repository that no earlier run used."""
        return f"bench-{hashlib.sha256(self.options.seed.encode()).hexdigest()[:8]}/{name}"

    def filled(self, server, name, fill):
        """A repository of the server; what it must hold is pushed by fill(repository) unless that was done."""
        repository = self.repository(name)
        if repository not in server.repositories:
            fill(repository)
            server.repositories.add(repository)
        return repository

    def everyone_with_images(self):
        return {server.name: server for server in self.registries}

    def get_one(self, server, path, accept, connections, run, content):
        """Requests per second that one address is got with."""
        if run == 0:
            wrk(server, "get.lua", [accept], connections, 2, path=path)
        figures = wrk(server, "get.lua", [accept], connections, self.options.seconds, path=path)
        if figures["bytes"] < figures["requests"] * len(content):
            raise RowFailed(f"{server.name}: the answers were too short: {figures}")
        return self.counted(figures)

    # Manifests

    def image_manifest(self):
        manifest = self.image.manifest("latest")

        def measure(run, server):
            def fill(repository):
                push_blobs(server, repository, [self.image.configuration, *self.image.layers])
                exchange(server, [manifest_put(server, repository, "latest", manifest)])

            path = manifest_path(server, self.filled(server, "image", fill), "latest")
            with server.client() as connection:
                fields, content = server.ask(connection, 200, "GET", path, fields={"Accept": ACCEPT})
            if content != manifest or fields["Docker-Content-Digest"] != digest_of(manifest):
                raise RowFailed(f"{server.name}: the manifest came back as {fields}{content[:300]}")
            return self.get_one(server, path, ACCEPT, MANIFEST_CONNECTIONS, run, manifest)

        label = f"manifest by tag, {len(manifest) / 1e3:.1f} KB, {MANIFEST_CONNECTIONS} conn."
        self.alternate(Line(label, "/s", [("docker-registry", 20.0)]), self.everyone_with_images(), measure)

    # Blobs

    def image_push(self):
        bodies, repository = Bodies(self.options.seed, PUSHED), self.repository("push")
        share = PUSHES_PER_SECOND * self.options.seconds // PUSH_CONNECTIONS
        prepared = []
        self.wait_for_quick_creation(self.work)

        def prepare():
            numbers = [[next(self.fresh) for _ in range(share)] for _ in range(PUSH_CONNECTIONS)]
            return [[(number, bodies.digest(number)) for number in part] for part in numbers]

        def measure(run, server):
            if run == len(prepared):
                prepared.append(prepare())
            counts, elapsed = push(server, repository, bodies, prepared[run], self.options.seconds)
            pushed = [number for part, count in zip(prepared[run], counts) for number, _ in part[:count]]
            server.blobs(repository).verify(bodies, random.sample(pushed, min(50, len(pushed))))
            return len(pushed) / elapsed

        with answering_server(PUSH_CONNECTIONS) as nobody:
            counts, elapsed = push(nobody, repository, bodies, prepare(), min(self.options.seconds, 2))
        ceiling = sum(counts) / elapsed
        line = Line(f"push blob 1 MiB, new, {PUSH_CONNECTIONS} conn.", "/s", [("docker-registry", 2.0)])
        self.alternate(line, self.everyone_with_images(), measure, GIB)
        best = max(line.median(name) or 0 for name in line.figures)
        line.note = f"the driver manages {shown(ceiling, '/s')} with a server that only answers"
        if ceiling < CEILING_FACTOR * best:
            line.note += f", which is less than {CEILING_FACTOR} times the best: it may have been the limit"

    def image_pull(self):
        bodies, numbers = Bodies(self.options.seed, PULLED), range(PULLED_BLOBS)

        def measure(_, server):
            def fill(repository):
                push_blobs(server, repository, map(bodies.body, numbers))
                server.blobs(repository).verify(bodies, numbers)

            blobs = server.blobs(self.filled(server, "pull", fill))
            digests = [bodies.digest(number) for number in numbers]
            return get_and_drop(blobs, digests, PULL_CONNECTIONS, self.options.seconds) / 1e6

        line = Line(f"pull blob 10 MiB, {PULL_CONNECTIONS} conn.", "MB/s", [("docker-registry", 1.5)])
        self.alternate(line, self.everyone_with_images(), measure)

    # Many tags

    def tagged(self, server, count):
        """The repository in which one manifest has so many tags."""
        def fill(repository):
            say(f"pushing {count:,} tags to {server.name}")
            push_blobs(server, repository, [self.image.configuration, *self.image.layers])
            manifest = self.image.manifest("tagged")
            exchange(server, (manifest_put(server, repository, f"t{tag:05}", manifest) for tag in range(count)))

        return self.filled(server, f"tags-{count}", fill)

    def image_tags(self):
        expected = [f"t{tag:05}" for tag in range(TAGS // 2, TAGS // 2 + PAGE)]
        without_pages = {}

        def measure(run, server):
            path = f"{server.base}/v2/{self.tagged(server, TAGS)}/tags/list?n={PAGE}&last=t{TAGS // 2 - 1:05}"
            with server.client() as connection:
                _, content = server.ask(connection, 200, "GET", path)
            tags = json.loads(content)["tags"]
            if tags != expected:
                if not set(expected) <= set(tags):
                    raise RowFailed(f"{server.name}: {path} has not the tags wanted: {content[:300]}")
                without_pages[server.name] = f"{server.name} has no pages and sends {len(tags):,} tags"
            return self.get_one(server, path, "application/json", TAGS_CONNECTIONS, run, content)

        line = Line(f"tag list, {PAGE:,} of {TAGS:,}, {TAGS_CONNECTIONS} conn.", "/s", [("docker-registry", 20.0)])
        self.alternate(line, self.everyone_with_images(), measure)
        line.note = ", ".join(without_pages.values())

    def image_delete(self):
        few = Line(f"DELETE manifest, {FEW_TAGS} tags", "ms")

        def measure(_, server):
            time_with_few = self.time_of_delete(server, FEW_TAGS)
            few.figures.setdefault(server.name, []).append(time_with_few)
            return self.time_of_delete(server, TAGS)

        line = Line(f"DELETE manifest, {TAGS:,} tags", "ms", limit=10)
        self.alternate(line, self.everyone_with_images(), measure)
        if few.figures:
            figures = [f"{name} {shown(few.median(name), few.unit)}" for name in few.figures]
            line.note = f"with {FEW_TAGS} tags: {', '.join(figures)}"

    def time_of_delete(self, server, tags):
        """The median of the milliseconds that one DELETE by digest takes."""
        repository, times = self.tagged(server, tags), []
        manifests = {f"d{number}": self.image.manifest(f"d{number}")
                     for number in (next(self.fresh) for _ in range(DELETES))}
        exchange(server, (manifest_put(server, repository, tag, manifest) for tag, manifest in manifests.items()))
        with server.client() as connection:
            for manifest in manifests.values():
                path = manifest_path(server, repository, digest_of(manifest))
                begin = time.perf_counter()
                server.ask(connection, 202, "DELETE", path)
                times.append((time.perf_counter() - begin) * 1e3)
            for tag, manifest in manifests.items():
                for reference in (tag, digest_of(manifest)):
                    server.ask(connection, 404, "GET", manifest_path(server, repository, reference),
                               fields={"Accept": ACCEPT})
        return statistics.median(times)

    # Many repositories

    def image_catalog(self):
        def measure(_, server):
            def fill(_):
                self.push_catalog(server)

            self.filled(server, "catalog", fill)
            times, end = [], time.monotonic() + self.options.seconds
            with server.client() as connection:
                while not times or time.monotonic() < end:
                    for page in range(REPOSITORIES // PAGE):
                        times.append(self.time_of_page(server, connection, page))
            return statistics.median(times)

        line = Line(f"catalog, {PAGE:,} of {REPOSITORIES:,} repositories", "ms", limit=10)
        self.alternate(line, self.everyone_with_images(), measure)

    def catalog_name(self, number):
        return self.repository(f"catalog/r{number:05}")

    def push_catalog(self, server):
        say(f"pushing {REPOSITORIES:,} repositories to {server.name}")
        origin, names = self.catalog_name(0), [self.catalog_name(number) for number in range(REPOSITORIES)]
        push_blobs(server, origin, [EMPTY])
        empty = descriptor(EMPTY_TYPE, EMPTY)
        manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": empty,
                               "layers": [empty]}).encode()
        exchange(server, (mount(server, name, empty["digest"], origin) for name in names[1:]))
        exchange(server, (manifest_put(server, name, "latest", manifest) for name in names))

    def time_of_page(self, server, connection, page):
        """The milliseconds that one page of the catalog takes."""
        first = page * PAGE
        last = "&last=" + urllib.parse.quote(self.catalog_name(first - 1), "") if page else ""
        path = f"{server.base}/v2/_catalog?n={PAGE}{last}"
        begin = time.perf_counter()
        _, content = server.ask(connection, 200, "GET", path)
        elapsed = (time.perf_counter() - begin) * 1e3
        names = json.loads(content)["repositories"]
        # What a server that was running before has in front of ours is its own business.
        if len(names) != PAGE or page and names != [self.catalog_name(first + number) for number in range(PAGE)]:
            raise RowFailed(f"{server.name}: {path} has not the repositories wanted: {content[:300]}")
        return elapsed
