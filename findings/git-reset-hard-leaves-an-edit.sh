#!/usr/bin/env bash
# What one would expect: after "git fetch" and "git reset --hard origin/main" every tracked file is as in that commit, and
# "git status" is silent because that is so.
#
# What happens: a file that somebody once marked with "git update-index --skip-worktree" keeps a local edit through the
# reset, as long as the commit does not change that file; and status calls the checkout clean before and after. A fetch,
# a reset to another commit, and "git checkout -f" do not take the mark away, nor the edit. A build of the checkout as it
# lies there takes the edit along.
#
# Why it matters: fetch and reset --hard is how machines are brought to exactly what the remote has, and a clean status is
# what shows that they are. Somebody who marked a file years ago to keep a local setting out of "git status" has a host
# that deploys what is in no commit, and that every look calls clean. Only "git ls-files -v" tells: it lists such a file
# with an S in front. (A file marked --assume-unchanged is hidden from status too, and reset --hard does restore it.)
#
# Seen on 2026-11-30 with git 1:2.39.5-0+deb12u3 of Debian 12, and with git 2.47.3:
#
#   edited and marked:              status says nothing
#   after fetch and reset --hard:   HEAD is the new commit, status says nothing, the edit is there
#   after checkout -f:              the edit is there
#   ls-files -v:                    S service.nix
#   mark taken away, reset --hard:  the edit is gone
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
echo 'port = 443;' > origin/service.nix
echo one > origin/other.nix
git -C origin add .
git -C origin commit -q -m one
git clone -q origin host

echo 'port = 8443;' > host/service.nix
git -C host update-index --skip-worktree service.nix
[[ -z $(git -C host status --porcelain) ]] || changed "status sees the edit"
echo "edited and marked:              status says nothing"

echo two > origin/other.nix
git -C origin commit -q -a -m two
git -C host fetch -q
git -C host reset -q --hard origin/main
[[ $(git -C host rev-parse HEAD) == "$(git -C origin rev-parse main)" ]] || changed "the reset went elsewhere"
[[ -z $(git -C host status --porcelain) ]] || changed "status sees the edit after the reset"
[[ $(cat host/service.nix) == 'port = 8443;' ]] || changed "the reset has undone the edit"
echo "after fetch and reset --hard:   HEAD is the new commit, status says nothing, the edit is there"

git -C host checkout -q -f main
[[ $(cat host/service.nix) == 'port = 8443;' ]] || changed "checkout -f has undone the edit"
echo "after checkout -f:              the edit is there"

marked=$(git -C host ls-files -v | grep '^S')
echo "ls-files -v:                    $marked"
[[ $marked == 'S service.nix' ]] || changed "ls-files -v says $marked"

git -C host update-index --no-skip-worktree service.nix
git -C host reset -q --hard
[[ $(cat host/service.nix) == 'port = 443;' ]] || changed "the edit is still there without the mark"
echo "mark taken away, reset --hard:  the edit is gone"
