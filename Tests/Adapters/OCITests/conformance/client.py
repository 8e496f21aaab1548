"""A small HTTP/1.1 client on sockets: exact about what it sends, suspicious of what it gets."""

import json
import re
import select
import socket
import threading
from urllib.parse import urlsplit

from .runner import Failure, NoAnswer, demand, shortened

PIECE = 64 * 1024
KNOWN_CODES = (
    "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED",
    "UNSUPPORTED", "TOOMANYREQUESTS",
)


class Answer:
    """A response, and the request it answers."""

    def __init__(self, method, target, status, headers, body):
        self.method = method
        self.target = target
        self.status = status
        self.headers = headers
        self.body = body
        self.is_cut = False

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def request(self):
        return f"{self.method} {self.target}"

    def fail(self, demanded, answered=None):
        raise Failure(f"{self.request}: demanded {demanded}, answered {answered or self.summary()}")

    def summary(self):
        kind = self.header("Content-Type") or ""
        if kind.startswith(("text/", "application/json")) and self.method != "HEAD":
            return f"{self.status} {self.body[:160].decode('utf-8', 'replace')}".strip()
        return f"{self.status} with {len(self.body)} bytes of {kind}" if self.body else str(self.status)

    def expect(self, *statuses):
        if self.status not in statuses:
            self.fail(" or ".join(map(str, statuses)))
        if self.is_cut and self.status < 400:
            self.fail("a whole body", f"{self.status} and {len(self.body)} of {self.header('Content-Length')} bytes")
        return self

    def expect_header(self, name, value):
        if self.header(name) != value:
            self.fail(f"{name}: {value}", f"{self.status} with {name}: {self.header(name)}")
        return self

    def expect_body(self, body):
        if self.body != body:
            self.fail(f"a body of {len(body)} bytes as pushed", f"{len(self.body)} bytes that differ from it")
        return self

    def expect_digest(self, digest, required=False):
        """Docker-Content-Digest, if it is there (always, when required), names the content."""
        given = self.header("Docker-Content-Digest")
        if given is None and required:
            self.fail("a Docker-Content-Digest header", f"{self.status} without it")
        if given is not None and given != digest:
            self.fail(f"Docker-Content-Digest: {digest}", f"{self.status} with {given}")
        return self

    def expect_json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            self.fail("a body of JSON")

    def error_codes(self):
        """The codes of an error body; fails unless the body has the form of the specification."""
        kind = (self.header("Content-Type") or "").split(";")[0].strip().lower()
        if kind != "application/json":
            self.fail("an error of Content-Type application/json", f"{self.summary()} of Content-Type {kind or 'none'}")
        value = self.expect_json()
        errors = value.get("errors") if isinstance(value, dict) else None
        if not isinstance(errors, list) or not errors:
            self.fail('a body {"errors":[…]} with at least one error')
        for error in errors:
            if not isinstance(error, dict) or not re.fullmatch(r"[A-Z_]+", str(error.get("code", ""))):
                self.fail("errors with a code of upper-case letters")
            if not isinstance(error.get("message", ""), str):
                self.fail("errors whose message is a string")
        return [error["code"] for error in errors]

    def expect_error(self, status, *codes):
        """One of the statuses and an OCI error with one of the codes first; without codes, any of the specification."""
        statuses = (status,) if isinstance(status, int) else status
        wish = f"{' or '.join(map(str, statuses))} with code {' or '.join(codes) or 'of the specification'}"
        if self.status not in statuses or self.error_codes()[0] not in (codes or KNOWN_CODES):
            self.fail(wish)
        return self


class Connection:
    """One connection; `exchange` may be called again while `alive`."""

    def __init__(self, host, port, timeout):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.reader = self.socket.makefile("rb")
        self.alive = True
        self.exchanges = 0
        self.answered = False

    def close(self):
        self.alive = False
        self.reader.close()
        self.socket.close()

    def exchange(self, method, target, headers, body, chunked):
        self.answered = False
        self.exchanges += 1
        sent = self.send(head_of(method, target, headers), *pieces_of(body, chunked))
        answer = self.receive(method, target)
        if not sent or (answer.header("Connection") or "").lower() == "close":
            self.close()
        return answer

    def send(self, *parts):
        """Sends all, or stops at the first sign of an answer; returns whether all went out."""
        for part in parts:
            rest = memoryview(part)
            while len(rest) > 0:
                readable, writable, _ = select.select([self.socket], [self.socket], [], self.timeout)
                if readable and len(parts) > 1:
                    return False
                if not readable and not writable:
                    raise NoAnswer(f"the registry took no more bytes for {self.timeout} s")
                try:
                    rest = rest[self.socket.send(rest[:PIECE]):]
                except (BrokenPipeError, ConnectionResetError):
                    return False
        return True

    def receive(self, method, target):
        try:
            status, headers = self.receive_head()
            while 100 <= status < 200:
                status, headers = self.receive_head()
            answer = Answer(method, target, status, headers, b"")
            answer.body = self.receive_body(answer)
            return answer
        except socket.timeout:
            raise NoAnswer(f"{method} {shortened(target)}: nothing came for {self.timeout} s") from None
        except (ConnectionResetError, ValueError) as error:
            raise NoAnswer(f"{method} {shortened(target)}: {error}") from None

    def receive_head(self):
        line = self.reader.readline(PIECE)
        if not line:
            raise NoAnswer("the registry closed the connection without an answer")
        self.answered = True
        match = re.fullmatch(rb"HTTP/1\.[01] (\d{3})(?: .*)?\r\n", line)
        if match is None:
            raise NoAnswer(f"instead of a status line came {line[:80]!r}")
        headers = []
        while True:
            line = self.reader.readline(PIECE)
            if line == b"\r\n":
                return int(match[1]), headers
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or not line.endswith(b"\r\n"):
                raise NoAnswer(f"instead of a header came {line[:80]!r}")
            headers.append((name, value.strip()))

    def receive_body(self, answer):
        if answer.method == "HEAD":
            # The request asked for a closed connection, so whatever comes now would be a body.
            body = self.reader.read()
            self.close()
            return body
        if answer.status in (204, 304):
            return b""
        if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
            return self.receive_chunks()
        length = answer.header("Content-Length")
        if length is None:
            self.alive = False
            return self.reader.read()
        body = self.reader.read(int(length))
        if len(body) < int(length):
            # Whether that matters is for the test to say: of a refusal only the status may be of interest.
            answer.is_cut = True
            self.close()
        return body

    def receive_chunks(self):
        body = b""
        while True:
            size = int(self.reader.readline(PIECE).split(b";")[0], 16)
            if size == 0:
                while self.reader.readline(PIECE) not in (b"\r\n", b""):
                    pass
                return body
            data = self.reader.read(size)
            body += data
            if len(data) < size:
                raise NoAnswer(f"the connection ended after {len(body)} bytes of the body")
            demand(self.reader.readline(PIECE) == b"\r\n", "a chunk of a body is longer than it says")


def head_of(method, target, headers):
    lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def pieces_of(body, chunked):
    if not chunked:
        return [body] if body else []
    pieces = [body[start:start + PIECE] for start in range(0, len(body), PIECE)]
    framed = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return framed + [b"0\r\n\r\n"]


class Client:
    """Requests to one registry. Every thread has a connection of its own."""

    def __init__(self, host, port, timeout):
        self.host = host
        self.port = port
        self.timeout = timeout
        self.local = threading.local()
        self.watchers = []

    @property
    def authority(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def connect(self):
        return Connection(self.host, self.port, self.timeout)

    def request(self, method, target, headers=(), body=None, chunked=False):
        """Sends a request and reads its answer; GET and HEAD follow redirects."""
        answer = self.exchange(method, target, list(headers), body, chunked)
        for _ in range(5):
            if method not in ("GET", "HEAD") or answer.status not in (301, 302, 303, 307, 308):
                return answer
            answer = self.exchange(method, self.location(answer), list(headers), None, False)
        raise NoAnswer(f"{method} {shortened(target)}: more than five redirects")

    def exchange(self, method, target, headers, body, chunked):
        complete = [("Host", self.authority)] + headers
        if chunked:
            complete.append(("Transfer-Encoding", "chunked"))
        elif body is not None or method in ("POST", "PUT", "PATCH"):
            complete.append(("Content-Length", str(len(body or b""))))
        if method == "HEAD":
            complete.append(("Connection", "close"))
        answer = self.attempt(method, target, complete, body or b"", chunked)
        for watcher in self.watchers:
            watcher(answer)
        return answer

    def attempt(self, method, target, headers, body, chunked):
        """One exchange; a kept connection that the registry has closed meanwhile is replaced once."""
        kept = getattr(self.local, "connection", None)
        if kept is not None and kept.alive:
            try:
                return kept.exchange(method, target, headers, body, chunked)
            except (NoAnswer, OSError):
                kept.close()
                if kept.answered:
                    raise
        connection = self.connect()
        self.local.connection = connection
        try:
            return connection.exchange(method, target, headers, body, chunked)
        except (NoAnswer, OSError):
            connection.close()
            raise

    def location(self, answer):
        """The path and query of the Location of an answer."""
        location = answer.header("Location")
        if not location:
            answer.fail("a Location", f"{answer.status} without it")
        parts = urlsplit(location)
        if parts.netloc and parts.netloc != self.authority:
            answer.fail(f"a Location at {self.authority}", f"{answer.status} with {location}")
        path = parts.path
        if not path.startswith("/"):
            path = answer.target.split("?")[0].rpartition("/")[0] + "/" + path
        return path + (f"?{parts.query}" if parts.query else "")
