#!/usr/bin/env bash
# What one would expect: where git cannot look at a tracked file, "git status" fails, or lists the file. "git diff --quiet"
# ends with 1, or with an error.
#
# What happens: a folder that git's user may not enter is passed over. Status lists none of its files, says so on standard
# error alone, and ends with 0; "git diff --quiet" ends with 0, which means that nothing differs. An edit behind it is no
# change. A folder that is gone is told: its files are deleted.
#
# Why it matters: whoever asks as one user whether a checkout is clean, and builds it as another, builds the edit. Scripts read
# standard output and the exit status, and both say clean.
#
# Seen on 2026-12-01 with git 1:2.39.5-0+deb12u3 of Debian 12, and with git 2.47.3:
#
#   folder may be entered:      status lists " M secrets/key", diff --quiet ends with 1
#   folder may not be entered:  status lists nothing, ends with 0, says "secrets/key: Permission denied" beside it
#                               diff --quiet ends with 0
#   folder is gone:             status lists " D secrets/key"
set -euo pipefail

changed() {
    echo "not as described any more: $*" >&2
    exit 1
}

folder=$(mktemp -d)
trap 'chmod -R u+rwx "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
git --version

export HOME=$folder GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
export GIT_AUTHOR_NAME=nobody GIT_AUTHOR_EMAIL=nobody@example.org
export GIT_COMMITTER_NAME=nobody GIT_COMMITTER_EMAIL=nobody@example.org
as_user=()
if [[ $EUID == 0 ]]; then
    # Root may enter any folder.
    chown nobody "$folder"
    as_user=(setpriv --reuid=nobody --clear-groups)
fi
program=$(command -v git)
git() { "${as_user[@]}" "$program" "$@"; }

git init -q --initial-branch=main host
"${as_user[@]}" mkdir host/secrets
"${as_user[@]}" sh -c 'echo old > host/secrets/key'
git -C host add .
git -C host commit -q -m one
"${as_user[@]}" sh -c 'echo another > host/secrets/key'

quiet() { git -C host diff --quiet 2> beside && echo 0 || echo $?; }
listed=$(git -C host status --porcelain)
[[ $listed == ' M secrets/key' && $(quiet) == 1 ]] || changed "the edit is not seen: $listed"
echo "folder may be entered:      status lists \"$listed\", diff --quiet ends with 1"

chmod 000 host/secrets
listed=$(git -C host status --porcelain --untracked-files=no 2> beside) || changed "status fails"
said=$(< beside)
[[ -z $listed ]] || changed "status lists $listed"
[[ $said == *'secrets/key: Permission denied'* ]] || changed "status says $said"
echo "folder may not be entered:  status lists nothing, ends with 0, says \"$said\" beside it"
[[ $(quiet) == 0 ]] || changed "diff --quiet tells"
echo "                            diff --quiet ends with 0"

chmod 755 host/secrets
"${as_user[@]}" rm -r host/secrets
listed=$(git -C host status --porcelain)
[[ $listed == ' D secrets/key' ]] || changed "status lists $listed"
echo "folder is gone:             status lists \"$listed\""
