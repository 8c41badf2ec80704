# Facts: `name = value`, or `name ? why it cannot be read`, or nothing.

fact() {
    printf '%s%s = %s\n' "$PREFIX" "$1" "$2"
}

doubt() {
    clean "$2"
    printf '%s%s ? %s\n' "$PREFIX" "$1" "$R"
}

# One that is kept as `= value`, `? why` or nothing.
tell() {
    case $2 in
        '= '*) fact "$1" "${2#= }" ;;
        '? '*) doubt "$1" "${2#? }" ;;
    esac
}

checkout_facts() {
    [ -n "$CHECKOUT" ] || return 0
    WHY=
    if ! cd -P "$CHECKOUT" 2>/dev/null; then
        WHY="cannot open $CHECKOUT; give the folder of the config repository's checkout"
    elif ! [ -e .git ]; then
        WHY="$CHECKOUT is not the top of a git checkout"
    fi
    TOP=$PWD
    set -- 1
    while [ -z "$WHY" ]; do
        R=$TOP/flake.lock
        { [ -f "$R" ] && [ -r "$R" ]; } || R=/dev/null
        # It stays open: what takes its place meanwhile cannot have its number.
        { at_once 3<"$R"; } 2>/dev/null && break
        [ "$1" -lt 3 ] || WHY="$TOP moved while it was read"
        set -- $(($1 + 1))
    done
    [ -z "$WHY" ] || COMMIT="? $WHY" DIRTY="? $WHY" LOCK="? $WHY"
    tell commit "$COMMIT"
    tell dirty "$DIRTY"
    tell lock "$LOCK"
    cd /
}

# Commit, dirt and lock as they are together; 1 where something moved.
at_once() {
    lock_of_checkout
    if has git; then
        head_by_git
        same_lock
    else
        head_by_hand
        set -- "$COMMIT"
        same_lock && head_by_hand && [ "$1" = "$COMMIT" ]
    fi
}

# Whether the lock is what it was when it was hashed. git puts another file in its place; whoever writes into it before
# the state is read makes the checkout dirty.
same_lock() {
    [ /dev/fd/3 -ef "$TOP/flake.lock" ] && return 0
    set -- "$LOCK"
    lock_of_checkout
    [ "$1" = "$LOCK" ]
}

# For a process of its own: git takes its place. It may wait for a network, where objects are fetched as they are
# needed: with GIT_WITHIN that many seconds, at most.
in_git() {
    closed "$TOP" || {
        echo "$WHY" >&2
        exit 1
    }
    GIT_OPTIONAL_LOCKS=0 GIT_TERMINAL_PROMPT=0
    export GIT_OPTIONAL_LOCKS GIT_TERMINAL_PROMPT
    set -- git -c gc.auto=0 -c maintenance.auto=false -c core.fsmonitor=false -c "safe.directory=*" -C "$TOP" "$@"
    [ -z "$GIT_WITHIN" ] || ! has timeout || set -- timeout -s KILL "$GIT_WITHIN" "$@"
    exec "$@"
}

# Keeps git from looking for a repository further up than this folder; 1 where it cannot be kept, and WHY.
closed() {
    GIT_CEILING_DIRECTORIES=${1%/*}
    : "${GIT_CEILING_DIRECTORIES:=/}"
    export GIT_CEILING_DIRECTORIES
    WHY="git cannot be kept to $1: there is a colon in the name of a folder above it; move it"
    case $GIT_CEILING_DIRECTORIES in *:*) return 1 ;; esac
}

# Commit and dirt in one call. Untracked files do not count: Nix does not see them.
head_by_git() {
    set -- status --porcelain=v2 --branch --no-ahead-behind --untracked-files=no --ignore-submodules=none
    R=$(in_git "$@" 2>/dev/null)
    case $? in
        0)
            DIRTY='= 0'
            # Whatever is no header is a file that differs.
            case $NL$R in *"$NL"[!#]*) DIRTY='= 1' ;; esac
            R=${R#\# branch.oid }
            is_hex "${R%%"$NL"*}" && COMMIT="= ${R%%"$NL"*}" || COMMIT="? $TOP is at no commit"
            return
            ;;
        137) R="git was killed${GIT_WITHIN:+ after $GIT_WITHIN s without an answer}" ;;
        *) R=$(in_git "$@" 2>&1 >/dev/null) ;;
    esac
    # What git stumbles over must not hide the commit.
    DIRTY="? cannot read the state of $TOP: ${R:-git failed}"
    R=$(in_git rev-parse --verify 'HEAD^{commit}' 2>/dev/null)
    is_hex "$R" && COMMIT="= $R" || COMMIT="? cannot read the commit of $TOP; ${DIRTY#??}"
}

# Without git: a folder of its own or of a worktree, loose refs and packed ones.
head_by_hand() {
    DIRTY=
    COMMIT="? $TOP/.git cannot be read without git"
    set -- "$TOP/.git"
    if [ -f "$1" ]; then
        first_line "$1"
        case $R in
            'gitdir: /'*) set -- "${R#gitdir: }" ;;
            'gitdir: '*) set -- "$TOP/${R#gitdir: }" ;;
            *) return ;;
        esac
    fi
    # Refs are in the folder of the worktree, or in the one that all worktrees share.
    set -- "$1" "$1" 5
    if [ -f "$1/commondir" ]; then
        first_line "$1/commondir"
        case $R in
            /*) set -- "$1" "$R" 5 ;;
            *) set -- "$1" "$1/$R" 5 ;;
        esac
    fi
    first_line "$1/HEAD"
    while [ "$3" -gt 0 ]; do
        case $R in
            'ref: '*) R=${R#ref: } ;;
            *) break ;;
        esac
        if [ -f "$1/$R" ]; then
            first_line "$1/$R"
        elif [ -f "$2/$R" ]; then
            first_line "$2/$R"
        else
            R=$(packed "$2/packed-refs" "$R")
        fi
        set -- "$1" "$2" $(($3 - 1))
    done
    if is_hex "$R"; then COMMIT="= $R"; fi
}

packed() {
    grep -F " $2" "$1" 2>/dev/null | while read -r R WHY; do
        [ "$WHY" != "$2" ] || printf '%s\n' "$R"
    done
}

first_line() {
    R=
    { read -r R <"$1"; } 2>/dev/null || :
}

is_hex() {
    case $1 in '' | *[!0-9a-fA-F]*) return 1 ;; esac
    [ ${#1} -ge 7 ] && [ ${#1} -le 64 ]
}

# LOCK is told, `-` for no file, in doubt, or nothing where no tool can hash it.
lock_of_checkout() {
    LOCK=
    if [ -f "$TOP/flake.lock" ]; then
        if ! [ -r "$TOP/flake.lock" ]; then
            LOCK="? cannot read $TOP/flake.lock: permission denied"
        elif hash_of "$TOP/flake.lock"; then
            LOCK="= $R"
        fi
    elif [ -e "$TOP/flake.lock" ] || [ -L "$TOP/flake.lock" ]; then
        LOCK="? cannot read $TOP/flake.lock: it is no file"
    elif ! has git; then
        LOCK='= -'
    elif ! R=$(in_git ls-tree HEAD flake.lock 2>&1); then
        LOCK="? cannot read $TOP/flake.lock: ${R:-git failed}"
    elif [ -n "$R" ]; then
        LOCK="? cannot read $TOP/flake.lock: the commit has it, the checkout does not"
    else
        LOCK='= -'
    fi
}

# By whichever tool there is.
hash_of() {
    hashed sha256sum <"$1" || hashed shasum -a 256 <"$1" || hashed openssl dgst -sha256 <"$1" || hashed sha256 <"$1"
}

hashed() {
    has "$1" || return 1
    for R in $("$@" 2>/dev/null); do
        case $R in *[!0-9a-f]*) continue ;; esac
        [ ${#R} -ne 64 ] || return 0
    done
    return 1
}

# What runs: the system, else the user's home.
system_facts() {
    system_fact || doubt system "$WHY"
    cd /
}

system_fact() {
    if [ "$MANAGED" = home ]; then
        home_fact
        return
    fi
    generation "$ROOT$SYSTEM_PROFILE"
    set -- $?
    [ "$1" -ne 2 ] || return 1
    resolve "$ROOT$SYSTEM_LINK"
    case $?$1 in
        0*) set -- "$1" "$R" ;;
        10)
            WHY="there is a system profile, but no $ROOT$SYSTEM_LINK"
            return 1
            ;;
        11)
            [ "$MANAGED" != either ] || home_fact
            return
            ;;
        *)
            WHY="cannot read $ROOT$SYSTEM_LINK"
            return 1
            ;;
    esac
    if [ "$1" -eq 0 ] && [ "$REAL" != "$2" ]; then
        # Booted without a switch, or switched without a boot: the number is another link's.
        number_of "$ROOT$SYSTEM_PROFILE" "$2"
    fi
    note_of "$2" || return 1
    system_at "$2" || return 1
    [ "$1" -ne 0 ] || [ -z "$NUMBER" ] || fact number "$NUMBER"
    [ -z "$NOTE" ] || stated_in "$2"
}

home_fact() {
    for R in "${HOME:+$HOME/.local/state/nix/profiles}" \
        "${USER:+$ROOT/nix/var/nix/profiles/per-user/$USER}"; do
        [ -n "$R" ] || continue
        generation "$R/home-manager"
        case $? in
            0)
                system_at "$REAL" || return 1
                fact number "$NUMBER"
                return 0
                ;;
            2) return 1 ;;
        esac
    done
}

# The path as the machine under the root names it.
system_at() {
    R=
    [ -z "$ROOT" ] || resolve "$ROOT"
    R=${1#"$R"}
    case $R in
        *[![:print:]]*)
            WHY="what runs has no usable path: $R"
            return 1
            ;;
    esac
    fact system "$R"
}

# The generation that a profile points to: REAL and NUMBER. 1: there is no such profile. 2: it cannot be read.
generation() {
    NUMBER=
    # It is read once: a switch may point it elsewhere meanwhile, and where it pointed to stays what it is.
    set -- "$1" "$(readlink "$1" 2>/dev/null)"
    case $2 in
        '') resolve "$1" ;;
        /*) resolve "$2" ;;
        *) resolve "${1%/*}/$2" ;;
    esac
    case $?$2 in
        0*) ;;
        1) return 1 ;;
        *)
            WHY="cannot read $1"
            return 2
            ;;
    esac
    REAL=$R
    number_in "${1##*/}" "${2##*/}" && return 0
    WHY="$1 points to no generation"
    return 2
}

# `system-48-link` of the profile `system` is number 48.
number_in() {
    NUMBER=
    case $2 in
        "$1"-*-link) R=${2#"$1"-} ;;
        *) return 1 ;;
    esac
    R=${R%-link}
    case $R in *[!0-9]*) return 1 ;; *[1-9]*) ;; *) return 1 ;; esac
    [ ${#R} -le 10 ] || return 1
    NUMBER=$R
}

# The number of the only generation of a profile that resolves to a folder.
number_of() {
    set -- "$1" "$2" ''
    for R in "$1"-*-link; do
        cd -P "$R" 2>/dev/null && [ "$PWD" = "$2" ] && number_in "${1##*/}" "${R##*/}" || continue
        if [ -n "$3" ]; then
            NUMBER=
            return
        fi
        set -- "$1" "$2" "$NUMBER"
    done
    NUMBER=$3
}

# In which file a system says what it was built from: nix-darwin has one for it, NixOS a line in a script.
note_of() {
    NOTE=
    for R in darwin-version.json sw/bin/nixos-version; do
        if [ -f "$1/$R" ] && [ -r "$1/$R" ]; then
            NOTE=$R
            return 0
        elif [ -e "$1/$R" ] || [ -L "$1/$R" ]; then
            WHY="cannot read $1/$R"
            return 1
        fi
    done
}

stated_in() {
    case $NOTE in
        darwin*) fact darwin "$(dd bs=65536 count=1 <"$1/$NOTE" 2>/dev/null | tr '\001-\037' ' ')" ;;
        *) stated_by_script <"$1/$NOTE" || : ;;
    esac
}

# It has few lines; another program to pick one would cost more. What is no script says nothing to a reader.
stated_by_script() {
    set -- 200
    while [ "$1" -gt 0 ] && { IFS= read -r R || [ -n "$R" ]; }; do
        case $R in
            '{'*) fact nixos "$R" ;;
            ?ELF*) break ;;
        esac
        set -- $(($1 - 1))
    done
}
