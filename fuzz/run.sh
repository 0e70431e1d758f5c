#!/bin/sh
# Runs one fuzz target on stable Rust: sh fuzz/run.sh TARGET [libFuzzer options, as -max_total_time=1800]
#
# cargo-fuzz works too (cargo +nightly fuzz run TARGET). This needs no nightly: a compiler wrapper puts coverage into
# our own crate and the parsers it rests on, and leaves everything else as it is already built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "${1:-}" = rustc-wrapper ]; then
    shift
    # Only what is built for the target: zip is also part of a build script, which has no fuzzer to report to.
    case "${CARGO_PKG_NAME:-} $*" in
    dmarcase\ *--target\ * | dmarcase-fuzz\ *--target\ * | mail-parser\ *--target\ * | zip\ *--target\ * | quick-xml\ *--target\ *)
        exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
            -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
            -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 ;;
    esac
    exec "$@"
fi
target=$1
shift
wrapper=$(mktemp)
trap 'rm -f "$wrapper"' EXIT
printf '#!/bin/sh\nexec sh "%s/run.sh" rustc-wrapper "$@"\n' "$here" >"$wrapper"
chmod +x "$wrapper"
CARGO_TARGET_DIR=${FUZZ_TARGET_DIR:-$here/target}
export CARGO_TARGET_DIR
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTC_WRAPPER=$wrapper cargo build --release --target "$host" --manifest-path "$here/Cargo.toml" --bin "$target"
mkdir -p "$here/corpus/$target" "$here/artifacts/$target"
"$CARGO_TARGET_DIR/$host/release/$target" -artifact_prefix="$here/artifacts/$target/" "$@" \
    "$here/corpus/$target" "$here/seeds/$target"
