# What every script begins with. POSIX sh: dash, ash of busybox, bash; and nothing that macOS lacks.
# Names in capitals are for all; R is what the function called last has found.

NL='
'

setup() {
    # A user may export what a shell begins with (SHELLOPTS).
    set +e +f +u +C
    umask 077
    unset LOCALE
    [ -z "${LC_ALL+x}" ] || LOCALE=$LC_ALL
    LC_ALL=C
    export LC_ALL
    unset IFS CDPATH ENV BASH_ENV
    unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
    unset GIT_COMMON_DIR GIT_NAMESPACE GIT_PREFIX GIT_SHALLOW_FILE
    # It may be exported; what is set here is not for others.
    unset R D N WHY START BOOT PREFIX
    case :$PATH: in
        *":$PROGRAMS:") ;;
        *) PATH=${PATH:+$PATH:}$PROGRAMS ;;
    esac
    export PATH
    PREFIX="$NONCE "
    [ -n "$STATE" ] || case ${XDG_STATE_HOME:-}:${HOME:-} in
        /*) STATE=$XDG_STATE_HOME/compartment ;;
        *:/*) STATE=$HOME/.local/state/compartment ;;
    esac
    # Several machines may share a home; what one of them does is not what another does.
    R=
    [ ! -r "$ROOT/etc/machine-id" ] || read -r R <"$ROOT/etc/machine-id"
    case $R in '' | *[!0-9a-zA-Z-]*) R=local ;; esac
    [ -z "$STATE" ] || STATE=$STATE/$R
    real_state
    BOOT=-
    [ ! -r /proc/sys/kernel/random/boot_id ] || read -r BOOT </proc/sys/kernel/random/boot_id
    cd /
}

# By its real name from here on: whoever owns a link on the way could lead it elsewhere between two steps.
real_state() {
    [ -z "$STATE" ] || ! cd -P "$STATE" 2>/dev/null || STATE=$PWD
    cd /
}

# The surroundings of whoever runs this, for what is not ours; UMASK is theirs, where that is ever done.
as_before() {
    umask "$UMASK"
    unset LC_ALL
    if [ -n "${LOCALE+x}" ]; then
        LC_ALL=$LOCALE
        export LC_ALL
    fi
}

# The first line of the answer. What a login printed before need not have ended its own.
greet() {
    printf '\n'
    say "$FIRST"
}

# A line of the answer.
say() {
    printf '%s%s\n' "$PREFIX" "$*"
}

# Words in one line.
clean() {
    R=$1
    case $1 in
        *[![:print:]]*) R=$(printf '%s' "$1" | tr '\001-\037\177' '?') ;;
    esac
}

has() {
    command -v "$1" >/dev/null 2>&1
}

pause() {
    sleep 0.05 2>/dev/null || sleep 1
}

# Follows a link to a folder to its end. 1: there is none. 2: it cannot be read.
resolve() {
    R=
    if cd -P "$1" 2>/dev/null; then
        R=$PWD
        return 0
    fi
    if [ -L "$1" ] || [ -e "$1" ]; then return 2; fi
    # Not there, or hidden behind a folder that may not be entered.
    set -- "${1%/*}"
    while [ -n "$1" ] && ! [ -d "$1" ]; do set -- "${1%/*}"; done
    [ -x "${1:-/}" ] || return 2
    return 1
}

# When a process was started; nothing where it does not live. Its number alone says little: numbers are used again.
born() {
    R=
    case $1 in '' | *[!0-9]*) return 1 ;; esac
    if [ -r /proc/self/stat ]; then
        { read -r R <"/proc/$1/stat"; } 2>/dev/null || { R= && return 1; }
        # Behind its name, which may hold anything: state, and nineteen fields later the start.
        set -- ${R##*) }
        R=${20:-}
    else
        set -- $(TZ=UTC ps -o stat= -o lstart= -p "$1" 2>/dev/null)
        R=${2:-}_${3:-}_${4:-}_${5:-}_${6:-}
    fi
    case ${1:-Z} in Z* | X*) R= && return 1 ;; esac
}

# Whether the process that was described by these three lives.
lives() {
    [ "$3" = "$BOOT" ] && born "$1" && [ "$R" = "$2" ]
}
