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

check_state() {
    if [ -z "$STATE" ]; then
        found missing "state folder" "there is no HOME; configure a state folder"
    elif mkdir -p "$STATE/ops" 2>/dev/null && printf '%s\n' x 2>/dev/null >"$STATE/check.$$" &&
        ln "$STATE/check.$$" "$STATE/check.$$.link" 2>/dev/null; then
        found works "state folder" "$STATE"
    else
        found missing "state folder" "cannot write to $STATE: configure another, or give it to this user"
    fi
    rm -f "$STATE/check.$$" "$STATE/check.$$.link" 2>/dev/null
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
        found limited git "it is not there: the commit is read by hand, nobody can tell whether files differ, and the default pull needs it"
    else
        found works git "$(git --version 2>/dev/null)"
    fi
    if [ -z "$CHECKOUT" ]; then
        found limited checkout "none is configured"
        return
    fi
    R=$(PREFIX='' && checkout_facts)
    case $R in
        *'commit = '*) found works checkout "$CHECKOUT" ;;
        *'commit ? '*)
            R=${R#*commit \? }
            found missing checkout "${R%%"$NL"*}"
            ;;
    esac
    [ -w "$CHECKOUT" ] || found limited pull "this user may not write to $CHECKOUT"
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
    if ! has sudo; then
        found missing sudo "it is configured, and not there"
    elif R=$(sudo -n -l 2>&1); then
        case $R in
            *NOPASSWD*) found works sudo "without a password, for what sudoers names" ;;
            *) found limited sudo "no program is named in sudoers that needs no password (NOPASSWD)" ;;
        esac
        [ "$(id -u)" -ne 0 ] || found works sudo "this is root already"
    else
        found missing sudo "$R; put \`$(id -un) ALL=(root) NOPASSWD: PROGRAM\` into sudoers (with visudo) for each program of a switch and a rollback"
    fi
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
