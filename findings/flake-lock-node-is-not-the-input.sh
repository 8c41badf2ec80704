#!/usr/bin/env bash
# What one would expect: .nodes.nixpkgs of a flake.lock is the input "nixpkgs" of that flake.
#
# What happens: the names of the nodes are given in the order in which Nix meets them. It goes through the inputs by
# name, and into each before it goes on. A flake has the input "nixpkgs". It gets a further input, "agenix", which has
# a nixpkgs of its own. From then on the node "nixpkgs" is the one of agenix, and the flake's own is "nixpkgs_2".
# Nothing that was locked has changed, and Nix evaluates what it did before.
#
# Why it matters: whoever reads a host's nixpkgs out of .nodes.nixpkgs reads the one of some tool as soon as somebody
# adds that tool. The host then looks years behind, or up to date while it is not. The name of the right node is in
# the inputs of the root node: .nodes[.nodes[.root].inputs.nixpkgs]. Where that is a list and not a name, the input
# follows another one, and the list is the way to it.
#
# Seen on 2026-11-29 with nix-bin 2.8.0-1.1+b1 of Debian 12:
#
#   agenix   .nodes.nixpkgs   by way of the root   evaluated
#   no       new              new                  new
#   added    old              new                  new
set -euo pipefail

changed() {
    echo "not as described any more: $*" >&2
    exit 1
}

folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"

# Without Nix, the Debian package of it is unpacked here, with what it needs and is not installed.
command -v nix > /dev/null || (
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
export NIX_CONF_DIR=$folder/conf NIX_REMOTE=local
export NIX_CONFIG='experimental-features = nix-command flakes
build-users-group ='
unset NIX_PATH XDG_CACHE_HOME XDG_CONFIG_HOME XDG_CONFIG_DIRS NIX_USER_CONF_FILES
nix --version

mkdir home old new agenix fleet
echo '{ outputs = _: { which = "old"; }; }' > old/flake.nix
echo '{ outputs = _: { which = "new"; }; }' > new/flake.nix
echo "{ inputs.nixpkgs.url = \"path:$folder/old\"; outputs = _: { }; }" > agenix/flake.nix

# The name of the folder that is locked, as both ways read it, and what Nix evaluates.
look() {
    nix flake lock "path:$folder/fleet" 2> messages || { cat messages >&2; exit 2; }
    by_name=$(basename "$(jq -r '.nodes.nixpkgs.locked.path' fleet/flake.lock)")
    by_root=$(basename "$(jq -r '.nodes[.nodes[.root].inputs.nixpkgs].locked.path' fleet/flake.lock)")
    evaluated=$(nix eval --raw "path:$folder/fleet#which")
    printf '%-8s %-16s %-20s %s\n' "$1" "$by_name" "$by_root" "$evaluated"
}

printf '%-8s %-16s %-20s %s\n' agenix .nodes.nixpkgs "by way of the root" evaluated
own="inputs.nixpkgs.url = \"path:$folder/new\"; outputs = { nixpkgs, ... }: { inherit (nixpkgs) which; };"
echo "{ $own }" > fleet/flake.nix
look no
[[ $by_name == new && $by_root == new && $evaluated == new ]] || changed "one input alone is not locked as such"

echo "{ $own inputs.agenix.url = \"path:$folder/agenix\"; }" > fleet/flake.nix
look added
[[ $by_root == new && $evaluated == new ]] || changed "the flake's own input is another one now"
[[ $by_name == old ]] || changed "the node nixpkgs is still the flake's own input"
