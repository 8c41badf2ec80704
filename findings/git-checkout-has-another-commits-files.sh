#!/usr/bin/env bash
# What one would expect: after "git reset --hard COMMIT" the files are those of COMMIT. "git rev-parse HEAD" names it, a
# clean "git status" says that nothing differs from it, and "git diff COMMIT" is empty because of that.
#
# What happens: where the repository has a ref below refs/replace for that commit, git takes the other commit's tree and
# goes on calling it by the first one's hash. The reset writes the other files, HEAD is COMMIT by name, status is clean,
# the diff is empty, and even "git archive COMMIT" packs the other files. "git fsck" says nothing. Only
# "git --no-replace-objects" (GIT_NO_REPLACE_OBJECTS) tells. Such refs come along without being asked for: a clone made
# with --mirror has those of its origin, where a plain clone has none, so two clones of one repository show different
# files for one hash.
#
# Why it matters: whoever watches machines compares hashes. Two hosts at the same commit, both clean by git's own word,
# can have different files, and a build takes the files.
#
# Seen on 2026-12-01 with git 1:2.39.5-0+deb12u3 of Debian 12, and with git 2.47.3:
#
#   mirror, reset --hard to two:    HEAD is two, status says nothing, the file says "one"
#   git diff, git archive:          nothing differs; the archive says "one"
#   plain clone at the same hash:   the file says "two"
#   without replace refs:           status says "M  service.nix"
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
for word in one two; do
    echo "$word" > origin/service.nix
    git -C origin add .
    git -C origin commit -q -m "$word"
done
two=$(git -C origin rev-parse main) one=$(git -C origin rev-parse main~1)
# Somebody who works on the origin looks at it as if the last commit had never been.
git -C origin replace "$two" "$one"

git clone -q --mirror origin mirror.git
git -C mirror.git worktree add -q --detach "$folder/host" "$one"
git -C host reset -q --hard "$two"
[[ $(git -C host rev-parse HEAD) == "$two" ]] || changed "HEAD is another commit"
[[ -z $(git -C host status --porcelain) ]] || changed "status sees a difference"
[[ $(cat host/service.nix) == one ]] || changed "the file says $(cat host/service.nix)"
echo 'mirror, reset --hard to two:    HEAD is two, status says nothing, the file says "one"'

git -C host diff --quiet "$two" || changed "diff sees a difference"
[[ $(git -C host archive "$two" service.nix | tar -xO) == one ]] || changed "the archive is of the commit"
git -C host fsck 2> /dev/null | grep -q . && changed "fsck says something"
echo 'git diff, git archive:          nothing differs; the archive says "one"'

git clone -q origin plain
[[ $(git -C plain rev-parse HEAD) == "$two" ]] || changed "the plain clone is elsewhere"
[[ $(cat plain/service.nix) == two ]] || changed "the plain clone has the replacement, too"
echo 'plain clone at the same hash:   the file says "two"'

seen=$(git --no-replace-objects -C host status --porcelain)
[[ $seen == 'M  service.nix' ]] || changed "without replace refs status says: $seen"
echo "without replace refs:           status says \"$seen\""
