"""What loads the servers: wrk with the Lua scripts beside this file, curl, and sockets of our own."""

import contextlib
import itertools
import json
import multiprocessing
import os
import pathlib
import re
import resource
import select
import socket
import subprocess
import threading
import time

from servers import KIB, MIB, PATIENCE, RowFailed, Server, fail

HERE = pathlib.Path(__file__).resolve().parent
WRK_THREADS = 2


def exchange(server, requests, connections=64):
    """Sends all requests over some connections, one at a time on each, and returns how many there were.

    Every answer must be 2xx. This fills stores; what is timed has faster drivers."""
    requests, total = iter(requests), 0
    poll, waiting = select.epoll(), {}
    try:
        for request in itertools.islice(requests, connections):
            connection = server.connect()
            connection.sendall(request)
            waiting[connection.fileno()] = (connection, b"")
            poll.register(connection.fileno(), select.EPOLLIN)
        while waiting:
            for number, _ in poll.poll():
                connection, received = waiting[number]
                piece = connection.recv(256 * KIB)
                received += piece
                if not piece:
                    raise RowFailed(f"{server.name} closed a connection after {total} answers")
                if missing_bytes(server, received) > 0:
                    waiting[number] = (connection, received)
                    continue
                total += 1
                request = next(requests, None)
                if request is None:
                    poll.unregister(number)
                    del waiting[number]
                    connection.close()
                else:
                    connection.sendall(request)
                    waiting[number] = (connection, b"")
    finally:
        for connection, _ in waiting.values():
            connection.close()
        poll.close()
    return total


LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


def missing_bytes(server, received):
    """How many bytes of an answer are still to come (1 while that cannot be known)."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return 1
    if received[9:10] != b"2":
        raise RowFailed(f"{server.name} answered {received[:end].split(bytes([13]))[0].decode(errors='replace')}")
    length = LENGTH.search(received, 0, end)
    if length is None and received[9:12] != b"204":
        raise RowFailed(f"{server.name} answered without Content-Length")
    return (int(length[1]) if length else 0) + end + 4 - len(received)


def wrk(server, script, arguments, connections, seconds, threads=WRK_THREADS, path=None):
    """One run of wrk: what the script's done() printed, and how busy wrk's own threads were (0 … 1)."""
    url = server.url if path is None else f"http://{server.authority}{path}"
    command = ["wrk", "-t", threads, "-c", connections, "-d", f"{seconds}s", "--timeout", "30s"]
    command += ["-s", HERE / script, url, "--", *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        figures = json.loads(output.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise RowFailed(f"wrk failed: {output.stdout}{output.stderr}".rstrip()) from None
    errors = {kind: figures[kind] for kind in ("connect", "read", "write", "status", "timeout") if figures[kind]}
    if errors or not figures["requests"]:
        raise RowFailed(f"{server.name}: {figures['requests']} answers and errors: {errors}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures["busy"] = used / threads / (figures["microseconds"] / 1e6)
    figures["rate"] = figures["requests"] / (figures["microseconds"] / 1e6)
    return figures


def in_parallel(count, work):
    """Calls work(0) … work(count - 1), each on a thread; returns the seconds until the last was done."""
    errors = []

    def guarded(index):
        try:
            work(index)
        except (OSError, RowFailed) as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(index,)) for index in range(count)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - start
    if errors:
        raise RowFailed(str(errors[0]))
    return elapsed


def get_and_drop(server, digests, connections, seconds):
    """GETs of large bodies, each connection one after the other; returns bytes per second.

    MSG_TRUNC lets the kernel drop the bytes uncopied, so that the server and not the driver sets the pace."""
    received = [0] * connections

    def work(index):
        buffer = bytearray(MIB)
        with server.connect() as connection:
            for digest in itertools.islice(itertools.cycle(digests), index, None):
                connection.sendall(server.head("GET", digest))
                start = b""
                while b"\r\n\r\n" not in start:
                    start += connection.recv(4 * KIB) or fail(f"{server.name} closed a connection")
                missing = missing_bytes(server, start)
                received[index] += len(start)
                while missing > 0:
                    count = connection.recv_into(buffer, min(missing, MIB), socket.MSG_TRUNC)
                    missing -= count or fail(f"{server.name} closed a connection in the middle of a body")
                    received[index] += count
                    if time.monotonic() > deadline:
                        return

    deadline = time.monotonic() + seconds
    elapsed = in_parallel(connections, work)
    return sum(received) / elapsed


def put(server, bodies, number):
    """PUTs one large body out of memory."""
    with server.connect() as connection:
        connection.sendall(server.head("PUT", bodies.digest(number), bodies.size), socket.MSG_MORE)
        connection.sendall(bodies.filler, socket.MSG_MORE)
        connection.sendall(bodies.tag(number))
        small_answer(server, connection)


def small_answer(server, connection, status=b"2"):
    """Waits for an answer, whose status must begin like that, and returns it."""
    answer = b""
    while missing_bytes(server, answer) > 0:
        answer += connection.recv(4 * KIB) or fail(f"{server.name} closed a connection")
    if not answer.startswith(status, 9):
        raise RowFailed(f"{server.name} answered {answer} where the status {status.decode()} was wanted")
    return answer


def curl_put(server, bodies, number, copy):
    """PUTs one large body with curl, from a file of that size whose last bytes are changed for it."""
    with open(copy, "r+b") as file:
        file.seek(-len(bodies.tag(number)), os.SEEK_END)
        file.write(bodies.tag(number))
    command = ["curl", "-sS", "-H", "Expect:", "-T", copy, "-o", os.devnull, "-w", "%{http_code}"]
    result = subprocess.run([*command, server.url + bodies.digest(number)], capture_output=True, text=True)
    if not result.stdout.startswith("2"):
        raise RowFailed(f"{server.name}: curl said {result.stdout} {result.stderr.rstrip()}")


FORK = multiprocessing.get_context("fork")
LOCATION = re.compile(rb"\r\nlocation: *([^\r]+)", re.I)


def upload_location(location, digest):
    """The path to PUT a whole blob to, from the Location of its upload, which may be a path or an address."""
    path = re.sub("^https?://[^/]+", "", location)
    return f"{path}{'&' if '?' in path else '?'}digest={digest}"


def push(server, repository, bodies, shares, seconds):
    """Pushes blobs to a registry for so long, each share of pairs (number, digest) over a connection of its own.

    Every connection has a process of its own, so that no two wait for each other. Returns how many of each share were
    pushed and the seconds until the last was."""
    barrier = FORK.Barrier(len(shares))

    def work(share, report):
        try:
            with server.connect() as connection:
                barrier.wait(PATIENCE)
                begin = time.monotonic()
                for done, (number, digest) in enumerate(share):
                    if time.monotonic() > begin + seconds:
                        report.send((done, begin, time.monotonic()))
                        return
                    push_one(server, connection, repository, bodies, number, digest)
                raise RowFailed(f"{server.name} took all {len(share):,} bodies: raise PUSHES_PER_SECOND")
        except (OSError, RowFailed, threading.BrokenBarrierError) as error:
            barrier.abort()
            report.send(error)

    receivers = []
    for share in shares:
        receiver, sender = FORK.Pipe(duplex=False)
        FORK.Process(target=work, args=(share, sender), daemon=True).start()
        sender.close()
        receivers.append(receiver)
    try:
        reports = [receiver.recv() for receiver in receivers]
    except EOFError:
        raise RowFailed(f"{server.name}: a process of the driver died") from None
    errors = [report for report in reports if isinstance(report, Exception)]
    if errors:
        raise RowFailed(next(filter(None, map(str, errors)), "the driver did not start"))
    done, begins, ends = zip(*reports)
    return done, max(ends) - min(begins)


def push_one(server, connection, repository, bodies, number, digest):
    connection.sendall(f"POST {server.base}/v2/{repository}/blobs/uploads/ HTTP/1.1\r\nHost: {server.authority}\r\n"
                       "Content-Length: 0\r\n\r\n".encode())
    location = LOCATION.search(small_answer(server, connection, b"202")) or fail(f"{server.name} gave no Location")
    path = upload_location(location[1].decode(), f"sha256:{digest}")
    connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: {server.authority}\r\nContent-Type: application/octet-stream\r\n"
                       f"Content-Length: {bodies.size}\r\n\r\n".encode(), socket.MSG_MORE)
    connection.sendall(bodies.filler, socket.MSG_MORE)
    connection.sendall(bodies.tag(number))
    small_answer(server, connection, b"201")


@contextlib.contextmanager
def answering_server(connections):
    """A registry that keeps nothing, for so many connections: what push() manages with it is push()'s own limit."""
    with socket.create_server(("127.0.0.1", 0), backlog=connections) as listener:
        processes = [FORK.Process(target=answer_pushes, args=(listener,), daemon=True) for _ in range(connections)]
        try:
            for process in processes:
                process.start()
            yield Server("the answering server", f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            for process in processes:
                process.terminate()
                process.join()


def answer_pushes(listener):
    """Answers on one connection until it is closed, and drops bodies in the kernel like get_and_drop()."""
    connection, _ = listener.accept()
    buffer, head = bytearray(MIB), b""
    while piece := connection.recv(4 * KIB):
        head += piece
        end = head.find(b"\r\n\r\n")
        if end < 0:
            continue
        missing = int(LENGTH.search(head, 0, end)[1]) - (len(head) - end - 4)
        while missing > 0:
            missing -= connection.recv_into(buffer, min(missing, MIB), socket.MSG_TRUNC) or fail("a body was cut off")
        status = b"201 Created" if head.startswith(b"PUT ") else b"202 Accepted\r\nLocation: /v2/upload?state=1"
        connection.sendall(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)
        head = b""
