"""The rows of the table: what each of them does to the servers, and what it counts."""

import itertools
import os
import random
import shutil
import subprocess
import threading
import time

from artifacts import ARTIFACT_NAMES, ArtifactRows
from drivers import WRK_THREADS, curl_put, exchange, get_and_drop, in_parallel, put, wrk
from images import IMAGE_NAMES, Image, ImageRows
from jobs import CLIENT_NAMES, JobRows
from retention import RETENTION_NAMES, RetentionRows
from servers import GIB, KIB, MIB, Bodies, RowFailed, Server, say, start_docker_registry, start_larder, start_nginx
from table import Line, shown
from trees import TREE_NAMES, TreeRows

CACHE_NAMES = ["get-small", "get-wide", "put-small", "get-large", "put-large"]
NAMES = [*CACHE_NAMES, *IMAGE_NAMES, "start", "memory", *RETENTION_NAMES, *TREE_NAMES, *ARTIFACT_NAMES,
         *CLIENT_NAMES]  # in the order they run in
SMALL, SMALL_CONNECTIONS = 4 * KIB, 32
NARROW, WIDE = 10_000, 160_000  # blobs; at 4 KiB each the second is ten times the hot set
LARGE, LARGE_BLOBS = 100 * MIB, 8
LARGE_PUTS = {1: 3, 4: 2}  # connections: bodies that each of them puts in one run
HUGE, HUGE_UPLOADS = GIB, 8
MILLION, MILLION_FILE_EVERY, MILLION_FILE = 1_000_000, 50, 20 * KIB
CREATIONS_PER_SECOND = 10_000  # of empty files: fewer are a sign of trouble (usual here: 40,000)
CREATION_ATTEMPTS = 14  # half a minute each
PUTS_PER_SECOND = 80_000  # so many bodies are prepared per second of a run; no server here takes more


class Benchmark(ImageRows, RetentionRows, JobRows, TreeRows, ArtifactRows):
    def __init__(self, options, work, cleanup):
        self.options, self.work, self.cleanup = options, work, cleanup
        self.lines, self.busiest, self.row = [], 0.0, None  # row: the name of the one that runs
        self.small, self.image = Bodies(options.seed, SMALL), Image(options.seed)
        self.fresh = itertools.count(1 << 24)  # numbers of large bodies
        self.client_peaks, self.server_peaks, self.hot_sets = {}, {}, {}  # MB by row, of the rows of the client
        self.next_small = 1 << 24  # below are the bodies that the GET rows read
        self.servers, self.caches, self.registries = [], [], []  # all, and those that a row of the kind measures
        if {*CACHE_NAMES, *IMAGE_NAMES} & set(options.rows):
            self.start_servers()
        if options.binary:
            self.subject = "larder"
        elif options.server:
            self.subject = options.server[0][0]
        else:
            self.subject = "docker-registry" if options.skip_nginx else "nginx"

    def start_servers(self):
        if not self.options.skip_nginx:
            nginx = self.started(start_nginx(self.work / "nginx"))
            nginx.wait_until_ready("/", range(200, 500))
            self.caches.append(nginx)
        if not self.options.skip_docker_registry:
            registry = self.started(start_docker_registry(self.work / "docker-registry"))
            registry.wait_until_ready("/v2/", [200])
            self.registries.append(registry)
        self.servers = [*self.caches, *self.registries]
        shared = [Server(name, url) for name, url in self.options.server]
        if self.options.binary:
            larder = self.started(start_larder(self.options.binary, self.work / "larder", self.work / "larder.log",
                                               self.options.larder_flags))
            larder.wait_until_ready("/healthz", [200])
            shared.insert(0, larder)
        for servers in (self.servers, self.caches, self.registries):
            servers += shared

    def started(self, server):
        self.cleanup.callback(server.stop)
        return server

    def stop_servers(self):
        """Stops what was started and gives its disk space back."""
        for server in self.servers:
            server.stop()
            if server.folder:
                shutil.rmtree(server.folder, ignore_errors=True)
        self.servers, self.caches, self.registries = [], [], []

    def alternate(self, line, contenders, measure, writes=0):
        """Runs measure(run, contender) in turn for each contender, as often as asked for.

        Each run finds memory warm (see warm_memory) for so many bytes of writes."""
        self.lines.append(line)
        for run in range(self.options.runs):
            for name, contender in contenders.items():
                if isinstance(line.figures.get(name), str):
                    continue
                os.sync()  # What the one before left unwritten is not this one's burden.
                self.warm_memory(writes)
                try:
                    figure = measure(run, contender)
                    line.figures.setdefault(name, []).append(figure)
                    say(f"{line.label}: run {run + 1}, {name}: {shown(figure, line.unit)}")
                except (RowFailed, OSError) as error:
                    line.figures[name] = str(error)
                    say(f"{line.label}: {name} FAILED: {error}")

    def warm_memory(self, size):
        """Makes the kernel's next free pages such as were in use a moment ago.

        A virtual machine may have handed free memory back to its host. Pages that it must ask for again cost a write
        into the page cache ten times as much, at random one server or the other."""
        scratch = self.work / "scratch"
        with open(scratch, "wb", buffering=0) as file:
            piece = bytes(MIB)
            for _ in range(size // MIB):
                file.write(piece)
        scratch.unlink()

    def wait_for_quick_creation(self, folder):
        """Waits until files can be created at a normal rate in the folder where a server creates its own.

        ext4 without a journal looks at every inode that was freed in the last minutes before it creates a file; a large
        store that was removed just before makes that a hundred times as slow."""
        for attempt in range(CREATION_ATTEMPTS):
            begin = time.monotonic()
            for number in range(500):
                (folder / f"probe-{attempt}-{number}").touch()
            rate = 500 / (time.monotonic() - begin)
            if rate > CREATIONS_PER_SECOND:
                return
            say(f"files are created at only {rate:,.0f}/s (many may have been deleted lately): waiting 30 s")
            time.sleep(30)
        say("creating files stays slow; measuring nevertheless")

    def everyone(self):
        return {server.name: server for server in self.caches}

    def counted(self, figures):
        self.busiest = max(self.busiest, figures["busy"])
        return figures["rate"]

    # GET, 4 KiB

    def get_small(self):
        self.get_spread(f"GET 4 KiB, {NARROW:,} blobs, 32 conn.", NARROW, 1.0)

    def get_wide(self):
        self.get_spread(f"GET 4 KiB, {WIDE:,} blobs, 32 conn.", WIDE, 0.5)

    def get_spread(self, label, count, factor):
        digests = self.work / f"digests-{count}"
        self.small.write_digests(digests, 0, count)

        def measure(run, server):
            if server.loaded < count:
                say(f"loading {count - server.loaded:,} blobs into {server.name}")
                numbers = range(server.loaded, count)
                exchange(server, (server.head("PUT", self.small.digest(number), SMALL) + self.small.body(number)
                                  for number in numbers))
                server.loaded = count
                self.small_sample(server, 0, count)
            if run == 0:
                wrk(server, "get.lua", [digests, count], SMALL_CONNECTIONS, 2)
            figures = wrk(server, "get.lua", [digests, count], SMALL_CONNECTIONS, self.options.seconds)
            if figures["bytes"] < figures["requests"] * SMALL:
                raise RowFailed(f"{server.name}: the answers were too short: {figures}")
            return self.counted(figures)

        self.alternate(Line(label, "/s", [("nginx", factor)]), self.everyone(), measure)

    def small_sample(self, server, first, count):
        server.verify(self.small, random.sample(range(first, first + count), min(50, count)))

    # PUT, 4 KiB

    def put_small(self):
        count = int(PUTS_PER_SECOND * self.options.seconds)
        digests, filler = self.work / "digests-put", self.work / "filler-put"
        filler.write_bytes(self.small.filler)
        prepared = []
        if not self.options.skip_nginx:
            self.wait_for_quick_creation(self.work / "nginx/temporary")

        def measure(run, server):
            if run == len(prepared):
                prepared.append(self.next_small)
                self.small.write_digests(digests, self.next_small, count)
                self.next_small += count
            arguments = [digests, count, prepared[run], WRK_THREADS, filler]
            figures = wrk(server, "put.lua", arguments, SMALL_CONNECTIONS, self.options.seconds)
            if figures["exhausted"]:
                raise RowFailed(f"{server.name} took all {count:,} bodies: raise PUTS_PER_SECOND")
            for thread, taken in enumerate(figures["taken"]):
                # The first request of a thread may be wrk's own test of the script, the last ones were cut off.
                first, answered = prepared[run] + thread * (count // WRK_THREADS) + 1, taken - SMALL_CONNECTIONS - 1
                self.small_sample(server, first, max(answered, 1))
            return self.counted(figures)

        self.alternate(Line("PUT 4 KiB, new, 32 conn.", "/s", [("nginx", 1.0)]), self.everyone(), measure, GIB)

    # GET and PUT, 100 MiB

    def large_bodies(self):
        if not hasattr(self, "large"):
            self.large = Bodies(self.options.seed, LARGE)
        return self.large

    def get_large(self):
        bodies = self.large_bodies()

        def measure(run, server, connections):
            while len(server.large) < LARGE_BLOBS:
                number = next(self.fresh)
                put(server, bodies, number)
                server.verify(bodies, [number])
                server.large.append(number)
            digests = [bodies.digest(number) for number in server.large]
            if self.options.large_driver == "socket":
                return get_and_drop(server, digests, connections, self.options.seconds) / 1e6
            (self.work / "digests-large").write_text("".join(digests))
            arguments = [self.work / "digests-large", len(digests)]
            figures = wrk(server, "get.lua", arguments, connections, self.options.seconds, threads=1)
            self.counted(figures)
            return figures["bytes"] / figures["microseconds"]

        for connections in (1, 8):
            line = Line(f"GET 100 MiB, {connections} conn.", "MB/s", [("nginx", 1.0)])
            self.alternate(line, self.everyone(), lambda run, server, c=connections: measure(run, server, c))

    def put_large(self):
        bodies = self.large_bodies()

        def measure(contender, connections, puts):
            server, synced = contender
            numbers = [[next(self.fresh) for _ in range(puts)] for _ in range(connections)]
            copies = [self.curl_copy(index) for index in range(connections)]

            def work(index):
                for number in numbers[index]:
                    if self.options.large_driver == "socket":
                        put(server, bodies, number)
                    else:
                        curl_put(server, bodies, number, copies[index])
                    if synced:
                        self.verify_and_sync(server.folder / "cas" / bodies.digest(number))

            elapsed = in_parallel(connections, work)
            server.verify(bodies, [random.choice(random.choice(numbers))])
            return connections * puts * LARGE / 1e6 / elapsed

        for connections, puts in LARGE_PUTS.items():
            contenders = {}
            for server in self.caches:
                contenders[server.name] = (server, False)
                if server.name == "nginx":
                    contenders["nginx+sync"] = (server, True)
            line = Line(f"PUT 100 MiB, new, {connections} conn.", "MB/s", [("nginx", 0.5), ("nginx+sync", 1.3)])
            self.alternate(line, contenders, lambda run, who, c=connections, p=puts: measure(who, c, p),
                           writes=2 * connections * puts * LARGE)

    def verify_and_sync(self, stored):
        """What a user of nginx would have to add to be as safe."""
        command = [*self.options.hash_command, stored]
        output = subprocess.run(command, capture_output=True, text=True).stdout
        if not output.startswith(stored.name) or subprocess.run(["sync", stored]).returncode:
            raise RowFailed(f"nginx stored something else, or sync failed: {output}")

    def curl_copy(self, index):
        """The file that one curl uploads."""
        copy = self.work / f"large-{index}"
        if self.options.large_driver == "tools" and not copy.exists():
            copy.write_bytes(self.large.body(0))
        return copy

    # The store with a million blobs

    def start(self):
        self.stop_servers()
        lines = [Line("start, 1,000,000 blobs", "s", limit=1.0),
                 Line("start, must evict half of them", "s", limit=1.0)]
        self.lines += lines
        if not self.with_million(lines):
            return
        store = self.options.million / "store"
        lines[0].figures["larder"] = [self.timed_start(store) for _ in range(self.options.runs)]
        copy = self.work / "evicting"
        shutil.copytree(store, copy, ignore=shutil.ignore_patterns("*.sock", "LOCK"))
        stored = sum(file.stat().st_size for file in copy.rglob("*") if file.is_file())
        os.sync()
        flags = ["--guaranteed-age", self.options.no_guaranteed_age]
        lines[1].figures["larder"] = [self.timed_start(copy, flags, max_size=f"{stored // 2 // MIB}MiB")]
        shutil.rmtree(copy)

    def timed_start(self, store, flags=(), max_size="60GiB"):
        """Seconds from starting the process to its first answer, the bytes of a blob."""
        bodies, number = million_bodies(MILLION - 2)
        begin = time.monotonic()
        server = self.started(start_larder(self.options.binary, store, self.work / "larder-start.log",
                                           [*self.options.larder_flags, *flags], max_size))
        body = server.wait_until_ready(server.prefix + bodies.digest(number), [200])
        elapsed = time.monotonic() - begin
        server.stop()
        if body != bodies.body(number):
            raise RowFailed("the first answer after start was wrong")
        say(f"first answer after {elapsed:.3f} s (--max-size {max_size})")
        return elapsed

    def with_million(self, lines):
        """Loads the store with a million blobs unless that was done; False if it is not wanted."""
        if not self.options.million or not self.options.binary:
            for line in lines:
                line.note = "needs Larder and --million DIR"
            return False
        folder, marker = self.options.million, self.options.million / "complete"
        if not marker.exists():
            say(f"loading {MILLION:,} blobs into {folder}/store")
            folder.mkdir(parents=True, exist_ok=True)
            begin = time.monotonic()
            larder = self.started(start_larder(self.options.binary, folder / "store", self.work / "larder-load.log"))
            larder.wait_until_ready("/healthz", [200])
            exchange(larder, (million_put(larder, number) for number in range(MILLION)))
            larder.stop()
            marker.write_text("the store beside this file is loaded\n")
            say(f"loaded in {time.monotonic() - begin:.0f} s")
        return True

    # Memory

    def memory(self):
        self.stop_servers()
        idle = Line("memory, idle", "MB", limit=60)
        loaded = Line("memory, 1,000,000 blobs", "MB", limit=120)
        uploads = Line("memory, 8 uploads of 1 GiB", "MB", limit=200)
        self.lines += [idle, loaded, uploads]
        if not self.options.binary:
            idle.note = loaded.note = uploads.note = "needs Larder"
            return

        larder = self.started(start_larder(self.options.binary, self.work / "memory", self.work / "larder-memory.log",
                                           self.options.larder_flags))
        larder.wait_until_ready("/healthz", [200])
        time.sleep(2)
        self.resident(idle, larder)
        self.resident(uploads, larder, peak=self.peak_during_uploads(larder))
        larder.stop()
        shutil.rmtree(larder.folder)

        if self.with_million([loaded]):
            larder = self.started(start_larder(self.options.binary, self.options.million / "store",
                                               self.work / "larder-memory.log", self.options.larder_flags))
            larder.wait_until_ready("/healthz", [200])
            exchange(larder, (larder.head("GET", bodies.digest(number)) for bodies, number in
                              map(million_bodies, random.Random(1).sample(range(MILLION), 10_000))))
            self.resident(loaded, larder)
            larder.stop()

    def resident(self, line, server, peak=None):
        """Notes the resident memory less what the hot set holds, which is on top of the limit."""
        total, hot = peak or server.memory(), server.hot_set()
        line.figures["larder"] = [total - hot]
        line.note = f"VmRSS {total:.0f} MB, of it hot set {hot:.1f}; VmHWM {server.memory('VmHWM'):.0f}"
        say(f"{line.label}: {line.note}")

    def peak_during_uploads(self, server):
        bodies = Bodies(self.options.seed, HUGE, zeros=True)
        samples, done = [], threading.Event()

        def sample():
            while not done.wait(0.1):
                samples.append(server.memory())

        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            elapsed = in_parallel(HUGE_UPLOADS, lambda number: put(server, bodies, number))
        finally:
            done.set()
            sampler.join()
        say(f"{HUGE_UPLOADS} uploads of 1 GiB took {elapsed:.1f} s")
        return max(samples)


MILLION_BODIES = {}


def million_bodies(number):
    """The bodies that blob `number` of the big store is one of: 20 KiB (a file) or 100 to 300 bytes (inline)."""
    size = MILLION_FILE if number % MILLION_FILE_EVERY == 0 else 100 + number % 201
    if size not in MILLION_BODIES:
        MILLION_BODIES[size] = Bodies("million", size)
    return MILLION_BODIES[size], number


def million_put(server, number):
    bodies, _ = million_bodies(number)
    return server.head("PUT", bodies.digest(number), bodies.size) + bodies.body(number)
