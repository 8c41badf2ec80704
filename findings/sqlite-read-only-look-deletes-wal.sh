#!/usr/bin/env bash
# What one would expect: "sqlite3 -readonly" changes nothing, and a check of the database says if something is missing.
#
# What happens: with the journal mode WAL, what was committed last is in a second file, whose name ends in -wal. Here
# it holds all there is, as a program that was killed leaves it. The database file itself has become empty, as when a
# copy to a full disk has failed. An empty file is a valid database without tables. SQLite deletes the second file as
# soon as anybody reads the empty one, also with -readonly. The check says "ok".
#
# Why it matters: a log of what hosts did is often kept in SQLite. After an accident, somebody looks at what is left,
# and that look deletes the only copy. The answer is "ok", and a fleet of no hosts has no failures. Copy all files
# before you look, and treat a log that is empty as an error.
#
# Seen on 2026-11-29 with sqlite3 3.40.1-2+deb12u2 of Debian 12. The library 3.54.1 does the same. Output:
#
#   both files whole:                  gpc0 is at generation 48
#   database empty, before the look:   the -wal file is there, and gpc0 is in it
#   integrity_check with -readonly:    ok, status 0
#   tables:                            0
#   after the look:                    the -wal file is gone
set -euo pipefail

changed() {
    echo "not as described any more: $*" >&2
    exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo "sqlite3 $(sqlite3 -init /dev/null --version | cut -d ' ' -f 1)"

# Copies both files while the program is still running, as if it had been killed then.
mkdir whole empty
sqlite3 -init /dev/null log.db > /dev/null << 'EOF'
PRAGMA journal_mode = WAL;
CREATE TABLE host (says TEXT);
INSERT INTO host VALUES ('gpc0 is at generation 48');
.shell cp log.db log.db-wal whole
.shell cp log.db log.db-wal empty
EOF

look() { sqlite3 -init /dev/null -readonly "$@"; }

says=$(look whole/log.db 'SELECT says FROM host')
echo "both files whole:                  $says"
[[ $says == "gpc0 is at generation 48" ]] || changed "the files do not belong together"

: > empty/log.db
grep -q 'gpc0 is at generation 48' empty/log.db-wal || changed "what was committed is not in the -wal file"
echo "database empty, before the look:   the -wal file is there, and gpc0 is in it"

status=0
answer=$(look empty/log.db 'PRAGMA integrity_check') || status=$?
echo "integrity_check with -readonly:    $answer, status $status"
[[ $answer == ok && $status == 0 ]] || changed "the check does not say ok"
tables=$(look empty/log.db 'SELECT count(*) FROM sqlite_schema')
echo "tables:                            $tables"
[[ $tables == 0 ]] || changed "there are $tables tables"

[[ ! -e empty/log.db-wal ]] || changed "the -wal file is still there"
echo "after the look:                    the -wal file is gone"
