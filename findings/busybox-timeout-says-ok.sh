#!/usr/bin/env bash
# What one would expect: "timeout 1 COMMAND" ends with 124 if the time was up. GNU timeout does so, whatever COMMAND
# does when it is told to stop.
#
# What happens: timeout of busybox never says 124. It ends with what COMMAND ends with. That is 143 for most commands,
# as if somebody else had stopped them. A command that tidies up and ends with 0 when it gets SIGTERM makes it 0: the
# check took too long, and timeout reports success.
#
# Why it matters: small systems and rescue images have busybox. A check on such a host that hangs until its time is up
# can be counted as passed. Let the check print a last line, and count it as passed only if that line has come.
#
# Seen on 2026-11-29 with busybox 1:1.35.0-4+deb12u1+b1 and coreutils 9.1-1 of Debian 12:
#
#   GNU timeout, plain command:       124
#   GNU timeout, tidy command:        124
#   busybox timeout, plain command:   143
#   busybox timeout, tidy command:    0
set -euo pipefail

changed() {
    echo "not as described any more: $*" >&2
    exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

busybox=$(command -v busybox) || {
    cd "$folder"
    apt-get -qq -o APT::Sandbox::User= download busybox || { echo "cannot get the Debian package busybox" >&2; exit 2; }
    dpkg-deb -x busybox_*.deb root
    busybox=$folder/root/bin/busybox
}
"$busybox" 2>&1 | sed -n 1p
timeout --version | sed -n 1p

cat > "$folder/plain" << 'EOF'
exec sleep 4
EOF
cat > "$folder/tidy" << 'EOF'
trap 'kill $!; exit 0' TERM
sleep 4 &
wait
echo "the check has passed"
EOF

# What the command printed, and how it ended. The time is up after a second, long before either is done.
run() {
    local status=0
    "$@" > "$folder/output" || status=$?
    [[ ! -s $folder/output ]] || changed "the command came to its end"
    echo "$status"
}
gnu_plain=$(run timeout 1 sh "$folder/plain")
gnu_tidy=$(run timeout 1 sh "$folder/tidy")
busybox_plain=$(run "$busybox" timeout 1 sh "$folder/plain")
busybox_tidy=$(run "$busybox" timeout 1 sh "$folder/tidy")
echo "GNU timeout, plain command:       $gnu_plain"
echo "GNU timeout, tidy command:        $gnu_tidy"
echo "busybox timeout, plain command:   $busybox_plain"
echo "busybox timeout, tidy command:    $busybox_tidy"

[[ $gnu_plain == 124 && $gnu_tidy == 124 ]] || changed "GNU timeout does not say 124"
[[ $busybox_plain == 143 ]] || changed "busybox timeout says $busybox_plain for a plain command"
[[ $busybox_tidy == 0 ]] || changed "busybox timeout says $busybox_tidy for a command that tidies up"
