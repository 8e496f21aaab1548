"""The rows of retention: planning for many images, pruning beside clients that read, and what that frees."""

import contextlib
import csv
import http.client
import io
import json
import math
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time
import urllib.parse

from drivers import exchange
from images import ACCEPT, IMAGE_MANIFEST, LAYER, descriptor, digest_of, manifest_path, manifest_put, push_blobs
from servers import MIB, PATIENCE, Bodies, RowFailed, fail, say, start_larder
from table import Line, shown

RETENTION_NAMES = ["retention-plan", "retention-prune", "retention-freed"]
IMAGES, TAGS_EACH, KEPT = 100_000, 3, 50_000
READ_CONNECTIONS = 8
READ_MARGIN = 1000  # so many of the oldest images that stay are not read: the order of pushes decides which stay
LOSS, LATENCY, LATENCY_FACTOR = 2, 10, 3  # percent; ms, and that many times what it is on the idle server
HEY_RECORDS = 1_000_000  # answers that one hey keeps
RUN_PATIENCE = 900  # seconds to wait for the end of a run
FREED_IMAGES, FREED_KEPT, FREED_GROUP = 400, 100, 8  # so many images in a row share a layer
FREED_WITHIN = 60  # seconds after the run


def rule(tag_status, **selection):
    return {"tagStatus": tag_status, **selection}


def count(number):
    return {"countType": "imageCountMoreThan", "countNumber": number}


def days(number, kind="sinceImagePushed"):
    return {"countType": kind, "countNumber": number, "countUnit": "days"}


SELECTIONS = [
    rule("tagged", tagPatternList=["v*.0.0"], **count(1000)),
    rule("tagged", tagPatternList=["v*", "main-*0"], **count(2000)),
    rule("tagged", tagPatternList=["release-*.12-*"], **count(1500)),
    rule("tagged", tagPatternList=["*-1*-*9"], **days(3650)),
    rule("tagged", tagPrefixList=["release-2025"], **count(2500)),
    rule("tagged", tagPrefixList=["release-2024", "main-9"], **days(365)),
    rule("tagged", tagPrefixList=["pr-1"], **days(90)),
    rule("tagged", tagPrefixList=["sha-00"], **count(300)),
    rule("tagged", include={"tags": ["release-*", "v1*"]}, exclude={"tags": ["*-0", "*-1"]}, **count(15_000)),
    rule("tagged", include={"tags": ["pr-*"]}, exclude={"tags": ["pr-*-9"]}, keepAtLeast=100, **days(180)),
    rule("tagged", include={"tags": [r"/^v\d+\.\d+\.0$/"]}, orderBy="version", **count(1000)),
    rule("tagged", include={"tags": ["/^sha-[0-9a-f]*(?:dead|beef)/"]}, **days(30)),
    rule("tagged", include={"tags": ["v*"]}, orderBy="version", **count(25_000)),
    rule("tagged", include={"tags": ["v*.1"]}, orderBy="version", keepAtLeast=50, **days(60)),
    rule("any", groupBy={"tag": r"^pr-(\d+)-\d+$"}, **count(8)),
    rule("any", groupBy={"tag": r"^v(\d+)\."}, keepAtLeast=100, **days(30)),
    rule("any", groupBy={"tag": r"^release-(\d+\.\d+)-"}, **count(400)),
    rule("any", exclude={"tags": ["v*", "release-*"]}, orderBy="lastUse", keepAtLeast=1000,
         **days(400, "sinceImagePulled")),
    rule("untagged", **days(7, "sinceImageUntagged")),
    rule("any", **count(95_000)),
]


def policy(*selections):
    rules = [{"rulePriority": number, "selection": selection, "action": {"type": "expire"}}
             for number, selection in enumerate(selections, 1)]
    return json.dumps({"version": 1, "rules": rules}).encode()


def tags_of(number, digest):
    """Three tags as builds give them: one that counts, one that names the commit, one of a branch or version."""
    kind, index = number % 3, number // 3
    third = [f"pr-{index // 10}-{index % 10}",
             f"v{index // 1000}.{index // 20 % 50}.{index % 20}",
             f"release-{2020 + index // 6000}.{index // 500 % 12 + 1:02}-{index % 500}"][kind]
    return [f"main-{number}", f"sha-{digest.removeprefix('sha256:')[:12]}", third]


class SocketConnection(http.client.HTTPConnection):
    """A client of the server behind a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=RUN_PATIENCE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Received:
    """What came from a socket, for http.client to take apart."""

    def __init__(self, content):
        self.content = content

    def makefile(self, _):
        return io.BytesIO(self.content)


class Administrator:
    """Asks a server's API what only the user who runs it may ask."""

    def __init__(self, server):
        self.server, self.path = server, server.folder / "larder.sock"

    def ask(self, method, path, body=None, wanted=200):
        """The JSON that the answer holds."""
        with contextlib.closing(SocketConnection(self.path)) as connection:
            _, content = self.server.ask(connection, wanted, method, f"/api/v1/{path}", body)
        try:
            return json.loads(content)
        except ValueError:
            raise RowFailed(f"{self.server.name} answered {method} {path} without JSON: {content[:200]}") from None

    def used_bytes(self):
        return member(member(self.ask("GET", "status"), "space"), "usedBytes")

    def prune(self, repository, text):
        """Sets a policy and applies it; the record of the run."""
        self.ask("PUT", f"policies/{repository}", text)
        return self.ask("POST", f"prunes/{repository}")

    def preview(self, repository, text):
        """The fields and the body of a preview, and the seconds to its first and to its last byte.

        Everything is received before any of it is looked at, so that this program sets no pace."""
        request = (f"POST /api/v1/previews/{repository} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                   f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n").encode() + text
        pieces, first, last = [], None, None
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self.path))
            begin = time.perf_counter()
            connection.sendall(request)
            while piece := connection.recv(MIB):
                last = time.perf_counter() - begin
                first = first or last
                pieces.append(piece)
        answer = http.client.HTTPResponse(Received(b"".join(pieces)))
        try:
            answer.begin()
            content = answer.read()
        except http.client.HTTPException as error:
            raise RowFailed(f"{self.server.name}: preview of {repository}: {error!r}") from None
        if answer.status != 200:
            raise RowFailed(f"{self.server.name} answered the preview of {repository} with {answer.status}:"
                            f" {content[:300]}")
        return answer.headers, content, first, last


def member(answer, name):
    if not isinstance(answer, dict) or name not in answer:
        raise RowFailed(f"an answer has no {name}: {str(answer)[:300]}")
    return answer[name]


def server_timing(fields):
    """The durations of a Server-Timing field in seconds, by name."""
    found = re.findall(r"([\w-]+)\s*;\s*dur=([0-9.]+)", fields.get("Server-Timing", ""))
    return {name: float(duration) / 1e3 for name, duration in found}


class Heys:
    """Some hey at once, each with one address, which is all that one can be given, and one connection.

    `rate`: Of all together, per second; None: as fast as they can. They run until stop()."""

    def __init__(self, urls, rate, folder):
        self.urls, self.folder, self.running = urls, folder, []
        self.rate, self.limit = None, []
        if rate is not None:
            # hey waits for whole microseconds: a quotient a little above them is cut off to what is meant.
            microseconds = max(round(len(urls) * 1e6 / rate), 1)
            self.rate = len(urls) * 1e6 / microseconds
            self.limit = ["-q", f"{1e6 / (microseconds + 0.5):.6f}"]

    def __enter__(self):
        command = ["hey", "-c", "1", "-cpus", "1", "-z", "24h", "-o", "csv", "-disable-compression", "-A", ACCEPT]
        try:
            for number, url in enumerate(self.urls):
                path = self.folder / f"hey-{number}.csv"
                with open(path, "wb") as output:
                    begin = time.monotonic()
                    process = subprocess.Popen([*command, *self.limit, url], stdin=subprocess.DEVNULL, stdout=output,
                                               stderr=subprocess.STDOUT)
                self.running.append((process, begin, path))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process, _, _ in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()

    def stop(self):
        """Ends them; when each answered request began (by time.monotonic()) and the seconds that it took."""
        for process, _, _ in self.running:
            process.send_signal(signal.SIGINT)
        requests = []
        for process, begin, path in self.running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                raise RowFailed(f"hey did not stop within {PATIENCE} s") from None
            requests += self.read(path, begin)
        return requests

    def read(self, path, begin):
        try:
            with open(path, newline="") as file:
                rows = [(float(row["offset"]), float(row["response-time"]), row["status-code"])
                        for row in csv.DictReader(file)]
        except (KeyError, TypeError, ValueError):
            raise RowFailed(f"hey printed something else: {path.read_text(errors='replace')[:300]}") from None
        if not rows:
            raise RowFailed("hey got no answer")
        if len(rows) >= HEY_RECORDS:
            raise RowFailed(f"hey keeps no more than {HEY_RECORDS:,} answers, which was not enough")
        if wrong := {status for _, _, status in rows} - {"200"}:
            raise RowFailed(f"hey was answered with {', '.join(sorted(wrong))}")
        return [(begin + offset, seconds) for offset, seconds, _ in rows]


class Reading:
    """What of some requests began within a time: how many per second, and how long they took."""

    def __init__(self, requests, begin, end):
        times = sorted(seconds for moment, seconds in requests if begin <= moment < end)
        if not times:
            raise RowFailed("no request was made in the time that counts")
        self.rate = len(times) / (end - begin)
        self.p99 = times[math.ceil(len(times) * 0.99) - 1] * 1e3
        self.longest = times[-1] * 1e3

    def loss(self, asked):
        """Percent of the rate asked for that is missing."""
        return max(0.0, (1 - self.rate / asked) * 100)

    def __str__(self):
        return f"{self.rate:,.0f}/s, 99th percentile {self.p99:.1f} ms, longest {self.longest:.0f} ms"


class RetentionRows:
    """The part of Benchmark that is about retention."""

    stocked = None  # the server that holds many images, and their repository

    def stock(self):
        """A server, started anew after many images were pushed to it, and their repository."""
        if self.stocked:
            return self.stocked
        self.stop_servers()
        folder, repository = self.work / "retention", self.repository("retention")
        shutil.rmtree(folder, ignore_errors=True)  # of a row that failed
        larder = self.start_retention(folder)
        say(f"pushing {IMAGES:,} images with {IMAGES * TAGS_EACH:,} tags")
        begin = time.monotonic()
        try:
            push_blobs(larder, repository, [self.image.configuration, *self.image.layers])
            exchange(larder, (self.tagged_put(larder, repository, number) for number in range(IMAGES)))
            stored = member(Administrator(larder).ask("GET", f"repositories/{repository}"), "entryCount")
        finally:
            larder.stop()
        if stored != IMAGES:
            raise RowFailed(f"larder says that it has {stored:,} images of {IMAGES:,}")
        say(f"pushed in {time.monotonic() - begin:.0f} s")
        self.stocked = self.start_retention(folder), repository
        return self.stocked

    def start_retention(self, folder, flags=()):
        larder = self.started(start_larder(self.options.binary, folder, self.work / f"larder-{folder.name}.log",
                                           [*self.options.larder_flags, *flags]))
        larder.wait_until_ready("/healthz", [200])
        return larder

    def tagged_put(self, server, repository, number):
        manifest = self.image.manifest(str(number))
        digest = digest_of(manifest)
        tags = "&".join(f"tag={tag}" for tag in tags_of(number, digest))
        return manifest_put(server, repository, f"{digest}?{tags}", manifest)

    def needs_larder(self, lines):
        """Whether there is a Larder to start; else the lines say so."""
        if not self.options.binary:
            self.lines += lines
            for line in lines:
                line.note = "needs Larder"
        return bool(self.options.binary)

    # Planning

    def retention_plan(self):
        line = Line(f"plan, {IMAGES:,} images, {len(SELECTIONS)} rules", "s", limit=1.0)
        memory = Line("plan, peak memory", "MB", limit=200)
        if not self.needs_larder([line, memory]):
            return
        larder, repository = self.stock()
        administrator, text, timings = Administrator(larder), policy(*SELECTIONS), []
        before, removed = larder.memory(), 0

        def measure(run, _):
            nonlocal removed
            fields, content, first, last = administrator.preview(repository, text)
            timing = server_timing(fields) | {"first byte": first, "last byte": last}
            timings.append(timing)
            if run == 0:
                removed = check_preview(content)
            return timing.get("plan", first)

        self.alternate(line, {"larder": larder}, measure)
        self.lines.append(memory)
        if not timings:
            memory.note = "there was no preview"
            return
        self.resident(memory, larder, peak=larder.memory("VmHWM"))
        memory.note += f"; before the previews VmRSS {before:.0f}"
        parts = [(name, statistics.median(timing.get(name, math.nan) for timing in timings))
                 for name in ("read", "plan", "first byte", "last byte")]
        line.note = ", ".join(f"{name} {shown(seconds, 's')}" for name, seconds in parts if not math.isnan(seconds))
        line.note += f"; {removed:,} images would go"
        if "plan" not in timings[0]:
            line.note += "; no Server-Timing tells of the plan alone, so this is the time to the first byte"

    # Pruning

    def retention_prune(self):
        lost = Line(f"GETs during a prune of {IMAGES - KEPT:,}, lost", "%", limit=LOSS)
        slowest = Line("GETs during it, 99th percentile", "ms", limit=LATENCY)
        if not self.needs_larder([lost, slowest]):
            return
        self.lines += [lost, slowest]
        larder, repository = self.stock()
        administrator = Administrator(larder)
        try:
            # Spread over those that stay, without the oldest of them.
            step = (KEPT - READ_MARGIN) // READ_CONNECTIONS
            numbers = [IMAGES - 1 - step * index for index in range(READ_CONNECTIONS)]
            paths = [manifest_path(larder, repository, f"main-{number}") for number in numbers]
            asked, idle, note = self.idle_reading(larder, paths, self.image.manifest(str(numbers[0])))
            say(f"GETs of manifests by tag: {note}; idle: {idle}")
            with self.heys(larder, paths, asked) as heys:
                time.sleep(2)
                begin = time.monotonic()
                run = administrator.prune(repository, policy(rule("any", **count(KEPT))))
                end = time.monotonic()
                time.sleep(0.5)
                busy = Reading(heys.stop(), begin, end)
            self.check_prune(larder, repository, run)
        finally:
            self.stocked = None  # half of it is hidden
            larder.stop()
            shutil.rmtree(larder.folder, ignore_errors=True)
        say(f"while pruning: {busy}")
        slowest.limit = max(LATENCY, LATENCY_FACTOR * idle.p99)
        lost.figures["larder"], slowest.figures["larder"] = [busy.loss(asked)], [busy.p99]
        lost.note = (f"{note}; idle {idle.rate:,.0f}/s, lost {idle.loss(asked):.2f} %;"
                     f" during the prune {busy.rate:,.0f}/s, lost {busy.loss(asked):.2f} %")
        slowest.note = (f"idle {idle.p99:.1f} ms, longest during the prune {busy.longest:.0f} ms; the prune took"
                        f" {shown(end - begin, 's')}, plannedBytes {member(run, 'plannedBytes'):,}")

    def heys(self, server, paths, rate):
        return Heys([f"http://{server.authority}{path}" for path in paths], rate, self.work)

    def idle_reading(self, server, paths, manifest):
        """Half of the best rate, what GETs at that rate are like on the idle server, and how it was found.

        hey needs far more of the processor than wrk. If it does not manage that rate on the idle server either, half of
        what it manages is asked for."""
        best = self.get_one(server, paths[0], ACCEPT, len(paths), 0, manifest)
        asked, idle = self.read_idle(server, paths, best / 2)
        if idle.loss(asked) <= LOSS:
            return asked, idle, f"asked {asked:,.0f}/s, half of the best {best:,.0f}/s (by wrk)"
        _, unlimited = self.read_idle(server, paths, None)
        note = f"hey got {idle.rate:,.0f}/s of {asked:,.0f}/s, half of wrk's best, from the idle server"
        asked, idle = self.read_idle(server, paths, unlimited.rate / 2)
        return asked, idle, f"asked {asked:,.0f}/s, half of hey's own best {unlimited.rate:,.0f}/s, because {note}"

    def read_idle(self, server, paths, rate):
        with self.heys(server, paths, rate) as heys:
            time.sleep(1)
            begin = time.monotonic()
            time.sleep(self.options.seconds)
            end = time.monotonic()
            time.sleep(0.2)
            return heys.rate, Reading(heys.stop(), begin, end)

    def check_prune(self, server, repository, run):
        considered, removed = member(run, "considered"), member(run, "removed")
        if (considered, removed) != (IMAGES, IMAGES - KEPT):
            raise RowFailed(f"the run looked at {considered:,} images and removed {removed:,}: {run.get('note')}")
        with server.client() as connection:
            for wanted, number in ((404, 0), (200, IMAGES - 1)):
                server.ask(connection, wanted, "GET", manifest_path(server, repository, f"main-{number}"),
                           fields={"Accept": ACCEPT})

    # What is free afterwards

    def retention_freed(self):
        status = Line("freed, planned less what status tells", "B", limit=0)
        files = Line("freed, planned less files in blobs/", "B", limit=0)
        if not self.needs_larder([status, files]):
            return
        self.lines += [status, files]
        self.stop_servers()
        # Nothing is kept for an undo, and every blob is a file.
        larder = self.start_retention(self.work / "retention-freed", ["--undo-time", "0s", "--unreferenced-age", "0s", "--inline-limit", "0"])
        administrator, repository = Administrator(larder), self.repository("freed")
        expected = self.push_files(larder, repository)
        blobs = larder.folder / "blobs"
        used_before, size_before = administrator.used_bytes(), size_of_files(blobs)
        run = administrator.prune(repository, policy(rule("any", **count(FREED_KEPT))))
        removed, planned = member(run, "removed"), member(run, "plannedBytes")
        if (removed, planned) != (FREED_IMAGES - FREED_KEPT, expected):
            raise RowFailed(f"the run removed {removed:,} images and planned {planned:,} bytes, where"
                            f" {FREED_IMAGES - FREED_KEPT:,} and {expected:,} were wanted: {run.get('note')}")
        begin = time.monotonic()
        while True:
            elapsed = time.monotonic() - begin
            used, size = used_before - administrator.used_bytes(), size_before - size_of_files(blobs)
            if used == size == planned or elapsed > FREED_WITHIN:
                break
            time.sleep(0.2)
        runs = administrator.ask("GET", f"runs?repository={urllib.parse.quote(repository, '')}")
        told = member(runs[0], "freedBytes") if isinstance(runs, list) and runs else fail("larder lists no run")
        larder.stop()
        shutil.rmtree(larder.folder, ignore_errors=True)
        status.figures["larder"], files.figures["larder"] = [abs(planned - used)], [abs(planned - size)]
        status.note = f"planned {planned:,}, status {used:,}; freedBytes of the run says {told:,}"
        files.note = f"planned {planned:,}, files {size:,}, looked at until {elapsed:.1f} s after the run"
        say(f"{status.note}; {files.note}")

    def push_files(self, server, repository):
        """Pushes images one after the other; the bytes that go with those that the policy removes.

        Each has a layer of its own, one that it shares with its neighbours, and one that all have."""
        layers = Bodies(f"{self.options.seed} freed", LAYER)
        everywhere, groups = layers.body(0), range(math.ceil(FREED_IMAGES / FREED_GROUP))
        shared = [layers.body(1 + group) for group in groups]
        say(f"pushing {FREED_IMAGES} images whose blobs are files")
        push_blobs(server, repository, [everywhere, *shared])
        manifests, free = [], 0
        for number in range(FREED_IMAGES):
            own, configuration = layers.body(1 << 20 | number), json.dumps({"number": number}).encode()
            push_blobs(server, repository, [own, configuration])
            manifest = json.dumps({
                "schemaVersion": 2,
                "mediaType": IMAGE_MANIFEST,
                "config": descriptor("application/vnd.oci.image.config.v1+json", configuration),
                "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)
                           for layer in (everywhere, shared[number // FREED_GROUP], own)],
            }).encode()
            manifests.append(manifest)
            if number < FREED_IMAGES - FREED_KEPT:
                free += len(own) + len(configuration) + len(manifest)
        exchange(server, (manifest_put(server, repository, f"v{number}", manifest)
                          for number, manifest in enumerate(manifests)), connections=1)
        whole_groups = (FREED_IMAGES - FREED_KEPT) // FREED_GROUP
        return free + whole_groups * LAYER


def check_preview(content):
    """Whether every image and tag is in a preview, and its sums are right; how many images would go."""
    try:
        *entries, last = map(json.loads, content.splitlines())
        found = len(entries), sum(len(entry["tags"]) for entry in entries)
        removed = sum(entry["decision"] == "removed" for entry in entries)
        told = last["summary"]["entries"], last["summary"]["removed"]
    except (ValueError, KeyError, TypeError) as error:
        raise RowFailed(f"the preview is not as it should be ({error!r}); its end: {content[-300:]}") from None
    if found != (IMAGES, IMAGES * TAGS_EACH) or told != (IMAGES, removed):
        raise RowFailed(f"the preview has {found[0]:,} images with {found[1]:,} tags, and {removed:,} images to be"
                        f" removed; its sums are {told}")
    return removed


def size_of_files(folder):
    """Bytes of all files below a folder, without those that vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total
