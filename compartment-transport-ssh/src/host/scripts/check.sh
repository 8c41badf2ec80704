# What works here, and what is missing.

main() {
    setup
    greet
    found works shell "$(uname -s 2>/dev/null || echo unknown), for $(id -un 2>/dev/null || echo somebody)"
    check_state
    check_start
    check_checkout
    check_hash
    check_system
    check_sudo
    programs
    check_tests
    say end
}

found() {
    clean "$3"
    say "$1 $2: $R"
}

# Nothing is made: whether it could be is asked of the nearest folder that is there.
check_state() {
    if [ -z "$STATE" ]; then
        found missing "state folder" "there is no HOME; configure a state folder"
        return
    fi
    D=$STATE/ops
    until [ -e "$D" ] || [ -L "$D" ]; do D=${D%/*} && D=${D:-/}; done
    if ! [ -d "$D" ] || ! [ -w "$D" ] || ! [ -x "$D" ]; then
        found missing "state folder" "cannot write to $STATE: configure another, or give it to this user"
    elif ! own_folder "$D"; then
        found missing "state folder" "$WHY; what is in the state folder is run"
    elif [ -d "$STATE" ]; then
        found works "state folder" "$STATE"
    else
        found works "state folder" "the first operation makes $STATE"
    fi
}

check_start() {
    if by_systemd; then
        found works detaching "by systemd-run: the end of a session takes no operation along"
    elif has systemd-run && [ -d "$ROOT/run/systemd/system" ]; then
        found limited detaching "by setsid: where logind ends a user's processes with the session (KillUserProcesses), run \`loginctl enable-linger\` for this user"
    elif has setsid; then
        found works detaching "by setsid"
    else
        found limited detaching "by nohup: there is no systemd-run and no setsid"
    fi
    has mkfifo || found limited output "there is no mkfifo, so nothing that an operation prints is kept"
    [ -r /proc/self/stat ] || has ps || found missing processes "there is no /proc and no ps, so nobody can tell what runs"
}

check_checkout() {
    if ! has git; then
        found limited git "it is not there: the commit is read by hand, nobody can tell whether files differ, nor which lock the commit has, and the default pull needs it"
    else
        found works git "$(git --version 2>/dev/null)"
    fi
    if [ -z "$CHECKOUT" ]; then
        found limited checkout "none is configured"
        return
    fi
    R=$(PREFIX='' && checkout_facts)
    case $R in
        *'commit = '*'dirty ? '*)
            R=${R#*dirty \? }
            found limited checkout "${R%%"$NL"*}"
            ;;
        *'commit = '*) found works checkout "$CHECKOUT" ;;
        *'commit ? '*)
            R=${R#*commit \? }
            found missing checkout "${R%%"$NL"*}"
            ;;
    esac
    ! [ -e "$CHECKOUT" ] || [ -w "$CHECKOUT" ] || found limited pull "this user may not write to $CHECKOUT"
}

check_hash() {
    for R in sha256sum shasum openssl sha256; do
        if has "$R"; then
            found works "lock hash" "by $R"
            return
        fi
    done
    found missing "lock hash" "there is no sha256sum, shasum, openssl or sha256: nobody can tell which flake.lock is there"
}

check_system() {
    R=$(PREFIX='' && system_facts)
    case $R in
        *'system = '*)
            R=${R#*system = }
            found works system "${R%%"$NL"*}"
            ;;
        *'system ? '*)
            R=${R#*system \? }
            found missing system "${R%%"$NL"*}"
            ;;
        *) found missing system "there is no $ROOT$SYSTEM_LINK, and no generation of home-manager" ;;
    esac
}

check_sudo() {
    [ -n "$SUDO" ] || return 0
    if has sudo; then
        MAY=$(sudo -n -l 2>&1)
        by_sudo
        check_end
    else
        found missing sudo "it is configured, and not there"
    fi
}

# What runs as root is ended by sudo, too.
check_end() {
    [ "$(id -u)" -ne 0 ] || return 0
    if ! { R=$(sudo -n -l -- kill -TERM 1 2>/dev/null) && asks_nothing "${R%% *}"; }; then
        file_of kill
        found limited sudo "kill is not allowed without a password, so nobody can end what runs as root, at its limit or before; $(rule "$R")"
    fi
    [ -r /proc/1/stat ] || [ ! -r /proc/self/stat ] ||
        found limited processes "this user sees no others' (hidepid): what leaves a step's process group as root is not found when the step is ended"
}

# The file of a program, also of one that the shell has itself.
file_of() {
    R=$(
        IFS=:
        for D in $PATH; do
            [ -f "$D/$1" ] && [ -x "$D/$1" ] && printf '%s' "$D/$1" && break
        done
    )
    : "${R:=/bin/$1}"
}

# sudo says whether a program may be run; only its rules say whether without a password.
allowed() {
    has "$1" || return 0
    D=$1
    if ! R=$(sudo -n -l -- "$@" 2>&1); then
        found missing sudo "$D: ${R:-sudoers does not allow it}; $(rule "$(command -v "$D")")"
    elif [ "$(id -u)" -eq 0 ] || asks_nothing "${R%% *}"; then
        found works sudo "$D, without a password"
    else
        found limited sudo "$D is allowed, and perhaps not without a password; $(rule "${R%% *}")"
    fi
}

rule() {
    printf '%s' "put \`$(id -un) ALL=(root) NOPASSWD: $1\` into sudoers (with visudo)"
}

asks_nothing() {
    case $MAY in *NOPASSWD*) ;; *) return 1 ;; esac
    printf '%s\n' "$MAY" | grep NOPASSWD | grep -qF -e "$1" -e 'NOPASSWD: ALL' ||
        ! printf '%s\n' "$MAY" | grep '^ *(' | grep -qv NOPASSWD
}

each_program() {
    for D; do
        if has "$D"; then
            found works program "$(command -v "$D")"
        else
            found missing program "$D is not there, or not in PATH"
        fi
    done
}

check_tests() {
    [ -n "$TESTS" ] || return 0
    COUNT=0
    if ! each_test count; then
        found missing tests "cannot read the folder $TESTS"
    elif [ "$COUNT" -eq 0 ]; then
        found limited tests "there are none in $TESTS"
    else
        found works tests "$COUNT in $TESTS"
    fi
}
