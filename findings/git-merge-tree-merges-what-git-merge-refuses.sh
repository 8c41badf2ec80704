#!/usr/bin/env bash
# What one would expect: "git merge-tree --write-tree" makes the merge that "git merge" makes, only without a checkout.
#
# What happens: a branch says in its .gitattributes that a file is not to be merged line by line (here "data -merge"; a
# lock file is a usual one). Both sides change different lines of it. "git merge" in a clone stops with a conflict. In
# a bare repository "git merge-tree" reports success for the same two commits and writes the file with both changes,
# because git looks for .gitattributes in a work tree, and there is none. With "--attr-source" (git 2.41 and later) or
# run in a folder that holds the file, as the work tree, it finds the conflict.
#
# Why it matters: bots and servers merge in bare repositories. They make merges that nobody could make by hand, of files
# of which somebody wrote down that such a merge is wrong: a lock file whose two halves were never resolved together.
#
# Seen on 2026-11-30 with git 2.39.5-0+deb12u3 of Debian 12. git 2.47.3 does the same. Output:
#
#   git merge in a clone:               status 1, conflict in data
#   git merge-tree, bare:               status 0, both changes are in data
#   git merge-tree, with a work tree:   status 1, conflict in data
set -euo pipefail

changed() {
    echo "not as described any more: $*" >&2
    exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HOME=$folder GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
git --version

git init -q -b main desk
cd desk
seq 1 20 > data
echo 'data -merge' > .gitattributes
git add .
git commit -qm 'twenty lines'
git checkout -qb update
sed -i '1s/$/ of the update/' data
git commit -qam update
git checkout -q main
sed -i '20s/$/ of main/' data
git commit -qam main
cd ..
git clone -q --bare desk server.git

status=0
git -C desk merge -q update > said 2>&1 || status=$?
echo "git merge in a clone:               status $status, $(sed -n 's/^CONFLICT.*in /conflict in /p' said)"
[[ $status == 1 ]] || changed "git merge ends with $status"
grep -q '^CONFLICT.*data' said || changed "git merge names no conflict"

status=0
tree=$(git -C server.git merge-tree --write-tree --name-only --no-messages main update) || status=$?
[[ $status == 0 ]] || changed "git merge-tree ends with $status"
merged=$(git -C server.git cat-file blob "$tree:data")
[[ $merged == *'1 of the update'* && $merged == *'20 of main'* ]] || changed "the file is not merged"
echo "git merge-tree, bare:               status 0, both changes are in data"

mkdir attributes
git -C server.git cat-file blob main:.gitattributes > attributes/.gitattributes
status=0
cd attributes
GIT_DIR=$folder/server.git GIT_WORK_TREE=$folder/attributes \
    git merge-tree --write-tree --name-only --no-messages main update > ../said || status=$?
echo "git merge-tree, with a work tree:   status $status, conflict in $(sed -n 2p ../said)"
[[ $status == 1 ]] || changed "it finds no conflict"
