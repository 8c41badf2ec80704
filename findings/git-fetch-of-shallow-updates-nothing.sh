#!/usr/bin/env bash
# What one would expect: "git fetch REPOSITORY +main:main" ends with 0 when the branch is where the other repository has
# it. If git cannot take a commit, it fails.
#
# What happens: the other repository is shallow (made with "git clone --depth"). git downloads the new commit, does not
# move the branch, and ends with 0. With --quiet the only sign is one warning. The next fetch, which differs in nothing,
# moves the branch, because the commit is there by then. If the receiving repository has none of the history, no fetch
# ever creates the branch, and all of them end with 0.
#
# Why it matters: a build server or a mirror often has a shallow clone. Whoever fetches from it and trusts the exit code
# compares hosts with an old commit: the hosts that run the old one look current.
#
# Seen on 2026-12-01 with git 2.47.3 and with git 1:2.39.5-0+deb12u3 of Debian 12:
#
#   a mirror that has the history, fetch 1: status 0, main is at commit 3 (the newest is 4)
#   a mirror that has the history, fetch 2: status 0, main is at commit 4
#   an empty mirror, fetch 1: status 0, no branch
#   an empty mirror, fetch 2: status 0, no branch
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
for n in 1 2 3; do git -C origin commit -q --allow-empty -m "$n"; done
git clone -q --bare "file://$folder/origin" mirror
git -C origin commit -q --allow-empty -m 4
git clone -q --depth 1 "file://$folder/origin" shallow
git init -q --bare empty

fetch() { # repository
    local status=0
    git -C "$1" fetch --quiet "file://$folder/shallow" +refs/heads/main:refs/heads/main 2> messages || status=$?
    [[ $status == 0 ]] || changed "the fetch ends with $status: $(< messages)"
}

for n in 1 2; do
    fetch mirror
    at=$(git -C mirror log -1 --format=%s main)
    echo "a mirror that has the history, fetch $n: status 0, main is at commit $at"
    [[ $at == $((n + 2)) ]] || changed "main is at commit $at"
done
for n in 1 2; do
    fetch empty
    if git -C empty rev-parse -q --verify refs/heads/main > /dev/null; then changed "there is a branch"; fi
    echo "an empty mirror, fetch $n: status 0, no branch"
done
grep -q 'shallow roots are not allowed' messages || changed "the warning is: $(< messages)"
