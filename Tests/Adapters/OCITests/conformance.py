#!/usr/bin/env python3
"""Tries an OCI registry against the distribution specification and against what we demand beyond it.

    conformance.py --registry 127.0.0.1:7878
    conformance.py --registry 127.0.0.1:7878 --filter nested-index/ --groups 1.1,dev

Prints a line for every test and a summary. Exit status: 0 when all passed, 1 when a test failed, 2 when nothing could
be tried. The tests of group 1.1 are what distribution-spec 1.1 and its conformance suites demand, those of dev what its
main branch adds, those of larder our own choice; "unsupported" is a failure in all of them. The repositories should not
be in use by anybody else. What a run pushes into them it deletes again as far as the registry allows; repositories that
single tests use (--repo, a slash, and a name that ends in eight digits of the run) stay.
"""

import argparse
import json
import secrets
import sys
import time

sys.dont_write_bytecode = True

from conformance import load  # noqa: E402 (the line above has to come first)
from conformance.client import Client  # noqa: E402
from conformance.registry import Registry  # noqa: E402
from conformance.runner import GROUPS  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--registry", required=True, metavar="HOST:PORT", help="plain HTTP only")
    parser.add_argument("--repo", default="conformance/repo1")
    parser.add_argument("--repo2", default="conformance/repo2", help="blobs are mounted from here")
    parser.add_argument("--sparse-repo", help="a repository that takes manifests without what they name; "
                                              "without it the sparse data sets are left out")
    parser.add_argument("--groups", default=",".join(GROUPS), help="any of 1.1,dev,larder")
    parser.add_argument("--filter", default="", metavar="PREFIX", help="only tests whose names begin so")
    parser.add_argument("--seed", help="of all random data; random by default, printed at the start")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="for one answer")
    parser.add_argument("--json", metavar="FILE", help="write the results there too")
    options = parser.parse_args()
    options.groups = options.groups.split(",")
    for group in options.groups:
        if group not in GROUPS:
            parser.error(f"there is no group {group}; the groups are {', '.join(GROUPS)}")
    host, colon, port = options.registry.rpartition(":")
    if not colon or not port.isdigit():
        parser.error(f"--registry {options.registry}: not of the form HOST:PORT")
    options.host, options.port = host.strip("[]"), int(port)
    return options


def main():
    options = arguments()
    seed = options.seed or secrets.token_hex(8)
    client = Client(options.host, options.port, options.timeout)
    try:
        client.connect().close()
    except OSError as error:
        print(f"conformance.py: no registry answers at {options.registry}: {error.strerror or error}", file=sys.stderr)
        return 2
    registry = Registry(client, options.repo, options.repo2, options.sparse_repo, seed)
    suite, watch = load(sparse=options.sparse_repo is not None)
    client.watchers.append(watch)
    print(f"seed {seed}", flush=True)
    results = []

    def report(result):
        results.append(result)
        line = f"pass {result.name}" if result.passed else f"FAIL {result.name}: {result.message}"
        print(line, flush=True)

    begin = time.monotonic()
    suite.run(registry, options.filter, options.groups, report)
    failed = sum(not result.passed for result in results)
    print(f"{len(results) - failed} passed, {failed} failed ({time.monotonic() - begin:.1f} s, seed {seed})")
    if options.json:
        write_json(options.json, results)
    if not results:
        print(f"conformance.py: no test has a name that begins with {options.filter}", file=sys.stderr)
        return 2
    return 1 if failed else 0


def write_json(path, results):
    rows = [{"name": result.name, "group": result.group, "passed": result.passed, "message": result.message or ""}
            for result in results]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    sys.exit(main())
