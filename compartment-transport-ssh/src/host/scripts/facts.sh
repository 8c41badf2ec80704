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
    if [ -n "$WHY" ]; then
        doubtful "$WHY"
    elif has git; then
        # A shell may say itself that what it started was killed.
        { whose "$TOP" && seen_by_git; } 2>/dev/null
    else
        by_hand "without git nobody can tell whether files of $TOP differ, and which lock its commit has"
    fi
    tell commit "$COMMIT"
    tell dirty "$DIRTY"
    tell lock "$LOCK"
    cd /
}

doubtful() {
    COMMIT="? $1" DIRTY="? $1" LOCK="? $1"
}

# Where git says nothing: the commit, and that nobody can tell the rest.
by_hand() {
    doubtful "$1"
    head_by_hand
    [ -z "$R" ] || COMMIT="= $R"
}

# As whom git runs in a folder: as its owner. git runs what a repository's configuration names, so it must not run as
# somebody else than whoever wrote that. It refuses by itself, and is not told not to. WHOSE is the owner, where that is
# not this user and this user may become the owner.
whose() {
    WHOSE=
    # By it, root's git would trust what a user owns.
    unset SUDO_UID
    [ ! -O "$1" ] || return 0
    set -- $(ls -ldn "$1" 2>/dev/null)
    case ${3:-x}${4:-x} in *[!0-9]*) return 0 ;; esac
    if [ "$(id -u)" -ne 0 ]; then
        [ -n "$SUDO" ] && sudo -n -u "#$3" -- true 2>/dev/null || return 0
    fi
    WHOSE=$3 WHOSE_GROUP=$4 WHOSE_HOME=/ GROUPS_BY=--clear-groups
    IFS=: read -r R R R WHOSE_GROUP R WHOSE_HOME R <<END || :
$(getent passwd "$3" 2>/dev/null || grep "^[^:]*:[^:]*:$3:" /etc/passwd 2>/dev/null)
END
    if [ -n "$WHOSE_GROUP" ]; then GROUPS_BY=--init-groups; else WHOSE_GROUP=$4 WHOSE_HOME=/; fi
}

# Runs a program in the place of this process, as WHOSE where that is somebody.
as_owner() {
    if [ -z "$WHOSE" ]; then
        :
    elif [ "$(id -u)" -eq 0 ] && setpriv --version 2>/dev/null | grep -q util-linux; then
        unset XDG_CONFIG_HOME
        HOME=$WHOSE_HOME
        export HOME
        set -- setpriv "--reuid=$WHOSE" "--regid=$WHOSE_GROUP" "$GROUPS_BY" --no-new-privs "$@"
    elif has sudo; then
        set -- sudo -n -E -H -u "#$WHOSE" -- "$@"
    fi
    exec "$@"
}

# For a process of its own: git takes its place. It overlooks nothing that a repository's configuration would have it
# overlook: Nix takes files as they are. It may wait for a network, where objects are fetched as they are needed: with
# GIT_WITHIN that many seconds, at most.
in_git() {
    closed "$TOP" || {
        echo "$WHY" >&2
        exit 1
    }
    GIT_OPTIONAL_LOCKS=0 GIT_TERMINAL_PROMPT=0 GIT_NO_REPLACE_OBJECTS=1
    export GIT_OPTIONAL_LOCKS GIT_TERMINAL_PROMPT GIT_NO_REPLACE_OBJECTS
    set -- git -c gc.auto=0 -c maintenance.auto=false -c core.fsmonitor=false -c core.fileMode=true \
        -c core.symlinks=true -c core.trustctime=true -c core.checkStat=default \
        -c sparse.expectFilesOutsideOfPatterns=true -C "$TOP" "$@"
    [ -z "$GIT_WITHIN" ] || ! has timeout || set -- timeout -s KILL "$GIT_WITHIN" "$@"
    as_owner "$@"
}

# R is what git says on standard output. What comes on standard error counts only where it fails, and then R is that: sudo, or
# git that traces, may say something also when all is well.
ask_git() {
    R=$(in_git "$@" 2>/dev/null) && return
    case $? in
        137) R="git was killed${GIT_WITHIN:+ after $GIT_WITHIN s without an answer}" ;;
        *) R=$(in_git "$@" 2>&1 >/dev/null) ;;
    esac
    : "${R:=git failed}"
    return 1
}

# Keeps git from looking for a repository further up than this folder; 1 where it cannot be kept, and WHY.
closed() {
    GIT_CEILING_DIRECTORIES=${1%/*}
    : "${GIT_CEILING_DIRECTORIES:=/}"
    export GIT_CEILING_DIRECTORIES
    WHY="git cannot be kept to $1: there is a colon in the name of a folder above it; move it"
    case $GIT_CEILING_DIRECTORIES in *:*) return 1 ;; esac
}

# Commit and dirt in one call, which calls clean only what agrees in commit, index and files. Untracked files do not
# count: Nix does not see them. The lock of what is clean is that of its commit, which does not move.
seen_by_git() {
    has_own_repository
    case $? in
        0) ;;
        2)
            unseen_by_git "$R"
            return
            ;;
        *)
            doubtful "$WHY"
            return
            ;;
    esac
    if ! git_status; then
        unseen_by_git "$R"
        return
    fi
    STATUS=$R WHY=
    ! differs_by "$STATUS" flake.lock || WHY=1
    R=$STATUS
    case $NL$R in *"$NL# branch.oid "*) R=$NL$R R=${R#*"$NL# branch.oid "} ;; *) R= ;; esac
    R=${R%%"$NL"*}
    if ! is_hex "$R"; then
        COMMIT="? $TOP is at no commit"
        lock_in_folder
        return
    fi
    COMMIT="= $R"
    if [ -n "$WHY" ]; then lock_in_folder; else lock_of_commit "$R"; fi
    [ "$DIRTY" = '= 1' ] || nothing_hidden
    case $HIDDEN$NL in *' flake.lock'"$NL"*) LOCK="? cannot read $TOP/flake.lock: git is told not to look at it" ;; esac
    [ "$DIRTY" != '= 0' ] || submodules_differ
}

# Of a submodule it is asked which commit it is at: git is not to look into one that may be another user's, for it would run
# what is named there. Each is looked at by itself.
# DIRTY is whether a file differs. What git could not look at it leaves out, and says so beside its answer, though all went well
# as far as its exit status tells: what warns or traces, and what stands between this and git, says nothing of files.
git_status() {
    HIDDEN=
    set -- status --porcelain=v2 --branch --no-ahead-behind --untracked-files=no --ignore-submodules=dirty
    if ! R=$(in_git "$@" 2>&1); then
        ask_git "$@" || return 1
    fi
    DIRTY='= 0'
    case $NL$R in
        *"$NL"[12u]' '*) DIRTY='= 1' ;;
        *"$NL"[!#]*)
            while IFS= read -r LINE; do
                case $LINE in
                    '' | '# '* | 'warning: '* | 'hint: '* | 'sudo: '* | ??:??:*) ;;
                    *) DIRTY="? cannot tell whether files of $TOP differ: $LINE" && break ;;
                esac
            done <<END
$R
END
            ;;
    esac
}

# Whether a file is among those that differ, by a status: its name stands behind so many words as its kind of line has, and of one
# that was moved the former name behind that.
differs_by() {
    case $1 in *"$2"*) ;; *) return 1 ;; esac
    while IFS= read -r LINE; do
        case $LINE in
            '1 '*) set -- "$1" "$2" 8 ;;
            '2 '*) set -- "$1" "$2" 9 ;;
            'u '*) set -- "$1" "$2" 10 ;;
            *) continue ;;
        esac
        while [ "$3" -gt 0 ]; do
            LINE=${LINE#* }
            set -- "$1" "$2" $(($3 - 1))
        done
        case $LINE in "$2" | "$2	"* | *"	$2") return 0 ;; esac
    done <<END
$1
END
    return 1
}

# Whether the repository of TOP has its files there and is that of no other folder: within it, one that says so of itself
# (a worktree's), or one that no other folder has as its own; and nobody else may change what git would run. 1: WHY it is not.
# 2: git fails, WHY, and R is what it says. Nothing that a repository names has run after that.
has_own_repository() {
    if ! ask_git rev-parse --show-toplevel --absolute-git-dir --git-common-dir; then
        WHY="$TOP is no git checkout: $R"
        return 2
    fi
    WHY="the repository in $TOP has its files in ${R%%"$NL"*} (git's core.worktree); give a checkout of its own"
    [ "${R%%"$NL"*}" -ef "$TOP" ] || return 1
    R=${R#*"$NL"} COMMON=${R##*"$NL"}
    REPOSITORY=$(cd -P "${R%%"$NL"*}" 2>/dev/null && pwd -P)
    case $COMMON in /*) ;; *) COMMON=$TOP/$COMMON ;; esac
    is_own && is_of_one_user
}

# git looks at the owner of the checkout and of its git folder, and not of the folder that worktrees share, which holds the
# configuration.
is_of_one_user() {
    set -- "$TOP/." "$REPOSITORY" "$COMMON"
    for R in config config.worktree hooks info info/attributes; do set -- "$@" "$REPOSITORY/$R" "$COMMON/$R"; done
    # Of a link it is what it leads to that counts.
    PARTS=$(ls -ldnL "$@" 2>/dev/null)
    if [ -z "$PARTS" ]; then
        WHY="nobody can tell whose the repository of $TOP is: there is no ls"
        [ -O "$TOP" ] && [ -O "$REPOSITORY" ] && [ -O "$COMMON" ]
        return
    fi
    set --
    while read -r R R ID R; do
        case $R in */.) set -- "$ID" ;; esac
    done <<END
$PARTS
END
    while read -r MODE R ID R; do
        R=/${R#*/}
        case $ID:$R in
            # Root may do anything anyway.
            "${1:-0}:"* | 0:*) ;;
            *)
                WHY="$R belongs to another user than $TOP, and git runs what is named there; give a checkout that is all of one user"
                return 1
                ;;
        esac
        case $MODE:$R in
            *:*/.) ;;
            ????????w*)
                WHY="others may write to $R, and git runs what is named there: chmod o-w $R"
                return 1
                ;;
        esac
    done <<END
$PARTS
END
}

# R is the id of the user that something belongs to.
owner_of() {
    set -- $(ls -ldnL "$1" 2>/dev/null)
    R=${3:-}
}

is_own() {
    WHY="the repository of $TOP is that of another folder, $REPOSITORY; give a checkout of its own"
    if [ -f "$REPOSITORY/gitdir" ]; then
        first_line "$REPOSITORY/gitdir"
        # It may be relative: to the folder that says it.
        case $R in /*) ;; *) R=$REPOSITORY/$R ;; esac
        [ "$R" -ef "$TOP/.git" ]
        return
    fi
    [ "$REPOSITORY" = "$(cd -P "$TOP" 2>/dev/null && pwd -P)/.git" ] && return
    case $REPOSITORY in '' | */.git) return 1 ;; esac
}

# What git stumbles over must not hide the commit.
unseen_by_git() {
    case $1 in
        *'detected dubious ownership'*)
            by_hand "$TOP belongs to another user, and git does not look into it: log in as its owner or as root, or give the checkout to this user"
            return
            ;;
    esac
    doubtful "cannot read the state of $TOP: ${1:-git failed}"
    R=$(in_git rev-parse --verify 'HEAD^{commit}' 2>/dev/null)
    if is_hex "$R"; then COMMIT="= $R"; else by_hand "${DIRTY#??}"; fi
}

# Files that git takes to be unchanged without looking: `S` is skip-worktree, a small letter assume-unchanged. Such a
# mark outlives a pull, too.
nothing_hidden() {
    HIDDEN=$({ (in_git ls-files -v 2>/dev/null) || echo 'x git failed'; } | grep '^[a-zS] ')
    R=${HIDDEN%%"$NL"*}
    # Only the lock's own line is of use later.
    HIDDEN=$NL$HIDDEN
    case $HIDDEN$NL in *"$NL"[a-zS]" flake.lock$NL"*) HIDDEN='h flake.lock' ;; *) HIDDEN= ;; esac
    case $R in
        '') ;;
        'x '*) DIRTY="? cannot tell whether files of $TOP differ: ${R#x }" ;;
        *) DIRTY="? cannot tell whether files of $TOP differ: git is told not to look at ${R#??}, and perhaps at others; \`git update-index --no-assume-unchanged --no-skip-worktree FILE\`, or \`git sparse-checkout disable\`" ;;
    esac
}

# Each submodule by itself, and those within it: git does not look into all of them, nor at all of each (one that is
# inactive, an inner one that the outer one's settings ignore, one with its files elsewhere). LEFT are the checkouts whose
# submodules are still to be looked at.
submodules_differ() {
    LEFT=$TOP ABOVE=$TOP
    while [ -n "$LEFT" ] && [ "$DIRTY" = '= 0' ]; do
        OUTER=${LEFT%%"$NL"*} TOP=${LEFT%%"$NL"*}
        case $LEFT in *"$NL"*) LEFT=${LEFT#*"$NL"} ;; *) LEFT= ;; esac
        whose "$TOP"
        LINKS=$({ (in_git -c core.quotePath=false ls-files --stage 2>/dev/null) || echo '160000 failed'; } | grep '^160000 ')
        while [ "$DIRTY" = '= 0' ] && IFS= read -r LINK <&3; do
            [ -z "$LINK" ] || submodule_differs "$LINK"
        done 3<<END
$LINKS
END
    done
    TOP=$ABOVE
}

# 160000 COMMIT STAGE<tab>PATH, in OUTER.
submodule_differs() {
    set -- "${1#160000 }" "${1#*	}"
    TOP=$OUTER
    case $1 in
        failed) DIRTY="? cannot tell whether files of $TOP differ: git does not list its submodules" ;;
        *'	"'*) DIRTY="? cannot tell whether files of $TOP differ: a submodule is called $2" ;;
    esac
    [ "$DIRTY" = '= 0' ] || return 0
    TOP=$OUTER/$2
    if ! [ -e "$TOP/.git" ]; then
        # It was never fetched; git leaves an empty folder there.
        resolve "$TOP"
        case $? in
            1) return ;;
            2) DIRTY="? cannot tell whether files of $TOP differ: it cannot be read" ;;
        esac
        ls -A "$TOP" >/dev/null 2>&1 || DIRTY="? cannot tell whether files of $TOP differ: it cannot be read"
        for R in "$TOP"/* "$TOP"/.[!.]* "$TOP"/..?*; do
            if [ -e "$R" ] || [ -L "$R" ]; then
                DIRTY="? cannot tell whether files of $TOP differ: it has files, and is no repository"
            fi
        done
        return
    fi
    whose "$TOP"
    if ! has_own_repository; then
        DIRTY="? cannot tell whether files of $TOP differ: $WHY"
        return
    fi
    if ! git_status; then
        DIRTY="? cannot tell whether files of $TOP differ: $R"
        return
    fi
    [ "$DIRTY" = '= 0' ] || return 0
    case $NL$R$NL in
        *"$NL# branch.oid ${1%% *}$NL"*)
            nothing_hidden
            LEFT=$LEFT${LEFT:+$NL}$TOP
            ;;
        *) DIRTY='= 1' ;;
    esac
}

# The lock of the commit, whose file is as git put it there: it may have other bytes (line ends, filters), and Nix takes
# those of the commit. KNOWN is a commit and the hash of its lock.
lock_of_commit() {
    if [ "$1" = "${KNOWN% *}" ]; then
        LOCK="= ${KNOWN#* }"
    elif ! ask_git ls-tree "$1" flake.lock; then
        LOCK="? cannot read $TOP/flake.lock: $R"
    else
        case $R in
            '') LOCK='= -' ;;
            100*' blob '*) lock_in_blob $R ;;
            *) LOCK="? cannot read $TOP/flake.lock: it is no file in the commit" ;;
        esac
    fi
    if [ "$LOCK" = '= -' ] && { [ -e "$TOP/flake.lock" ] || [ -L "$TOP/flake.lock" ]; }; then
        LOCK="? cannot read $TOP/flake.lock: the commit has none: add it to the repository, or remove it"
    fi
}

# The hash of nothing.
NOTHING=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

# MODE blob HASH NAME, as git lists it. A lock is never empty: then git has said nothing.
lock_in_blob() {
    LOCK=
    if R=$(in_git cat-file blob "$3" 2>/dev/null | digest) && [ "$R" != "$NOTHING" ]; then
        LOCK="= $R"
    elif can_hash; then
        LOCK="? cannot read $TOP/flake.lock: it cannot be hashed"
    fi
}

# The lock that lies in the folder, where it differs from that of the commit: Nix takes it as it is.
lock_in_folder() {
    LOCK=
    if [ -L "$TOP/flake.lock" ]; then
        LOCK="? cannot read $TOP/flake.lock: it is no file"
    elif [ -f "$TOP/flake.lock" ]; then
        if ! [ -r "$TOP/flake.lock" ]; then
            LOCK="? cannot read $TOP/flake.lock: permission denied"
        elif R=$(digest <"$TOP/flake.lock"); then
            LOCK="= $R"
        fi
    elif [ -e "$TOP/flake.lock" ]; then
        LOCK="? cannot read $TOP/flake.lock: it is no file"
    else
        LOCK="? cannot read $TOP/flake.lock: the commit has it, the checkout does not"
    fi
}

# Without git: a folder of its own or of a worktree, loose refs and packed ones. R is the commit, where it is found.
head_by_hand() {
    set -- "$TOP/.git"
    if [ -f "$1" ]; then
        first_line "$1"
        case $R in
            'gitdir: /'*) set -- "${R#gitdir: }" ;;
            'gitdir: '*) set -- "$TOP/${R#gitdir: }" ;;
            *)
                R=
                return
                ;;
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
    is_hex "$R" || R=
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

can_hash() {
    has sha256sum || has shasum || has openssl || has sha256
}

# The SHA-256 of what comes in, by whichever tool there is.
digest() {
    if has sha256sum; then
        set -- sha256sum
    elif has shasum; then
        set -- shasum -a 256
    elif has openssl; then
        set -- openssl dgst -sha256
    elif has sha256; then
        set -- sha256
    else
        return 1
    fi
    for R in $("$@" 2>/dev/null); do
        case $R in *[!0-9a-f]*) continue ;; esac
        [ ${#R} -ne 64 ] || {
            printf '%s' "$R"
            return 0
        }
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
        case $PREFIX in after*) apart "$2" ;; esac
        # Booted without a switch, or switched without a boot: the number is another link's.
        number_of "$ROOT$SYSTEM_PROFILE" "$2"
    fi
    note_of "$2" || return 1
    system_at "$2" || return 1
    [ "$1" -ne 0 ] || [ -z "$NUMBER" ] || fact number "$NUMBER"
    [ -z "$NOTE" ] || stated_in "$2"
}

# After a switch, the newest generation and what runs are to be one, or a specialisation of it.
apart() {
    [ "$KIND" = switch ] && [ -z "$BOOTS" ] || return 0
    for D in "$REAL"/specialisation/*; do
        resolve "$D" && [ "$R" = "$1" ] && return 0
    done
    R=
    [ -z "$ROOT" ] || resolve "$ROOT"
    clean "the profile is at generation $NUMBER (${REAL#"$R"}), but ${1#"$R"} runs"
    fact apart "$R"
}

# The profile of home-manager, where that itself looks for it: in the user's own profiles, where there are any; else in
# those that Nix keeps for each user. OLD is one that counts no more, or nothing.
home_profile() {
    R=${XDG_STATE_HOME:-${HOME:+$HOME/.local/state}}
    OLD=${USER:+${NIX_STATE_DIR:-$ROOT/nix/var/nix}/profiles/per-user/$USER/home-manager}
    if [ -n "$R" ] && [ -d "$R/nix/profiles" ]; then
        R=$R/nix/profiles/home-manager
    else
        R=$OLD OLD=
    fi
}

home_fact() {
    home_profile
    set -- "$R" "$OLD"
    [ -n "$1" ] || return 0
    generation "$1"
    case $? in
        0)
            system_at "$REAL" || return 1
            fact number "$NUMBER"
            return 0
            ;;
        2) return 1 ;;
    esac
    [ -n "$2" ] && [ -L "$2" ] || return 0
    WHY="there is a generation of home-manager in ${2%/*}, and by now it keeps them in ${1%/*}: activate one there"
    return 1
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
