# Carries an operation out, in a process of its own, and writes down what came of it.

main() {
    # Not ignored: programs would inherit that.
    trap : TERM INT HUP
    NONCE=
    UMASK=$(umask)
    setup
    D=${0%/*}
    STATE=${D%/ops/*}
    born $$
    set -- "$$ $R $BOOT"
    # Whoever else wants it may have the lock in its hand for a moment.
    N=0
    until read_lock && [ "$LOCK_OP" = "$OP" ]; do
        N=$((N + 1))
        [ "$N" -le 40 ] || exit 1
        pause
    done
    # Of an earlier order, whose place another has taken since: it was too slow.
    { read -r R <"$D/attempt"; } 2>/dev/null
    [ "$R" = "$ATTEMPT" ] || exit 1
    take "$D" "$1" || exit 1
    N=0 RESULTS= STOPPED= FAILED= FAILURES=0
    PREFIX='before '
    BEFORE=$(checkout_facts; system_facts)
    now
    BEGAN=$R
    steps
    PREFIX='after '
    AFTER=$(checkout_facts; system_facts)
    said_after
    ENDING="kind $KIND$NL${TO_NUMBER:+number $TO_NUMBER$NL}${TO_PATH:+path $TO_PATH$NL}${STOPPED:+stopped$NL}"
    ENDING="${ENDING}user $(id -un 2>/dev/null)$NL${BEFORE:+$BEFORE$NL}$RESULTS${AFTER:+$AFTER$NL}end"
    # A switch may well fill a disk. What came of it is worth more than what was printed.
    finish || {
        rm -f "$D/output" "$D/run.sh" "$D"/tail.*
        until finish || [ "$N" -gt 9999 ]; do
            N=$((N + 100))
            sleep 1
        done
    }
    rm -f "$D/run.sh"
}

# A pull leaves files that git is told not to look at as they are, and says so where people look for what it did.
said_after() {
    [ "$KIND" = pull ] || return 0
    case $NL$AFTER in *"${NL}after dirty ? "*) ;; *) return 0 ;; esac
    R=${AFTER#*"after dirty ? "}
    R=${R%%"$NL"*}
    printf '[whether the checkout is clean now cannot be told: %s]\n' "$R" 2>/dev/null >>"$D/output"
}

# In place as a whole, and last of all.
finish() {
    printf '%s\n' "$ENDING" 2>/dev/null >"$D/ended.new" && [ "$(tail -n 1 "$D/ended.new")" = end ] || return 1
    sync "$D/ended.new" 2>/dev/null || :
    mv -f "$D/ended.new" "$D/ended" 2>/dev/null || return 1
    sync "$D" 2>/dev/null || :
}

all_tests() {
    COUNT=0
    each_test count
    limit_run
    each_test a_test
}

a_test() {
    step "${1##*/}" "$EACH" "${CHECKOUT:-$TESTS}" open '' GIT_TERMINAL_PROMPT=0 GIT_ASKPASS= SSH_ASKPASS=false \
        SSH_ASKPASS_REQUIRE=force -- "$1"
}
