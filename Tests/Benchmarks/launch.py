"""Starts a command and writes to a file how long it took, how it ended, and how much memory it used at most.

Usage: python3 -I -S launch.py REPORT COMMAND…

The kernel counts to a command's peak what the process that starts it has in memory. That is why run() of jobs.py starts
none itself but this program, which imports next to nothing and stays below 12 MB.
"""

import os
import sys
import time

if __name__ == "__main__":
    report, *command = sys.argv[1:]
    begin = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - begin
    with open(report, "w") as file:
        file.write(f"{seconds} {os.waitstatus_to_exitcode(status)} {usage.ru_maxrss}")  # kB
