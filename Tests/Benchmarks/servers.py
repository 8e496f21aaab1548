"""What is measured: bodies to store, and the servers that store them."""

import contextlib
import copy
import hashlib
import http.client
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import time
import urllib.parse

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent
TAG = 16  # bytes at the end of every body that make it unlike the others
PATIENCE = 120  # seconds to wait for a server's answer, start or stop


class RowFailed(Exception):
    """A row that could not be measured: wrong answers, socket errors, a server that did not start."""


def fail(reason):
    raise RowFailed(reason)


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bodies:
    """Bodies of one size: a seeded filler, then the body's number as 16 hexadecimal digits.

    So the digest of one more body takes a microsecond, and put.lua can build the body itself."""

    def __init__(self, seed, size, zeros=False):
        self.size = size
        self.filler = bytes(size - TAG) if zeros else random.Random(f"{seed} {size}").randbytes(size - TAG)
        self.state = hashlib.sha256(self.filler)

    @staticmethod
    def tag(number):
        return b"%016x" % number

    def digest(self, number):
        state = self.state.copy()
        state.update(self.tag(number))
        return state.hexdigest()

    def body(self, number):
        return self.filler + self.tag(number)

    def write_digests(self, path, first, count):
        with open(path, "w") as file:
            file.writelines(self.digest(number) for number in range(first, first + count))


class Server:
    """Something that takes PUT and GET on <base>/cas/<digest>, or is an OCI registry on <base>/v2/, or both."""

    def __init__(self, name, base, process=None, log=None, folder=None):
        address = urllib.parse.urlsplit(base)
        self.name, self.process, self.log, self.folder = name, process, log, folder
        self.host, self.port = address.hostname, address.port or 80
        self.authority = f"{self.host}:{self.port}"
        self.base = address.path.rstrip("/")
        self.prefix = self.base + "/cas/"
        self.loaded = 0  # small bodies that are in the store
        self.large = []  # numbers of the large bodies that are in the store
        self.repositories = set()  # those of the registry that hold what their row needs

    @property
    def url(self):
        return f"http://{self.authority}{self.prefix}"

    def blobs(self, repository):
        """The same server seen as one that has the blobs of a repository of its registry on <prefix><digest>."""
        view = copy.copy(self)
        view.prefix = f"{self.base}/v2/{repository}/blobs/sha256:"
        return view

    def connect(self):
        connection = socket.create_connection((self.host, self.port), timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def head(self, method, digest, length=None):
        fields = "" if length is None else f"Content-Length: {length}\r\n"
        return f"{method} {self.prefix}{digest} HTTP/1.1\r\nHost: {self.authority}\r\n{fields}\r\n".encode()

    def client(self):
        """A connection that understands every kind of answer, closed at the end of its `with`."""
        return contextlib.closing(http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE))

    def get(self, path):
        """The status and body of one GET on a connection of its own."""
        with self.client() as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def ask(self, connection, wanted, method, path, body=None, fields=()):
        """One request on what client() gave, which must be answered with status `wanted`; the answer's fields, body."""
        try:
            connection.request(method, path, body, dict(fields))
            answer = connection.getresponse()
            content = answer.read()
        except http.client.HTTPException as error:
            raise RowFailed(f"{self.name}: {method} {path}: {error!r}") from None
        if answer.status != wanted:
            raise RowFailed(f"{self.name} answered {method} {path} with {answer.status}: {content[:200]}")
        return answer.headers, content

    def verify(self, bodies, numbers):
        """Reads blobs back and compares every byte (by digest)."""
        for number in numbers:
            status, body = self.get(self.prefix + bodies.digest(number))
            if status != 200 or len(body) != bodies.size or hashlib.sha256(body).hexdigest() != bodies.digest(number):
                raise RowFailed(f"{self.name}: body {number} of {bodies.size} bytes came back with status {status} and"
                                f" {len(body)} bytes")

    def wait_until_ready(self, path, wanted):
        """Polls until a GET of `path` is answered with a status in `wanted`; returns that answer's body."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process and self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, body = self.get(path)
                if status in wanted:
                    return body
            time.sleep(0.002)
        raise RowFailed(f"{self.name} did not answer GET {path}; the end of its log:\n{tail(self.log)}")

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RowFailed(f"{self.name} did not stop within {PATIENCE} s of SIGTERM") from None

    def memory(self, field="VmRSS"):
        """Resident memory in MB (10^6 bytes)."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) * KIB / 1e6

    def hot_set(self):
        """What the hot set holds in MB, as /metrics tells it; 0 if it does not."""
        _, text = self.get("/metrics")
        found = re.findall(r"^\w*hot_?set\w*bytes\w*(?:\{[^}]*\})? ([0-9.eE+]+)$", text.decode(), re.M | re.I)
        return sum(map(float, found)) / 1e6


def tail(path, characters=1500):
    return path.read_text(errors="replace")[-characters:] if path and path.exists() else "(no log)"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def larder_binary():
    if binary := os.environ.get("LARDER_BINARY"):
        return binary
    say("building larder (release)")
    command = ["swift", "build", "-c", "release", "--product", "larder"]
    subprocess.run(command, cwd=CHECKOUT, check=True, stdout=sys.stderr)
    return str(CHECKOUT / ".build/release/larder")


def start_larder(binary, folder, log, more=(), max_size="60GiB"):
    port = free_port()
    command = [binary, "serve", "--data-dir", folder, "--listen", f"127.0.0.1:{port}", "--max-size", max_size, *more]
    # Nothing of the caller's settings: all rows are measured with the defaults.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LARDER_")}
    with open(log, "ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
    return Server("larder", f"http://127.0.0.1:{port}", process, log, pathlib.Path(folder))


NGINX = """{user}
worker_processes 2;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_buffer_size 128k;
    client_body_temp_path {folder}/temporary;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            root {folder}/root;
            dav_methods PUT DELETE MKCOL;
            create_full_put_path on;
        }}
    }}
}}
"""


def start_nginx(folder):
    folder.mkdir(parents=True)
    (folder / "root/cas").mkdir(parents=True)
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, user="user root;" if os.geteuid() == 0 else ""))
    log = folder / "error.log"
    process = subprocess.Popen(["nginx", "-c", str(configuration), "-e", str(log)], stdin=subprocess.DEVNULL)
    return Server("nginx", f"http://127.0.0.1:{port}", process, log, folder / "root")


DOCKER_REGISTRY = """version: 0.1
log: {{ level: error, accesslog: {{ disabled: true }} }}
storage:
  filesystem: {{ rootdirectory: {folder}/store }}
  cache: {{ blobdescriptor: inmemory }}
  delete: {{ enabled: true }}
  maintenance: {{ uploadpurging: {{ enabled: false }} }}
http: {{ addr: "127.0.0.1:{port}", secret: benchmark }}
"""


def start_docker_registry(folder):
    folder.mkdir(parents=True)
    port = free_port()
    configuration, log = folder / "config.yml", folder / "log"
    configuration.write_text(DOCKER_REGISTRY.format(folder=folder, port=port))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("REGISTRY_")}
    with open(log, "ab") as output:
        process = subprocess.Popen(["docker-registry", "serve", configuration], stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=output, env=environment)
    return Server("docker-registry", f"http://127.0.0.1:{port}", process, log, folder / "store")
