# What stands for nixos-rebuild: the same links move, in the same order, each at once.
profiles=machine/nix/var/nix/profiles

# link TO NAME
link() {
    ln -s "$1" "$2.new" && mv -T "$2.new" "$2"
}

# build COMMIT: says where.
build() {
    system=$PWD/machine/nix/store/$1-system
    mkdir -p "$system/sw/bin"
    printf '{"configurationRevision":"%s"}\n' "$1" >"$system/sw/bin/nixos-version"
    echo "$system"
}

# generation NUMBER SYSTEM
generation() {
    mkdir -p "$profiles"
    link "$2" "$profiles/system-$1-link"
    link "system-$1-link" "$profiles/system"
}

# activate SYSTEM
activate() {
    link "$1" machine/run/current-system
}

# deploy: the checkout, as the next generation.
deploy() {
    next=$(($(cat generations) + 1))
    echo "$next" >generations
    built=$(build "$(git -C checkout rev-parse HEAD)")
    generation "$next" "$built"
    activate "$built"
}

# back NUMBER
back() {
    link "system-$1-link" "$profiles/system"
    activate "$(readlink "$profiles/system-$1-link")"
}

# Waits for somebody to say so.
wait_for() {
    while ! test -e "$1"; do sleep 0.05; done
}
