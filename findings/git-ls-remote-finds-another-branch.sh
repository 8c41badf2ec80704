#!/usr/bin/env bash
# What one would expect: "git ls-remote URL main" says which commit the branch main is at. "git fetch URL main" means
# that branch with the same words.
#
# What happens: for ls-remote the last word is a pattern for the end of a name. It lists every branch and tag whose
# name is main or ends in /main, in the order of the names. So attic/main comes before main, also with --heads. If main
# is gone, attic/main alone is listed, and even --exit-code, which is to fail when nothing is found, ends with 0.
#
# Why it matters: many scripts ask this for the newest commit and take the first line. Once anybody pushes a branch
# like attic/main, all hosts are compared with its commit: those that are current look outdated, and those that run
# the old commit look current. Ask for refs/heads/main, and take the line that has exactly this name.
#
# Seen on 2026-11-29 with git 1:2.39.5-0+deb12u3 of Debian 12, and with git 2.47.3:
#
#   git fetch URL main:                       newest commit
#   git ls-remote URL main, first line:       oldest commit (refs/heads/attic/main)
#   git ls-remote --heads URL main:           2 lines
#   git ls-remote URL refs/heads/main:        newest commit, 1 line
#   main is deleted, git fetch URL main:      fails
#   main is deleted, ls-remote --exit-code:   oldest commit (refs/heads/attic/main), status 0
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
git -C origin commit -q --allow-empty -m oldest
git -C origin branch attic/main
git -C origin commit -q --allow-empty -m newest
# Nothing is checked out that could not be deleted later.
git -C origin checkout -q --detach
git init -q host
url=file://$folder/origin

name() { git -C origin log -1 --format=%s "$1"; }

git -C host fetch -q "$url" main
fetched=$(name "$(git -C host rev-parse FETCH_HEAD)")
echo "git fetch URL main:                       $fetched commit"
[[ $fetched == newest ]] || changed "git fetch got the $fetched commit"

read -r commit ref < <(git ls-remote "$url" main)
echo "git ls-remote URL main, first line:       $(name "$commit") commit ($ref)"
[[ $ref == refs/heads/attic/main ]] || changed "the first line is $ref"

lines=$(git ls-remote --heads "$url" main | wc -l)
echo "git ls-remote --heads URL main:           $lines lines"
[[ $lines == 2 ]] || changed "with --heads there are $lines lines"

git ls-remote "$url" refs/heads/main > listed
read -r commit ref < listed
echo "git ls-remote URL refs/heads/main:        $(name "$commit") commit, $(wc -l < listed) line"
[[ $ref == refs/heads/main && $(wc -l < listed) == 1 ]] || changed "the full name finds $ref"

git -C origin branch -q -D main
if git -C host fetch -q "$url" main 2> messages; then changed "a deleted branch was fetched"; fi
echo "main is deleted, git fetch URL main:      fails"
status=0
git ls-remote --exit-code "$url" main > listed || status=$?
[[ $status == 0 ]] || changed "--exit-code ends with $status"
read -r commit ref < listed
echo "main is deleted, ls-remote --exit-code:   $(name "$commit") commit ($ref), status $status"
