#!/usr/bin/env bash
# Says which programs the tests start and which are missing. Tests that need a missing one say so and are skipped, or
# fail where CI is set.
set -eu
[ -x /usr/sbin/dovecot ] || command -v dovecot >/dev/null 2>&1 ||
    echo "tests: Dovecot is not installed (Debian: dovecot-imapd); the IMAP tests will be skipped" >&2
