"""What the rows of the client share: running it as a CI job does, the server that it talks to, and its memory."""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from servers import KIB, MIB, RowFailed, start_larder
from table import Line

CLIENT_NAMES = ["client-memory"]  # after the rows that it tells of
HERE = pathlib.Path(__file__).resolve().parent
COMMAND_PATIENCE = 900  # seconds to wait for one command
MEMORY = 150  # MB
ERROR_SHOWN = 1500  # characters of what a command said that failed


@dataclasses.dataclass
class Outcome:
    """What became of a command: the seconds it took, its resident memory at most in MB (10^6 bytes), its output."""

    seconds: float
    memory: float
    output: str

    def answer(self):
        """The JSON object that it printed."""
        try:
            answer = json.loads(self.output)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise RowFailed(f"the client printed no JSON object: {self.output[:300]}")
        return answer


def run(command, folder, environment, report):
    """Runs a command in a folder to its end, which must be success; `report` is a file that it may overwrite.

    The memory is that of the command alone: of a shell it is not what it starts."""
    words = [str(word) for word in command]
    launcher = [sys.executable, "-I", "-S", str(HERE / "launch.py"), str(report)]
    process = subprocess.Popen([*launcher, *words], cwd=folder, env=environment, stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        output, errors = process.communicate(timeout=COMMAND_PATIENCE)
    except subprocess.TimeoutExpired:
        end_group(process)
        output, errors = process.communicate()
        raise RowFailed(f"{' '.join(words)}: no end after {COMMAND_PATIENCE} s; {errors[-ERROR_SHOWN:]}") from None
    except BaseException:
        end_group(process)
        raise
    if process.returncode:
        raise RowFailed(f"{' '.join(words)} could not be started: {errors[-ERROR_SHOWN:].rstrip()}")
    seconds, code, kilobytes = report.read_text().split()
    if code != "0":
        said = (errors.rstrip() or output.rstrip())[-ERROR_SHOWN:]
        raise RowFailed(f"{' '.join(words)} ended with {code}: {said}")
    return Outcome(float(seconds), int(kilobytes) * KIB / 1e6, output)


def end_group(process):
    """Ends the launcher and what it started; both are in a group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read_through(*folders):
    """Reads every file of some folders, so that the page cache holds them (the machine must have that much memory)."""
    buffer = bytearray(MIB)
    for folder in folders:
        for path, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError), open(os.path.join(path, name), "rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass


class JobRows:
    """The part of Benchmark that runs the client, and what is said of its memory."""

    job_server = None
    folders = itertools.count()

    def jobs_server(self):
        """The server that the client talks to; started when it is needed first."""
        if self.job_server is not None and self.job_server.process.poll() is not None:
            self.stop_jobs_server()  # It crashed, which its row tells of; the next one shall have a server.
        if self.job_server is None:
            self.stop_servers()
            larder = self.started(start_larder(self.options.binary, self.work / "jobs", self.work / "larder-jobs.log",
                                               self.options.larder_flags))
            larder.wait_until_ready("/healthz", [200])
            self.job_server = larder
        return self.job_server

    def stop_jobs_server(self):
        """Stops it and gives its disk space back; the next row gets a new one."""
        server, self.job_server, self.stored_tree = self.job_server, None, None
        if server is not None:
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)

    def new_folder(self, name):
        """An empty folder that is kept until the end: see wait_for_quick_creation for what removing it would do."""
        folder = self.work / "jobs-files" / f"{name}-{next(self.folders)}"
        folder.mkdir(parents=True)
        return folder

    @property
    def client_program(self):
        return pathlib.Path(shutil.which(self.options.binary) or self.options.binary).resolve()

    def client(self, row, folder, home, *arguments):
        """Runs the client in a folder as a job does whose home is another one, and notes its memory for a row."""
        # Nothing of the caller's settings, neither Larder's nor those of a CI system.
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"),
                       "XDG_CONFIG_HOME": str(home / ".config")}
        server = self.jobs_server()
        command = [self.client_program, *arguments, "--url", f"http://{server.authority}", "--json"]
        outcome = run(command, folder, environment, self.work / "launch-report")
        self.note_memory(self.client_peaks, row, outcome.memory)
        return outcome

    def shell(self, folder, script, *arguments):
        """Runs lines of bash in which nothing may fail, with what else they need as $1, $2…; the seconds it took."""
        environment = {"PATH": os.environ["PATH"]}
        command = ["bash", "-c", f"set -euo pipefail; {script}", "bash", *arguments]
        return run(command, folder, environment, self.work / "launch-report").seconds

    def settle(self, size, *folders):
        """Makes every timed command begin alike: nothing unwritten, memory warm for so many bytes (see warm_memory),
        and all files of these folders in the page cache."""
        os.sync()
        self.warm_memory(size)
        read_through(*folders)

    @contextlib.contextmanager
    def server_watched(self, row):
        """Notes how much memory the server used at most meanwhile; it is started before if it does not run."""
        server = self.jobs_server()
        with contextlib.suppress(OSError):
            pathlib.Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # VmHWM begins anew
        try:
            yield server
        finally:
            with contextlib.suppress(OSError, TypeError):  # there is no such line when it crashed
                self.note_memory(self.server_peaks, row, server.memory("VmHWM"))
                self.hot_sets[row] = server.hot_set()

    @staticmethod
    def note_memory(peaks, row, memory):
        peaks[row] = max(peaks.get(row, 0), memory)

    def received_bytes(self):
        """How many bytes of bodies the server has received, as /metrics tells it."""
        _, text = self.jobs_server().get("/metrics")
        found = re.findall(r"^larder_received_bytes_total(?:\{[^}]*\})? ([0-9.eE+]+)$", text.decode(), re.M)
        return sum(map(float, found))

    def client_memory(self):
        client = Line("memory, client", "MB", limit=MEMORY)
        server = Line("memory, its server", "MB", limit=MEMORY)
        if not self.needs_larder([client, server]):
            return
        self.lines += [client, server]
        for line, peaks in ((client, self.client_peaks), (server, self.server_peaks)):
            if not peaks:
                line.note = "no row named tree-… or artifact-… ran that could be looked at"
                continue
            line.figures["larder"] = [max(peaks.values())]
            line.note = "at most, by row: " + ", ".join(f"{row} {peak:.0f}" for row, peak in peaks.items())
        if self.hot_sets:
            server.note += f"; of it hot set at most {max(self.hot_sets.values()):.0f}"
        self.stop_jobs_server()
