#!/usr/bin/env bash
# What one would expect: after "git fetch" and "git reset --hard origin/main" the files are what a fresh clone of that commit
# has.
#
# What happens: a file that the new commit does not touch stays as it was written when another .gitattributes was there. A
# commit that removes "* text eol=crlf" leaves every file with CRLF; "git status" and "git diff" are silent, because the
# index says when git last wrote the file, and that has not changed. Also "git checkout -f" leaves it. A copy of the very
# same folder, or an index that git has a reason to doubt, shows the file as modified.
#
# Why it matters: fetch and reset --hard is how machines are brought to exactly what the remote has. Two of them at one commit,
# both clean, can build different things, and hashes of the files differ: of a lock file, say. The same happens with any
# filter that is taken away. A reset after the index was given an old date ("touch") reads all files anew.
#
# Seen on 2026-12-01 with git 1:2.39.5-0+deb12u3 of Debian 12, and with git 2.47.3:
#
#   host, after the reset:         CRLF, status says nothing
#   host, after checkout -f:       CRLF, status says nothing
#   fresh clone:                   LF
#   copy of the host's folder:     status lists " M lock"
#   index given an old date:       LF after a reset
set -euo pipefail

changed() {
    echo "not as described any more: $*" >&2
    exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
git --version

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=nobody GIT_AUTHOR_EMAIL=nobody@example.org
export GIT_COMMITTER_NAME=nobody GIT_COMMITTER_EMAIL=nobody@example.org
git init -q --initial-branch=main origin
echo 'nixpkgs' > origin/lock
echo one > origin/other
echo '* text eol=crlf' > origin/.gitattributes
git -C origin add . 2> /dev/null # It warns of line ends.
git -C origin commit -q -m one
git clone -q origin host
# What git wrote in the same second as its index it reads again; a day later it does not.
sleep 1.2

to_the_new_commit() {
    git -C origin commit -q -a -m "$1"
    git -C host fetch -q
    git -C host reset -q --hard origin/main
    sleep 1.2
}
ends() { if grep -q $'\r' "$1"; then echo CRLF; else echo LF; fi; }

# Any commit, so that the index is younger than the file.
git -C origin rm -q other
to_the_new_commit two
git -C origin rm -q .gitattributes
to_the_new_commit 'no attributes'
[[ $(git -C host rev-parse HEAD) == "$(git -C origin rev-parse main)" ]] || changed "the reset went elsewhere"
[[ $(ends host/lock) == CRLF && -z $(git -C host status --porcelain) ]] || changed "the reset has written the file"
echo "host, after the reset:         CRLF, status says nothing"

git -C host checkout -q -f main
[[ $(ends host/lock) == CRLF && -z $(git -C host status --porcelain) ]] || changed "checkout -f has written the file"
echo "host, after checkout -f:       CRLF, status says nothing"

git clone -q origin fresh
[[ $(ends fresh/lock) == LF ]] || changed "a fresh clone has CRLF"
echo "fresh clone:                   LF"

cp -r host copy
listed=$(git -C copy status --porcelain)
[[ $listed == *' M lock'* ]] || changed "status of the copy lists $listed"
echo "copy of the host's folder:     status lists \" M lock\""

touch -t 197001020000 host/.git/index
git -C host reset -q --hard
[[ $(ends host/lock) == LF ]] || changed "the reset has not read the file"
echo "index given an old date:       LF after a reset"
