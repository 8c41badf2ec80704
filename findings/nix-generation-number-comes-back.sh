#!/usr/bin/env bash
# What one would expect: the number of a generation of a Nix profile is given once. Generation 3 is the same system
# whenever and wherever it is named.
#
# What happens: a new generation gets the highest number that is there, plus one. Nothing remembers the numbers that
# were there before. System 3 is bad, so the profile is rolled back to 2. "--delete-generations old" is run to save
# space. "Old" means all but the current one, so it deletes 3, which is newer. The repaired system is number 3 again.
#
# Why it matters: "generation 3 failed its tests" is true of one system and is then read as said of another. A system
# that was never tested can look tested, and a rollback to number 3 goes where nobody meant it to. Keep the path in
# the store beside the number: the path is what tells two systems apart.
#
# Seen on 2026-11-29 with nix-bin 2.8.0-1.1+b1 of Debian 12:
#
#   bad system set:        generation 3 is bad
#   rolled back:           generation 2 is good
#   old ones deleted:      generations left: 2
#   repaired system set:   generation 3 is repaired
set -euo pipefail

changed() {
    echo "not as described any more: $*" >&2
    exit 1
}

folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"

# Without Nix, the Debian package of it is unpacked here, with what it needs and is not installed.
command -v nix-env > /dev/null || (
    mkdir packages
    cd packages
    apt-get -qq --simulate --no-install-recommends install nix-bin | awk '/^Inst/ { print $2 }' |
        xargs apt-get -qq -o APT::Sandbox::User= download
    for package in *.deb; do dpkg-deb -x "$package" ../root; done
) || { echo "cannot get the Debian package nix-bin" >&2; exit 2; }
if [[ -d root ]]; then
    export PATH=$folder/root/usr/bin:$PATH
    LD_LIBRARY_PATH=$folder/root/usr/lib/nix:$(echo "$folder"/root/usr/lib/*-linux-gnu)
    export LD_LIBRARY_PATH
fi

# Everything that Nix writes stays here.
export HOME=$folder/home NIX_STORE_DIR=$folder/store NIX_STATE_DIR=$folder/state NIX_LOG_DIR=$folder/log
export NIX_CONF_DIR=$folder/conf NIX_REMOTE=local NIX_CONFIG='build-users-group ='
unset NIX_PATH XDG_CACHE_HOME XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_STATE_HOME NIX_USER_CONF_FILES
mkdir home
nix-env --version

profile() { nix-env --profile "$folder/profile" "$@" 2> messages || { cat messages >&2; exit 2; }; }

set_to() {
    mkdir "$1"
    echo "$1" > "$1/name"
    profile --set "$(nix-store --add "$folder/$1")"
}

current() {
    echo "generation $(readlink profile | grep -o '[0-9]*') is $(cat profile/name)"
}

set_to first
set_to good
set_to bad
before=$(current)
bad=$(readlink -f profile)
echo "bad system set:        $before"
[[ $before == "generation 3 is bad" ]] || changed "the third system is: $before"

profile --rollback
echo "rolled back:           $(current)"
[[ $(current) == "generation 2 is good" ]] || changed "after the rollback: $(current)"

profile --delete-generations old
left=$(profile --list-generations | awk '{ print $1 }' | paste -sd ' ')
echo "old ones deleted:      generations left: $left"
[[ $left == 2 ]] || changed "generations that are left: $left"

set_to repaired
echo "repaired system set:   $(current)"
[[ $(current) == "generation 3 is repaired" ]] || changed "the number is not given again: $(current)"
[[ $(readlink -f profile) != "$bad" ]] || changed "both systems are the same path"
