#!/bin/sh
# Read by the scripts beside it: the tools that they need, and what include/p2pchan.h declares.

# Ends a check that cannot be made here, aloud, and lets the next one run.
skipped() {
    echo "SKIPPED $1" >&2
    exit 0
}

failed() {
    echo "$1" >&2
    exit 1
}

# have COMMAND PACKAGE: is the command there? On Debian root installs the package that has it.
have() {
    command -v "$1" >/dev/null && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    echo "$1 is missing; installing the package $2"
    { apt-get update --quiet && DEBIAN_FRONTEND=noninteractive \
        apt-get install --quiet --yes --no-install-recommends "$2"; } >/dev/null || return 1
    command -v "$1" >/dev/null
}

# The functions that a header declares, in order; those that it only points to are none.
functions() {
    cc -E -P "$1" | grep -o 'p2pchan_[a-z0-9_]* *(' | tr -d ' (' | LC_ALL=C sort -u
}

# The version in the manifest: major.minor.patch.
version() {
    sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml
}

# promised symbols, promised settings: the names in ffi/abi/symbols.txt or settings.txt, each of which
# stands there with the version that it appeared in.
promised() {
    wrong=$(grep -vE '^(#.*|[a-z0-9_.]+ [0-9]+\.[0-9]+\.[0-9]+)$' "ffi/abi/$1.txt" || true)
    [ -z "$wrong" ] || failed "ffi/abi/$1.txt: not a name and the version that it appeared in: $wrong"
    sed -n 's/^\([a-z].*\) .*/\1/p' "ffi/abi/$1.txt" | LC_ALL=C sort
}

# The keys that all languages have, and the one of the C interface.
setting_keys() {
    { sed -n 's/^| `\([a-z_.]*\)` |.*/\1/p' docs/settings.md; echo callbacks; } | LC_ALL=C sort
}
