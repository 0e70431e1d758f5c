#!/usr/bin/env bash
# Prints the folder of a prebuilt DuckDB library, fetching it once into the user's cache, so that a fresh machine need
# not compile DuckDB for half an hour. Prints nothing (and says why on standard error) where there is none for this
# platform or npm is missing: the caller then builds with the feature `bundled`.
set -eu

# The version that the checksums below are those of.
version=1.5.6
package_version=1.5.6-r.1

fall_back() {
    echo "libduckdb: $*; DuckDB is compiled from source instead (about half an hour)" >&2
    exit 0
}

# The crate's version says DuckDB's: 1.10506.1 is for 1.05.06.
crate=$(sed -n 's/^duckdb = .*version = "=1\.\([0-9]*\)\..*/\1/p' "$(dirname "$0")/../Cargo.toml")
[ -n "$crate" ] || fall_back "no version of the crate duckdb in Cargo.toml"
wanted=$((crate / 10000)).$((crate / 100 % 100)).$((crate % 100))
[ "$wanted" = "$version" ] ||
    fall_back "Cargo.toml asks for DuckDB $wanted, and the checksums in $0 are those of $version: write down the new ones"

if command -v sha256sum >/dev/null 2>&1; then
    digest() { sha256sum "$1" | cut -d ' ' -f 1; }
elif command -v shasum >/dev/null 2>&1; then
    digest() { shasum -a 256 "$1" | cut -d ' ' -f 1; }
else
    fall_back "neither sha256sum nor shasum is installed, so the library cannot be checked"
fi

case "$(uname -s)-$(uname -m)" in
Linux-x86_64)
    package=@duckdb/node-bindings-linux-x64
    sum=3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633
    ;;
Linux-aarch64)
    package=@duckdb/node-bindings-linux-arm64
    sum=23686593dba4ec22c6e581bb1c843b3964e84c4bc4d0063d8b4daddd2e20e30a
    ;;
*) fall_back "no checked prebuilt library for $(uname -s) on $(uname -m)" ;;
esac

folder=${DMARCASE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dmarcase}/libduckdb-$version
checked() { [ -f "$1" ] && [ "$(digest "$1")" = "$sum" ]; }

if ! checked "$folder/libduckdb.so"; then
    command -v npm >/dev/null 2>&1 || fall_back "npm is not installed"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    (cd "$work" && npm pack --silent "$package@$package_version" >/dev/null 2>&1) || fall_back "npm cannot fetch $package"
    tar -xzf "$work"/*.tgz -C "$work"
    checked "$work/package/libduckdb.so" || fall_back "$package has another checksum than expected"
    mkdir -p "$folder"
    # Moved into place whole, so that an interrupted or a parallel run leaves no half library.
    mv "$work/package/libduckdb.so" "$folder/.libduckdb.so.$$"
    mv "$folder/.libduckdb.so.$$" "$folder/libduckdb.so"
fi
echo "$folder"
