"""The rows of artifacts: one file of 1 GiB, pushed and pulled by the client and by curl."""

import hashlib
import os
import random

from drivers import upload_location
from servers import GIB, MIB, RowFailed
from table import Line

ARTIFACT_NAMES = ["artifact-push", "artifact-pull"]
ARTIFACT_RATE = 0.8  # times that of curl
TAIL = 16  # bytes that differ from file to file; each has one more of them than the one before
REPOSITORY = "bench/artifact"
CURL = "curl"


class LargeFile:
    """A file of 1 GiB that can't be compressed, whose contents and size are new after each renew().

    The size is new because the client asks the store for blobs of the same size before it sends a large file: a build
    hardly ever makes two large files that differ and have one size."""

    def __init__(self, path, seed):
        self.path, self.number = path, 0
        random_, self.state = random.Random(f"{seed} artifact"), hashlib.sha256()
        self.filler = GIB - MIB
        with open(path, "wb", buffering=0) as file:
            for _ in range(self.filler // MIB):
                piece = random_.randbytes(MIB)
                self.state.update(piece)
                file.write(piece)

    def renew(self):
        self.number += 1
        tail = b"%0*x" % (TAIL, self.number) * (MIB // TAIL - self.number)
        with open(self.path, "r+b", buffering=0) as file:
            file.truncate(self.filler)
            file.seek(self.filler)
            file.write(tail)
        state = self.state.copy()
        state.update(tail)
        self.size, self.digest = self.filler + len(tail), state.hexdigest()


def digest_of_file(path):
    """The SHA-256 of a file and its size."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size


class ArtifactRows:
    """The part of Benchmark that is about artifacts."""

    artifact_file = None

    def large_file(self):
        """The file, with contents that it never had before."""
        if self.artifact_file is None:
            folder = self.new_folder("artifact")
            self.artifact_file = LargeFile(folder / "artifact.bin", self.options.seed)
        self.artifact_file.renew()
        return self.artifact_file

    def push_artifact(self, file):
        """Pushes the file as a version of its own; the seconds it took."""
        reference = f"{REPOSITORY}:v{file.number}"
        return self.client(self.row, file.path.parent, self.home, "artifact", "push", reference, file.path.name).seconds

    def artifact_row(self, line, measure):
        if not self.needs_larder([line]):
            return
        self.stop_jobs_server()
        self.home = self.new_folder("home")
        try:
            with self.server_watched(self.row):
                self.alternate(line, {"larder": "larder", CURL: CURL}, measure)
        finally:
            # There are some GB of them.
            if self.artifact_file:
                self.artifact_file.path.unlink(missing_ok=True)
            self.artifact_file = None
            self.stop_jobs_server()

    def curl_location(self, file):
        """Where curl may put the file: an upload to the same repository, begun before the time is taken."""
        server = self.jobs_server()
        with server.client() as connection:
            fields, _ = server.ask(connection, 202, "POST", f"/v2/{REPOSITORY}/blobs/uploads/", b"")
        return f"http://{server.authority}{upload_location(fields['Location'], f'sha256:{file.digest}')}"

    def curl_push(self, file, location):
        """Pushes the file with curl; the seconds it took."""
        field = "Content-Type: application/octet-stream"
        script = 'curl -sS -f -H "$1" -T "$2" -o /dev/null "$3"'
        return self.shell(file.path.parent, script, field, file.path.name, location)

    def check_pushed(self, file):
        server = self.jobs_server()
        with server.client() as connection:
            fields, _ = server.ask(connection, 200, "HEAD", f"/v2/{REPOSITORY}/blobs/sha256:{file.digest}")
        if fields["Content-Length"] != str(file.size):
            raise RowFailed(f"the blob that was pushed has {fields['Content-Length']} bytes of {file.size}")

    def check_pulled(self, file, path):
        """Compares every byte (by digest), and removes what was pulled."""
        digest, size = digest_of_file(path)
        if (digest, size) != (file.digest, file.size):
            raise RowFailed(f"{size:,} bytes with the digest {digest} were pulled, where {file.size:,} with"
                            f" {file.digest} were wanted")
        path.unlink()

    def artifact_push(self):
        def measure(_, contender):
            file = self.large_file()
            location = self.curl_location(file) if contender == CURL else None
            self.settle(GIB, file.path.parent)
            seconds = self.curl_push(file, location) if location else self.push_artifact(file)
            self.check_pushed(file)
            return file.size / seconds / 1e6

        self.artifact_row(Line("push 1 GiB", "MB/s", [(CURL, ARTIFACT_RATE)]), measure)

    def artifact_pull(self):
        pushed = []

        def measure(_, contender):
            if not pushed:
                self.push_artifact(self.large_file())
                pushed.append(self.artifact_file)
            file, server, folder = pushed[0], self.jobs_server(), self.new_folder("pulled")
            self.settle(GIB, server.folder)
            if contender == CURL:
                url = f"http://{server.authority}/v2/{REPOSITORY}/blobs/sha256:{file.digest}"
                seconds = self.shell(folder, 'curl -sS -f -o "$1" "$2"', file.path.name, url)
            else:
                reference = f"{REPOSITORY}:v{file.number}"
                outcome = self.client(self.row, folder, self.home, "artifact", "pull", reference, "-o", "out")
                seconds, folder = outcome.seconds, folder / "out"
            self.check_pulled(file, folder / file.path.name)
            return file.size / seconds / 1e6

        self.artifact_row(Line("pull 1 GiB", "MB/s", [(CURL, ARTIFACT_RATE)]), measure)
