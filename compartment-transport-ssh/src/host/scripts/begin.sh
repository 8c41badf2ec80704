# Begins an operation.

main() {
    UMASK=$(umask)
    setup
    greet
    begin
    say end
}

refuse() {
    clean "$1"
    say "refused $R"
}

begin() {
    if [ -z "$STATE" ]; then
        refuse "there is no HOME, so there is no place for operations; configure a state folder"
        return
    fi
    if ! R=$(mkdir -p "$STATE/ops" 2>&1); then
        refuse "cannot make the folder $STATE/ops: $R"
        return
    fi
    real_state
    if ! own_folder "$STATE/ops"; then
        refuse "$WHY; what is in the state folder is run"
        return
    fi
    D=$STATE/ops/$OP
    if had "$OP"; then
        say had
        return
    fi
    if [ -n "$EACH" ]; then
        COUNT=0
        if ! each_test count; then
            refuse "cannot read the tests in $TESTS"
            return
        elif [ "$COUNT" -gt 1000 ]; then
            refuse "there are $COUNT tests in $TESTS; more than 1000 are not run"
            return
        fi
        limit_run
    fi
    take_lock
    case $? in
        1)
            if [ "$LOCK_OP" = "$OP" ]; then say had; else say "busy $LOCK_OP $LOCK_KIND"; fi
            return
            ;;
        2)
            refuse "cannot write to $STATE: is the disk full?"
            return
            ;;
    esac
    # From here on the lock is ours. The same order may have been here in the moment before.
    if had "$OP"; then
        say had
        rm -f "$STATE/lock"
    elif ! written; then
        undone "cannot write to $D: is the disk full?"
    elif ! confirmed; then
        undone "nobody said that it is still wanted"
    elif known "$OP"; then
        undone "it was stopped before it began"
    else
        start
        if came; then
            say "begun $LIMIT"
        else
            undone "the operation did not start: $(tail -n 1 "$D/log" 2>/dev/null)"
        fi
    fi
}

# All of it is on disk before anything runs: a repeated order is recognised also after a power cut.
written() {
    born $$
    ATTEMPT=$$-$R
    # What is left of an earlier order that never came to run.
    rm -rf "$D"
    mkdir -p "$D" 2>/dev/null &&
        printf '%s' "$RUN" 2>/dev/null >"$D/run.sh" && [ "$(tail -n 1 "$D/run.sh")" = 'main 3<&0 </dev/null; exit' ] &&
        printf '%s\n' "$ATTEMPT" 2>/dev/null >"$D/attempt" && [ -s "$D/attempt" ] &&
        printf '%s\n' "$KIND $LIMIT $OWNER" 2>/dev/null >"$D/meta.new" && [ -s "$D/meta.new" ] &&
        mv "$D/meta.new" "$D/meta" || return 1
    sync "$D/run.sh" "$D/meta" "$D" "$STATE/ops" "$STATE" 2>/dev/null || :
}

# Orders come too late as well: whoever sent this one is asked once more when nothing else is in the way.
# Who is not heard within seconds is gone, whatever the network thinks.
confirmed() {
    (
        read -r R <&3 || R=
        printf '%s\n' "$R" >"$D/go"
    ) >/dev/null 2>&1 &
    say ready
    N=0
    while ! [ -s "$D/go" ] && [ "$N" -lt 200 ]; do
        N=$((N + 1))
        pause
    done
    kill $! 2>/dev/null
    R=
    { read -r R <"$D/go"; } 2>/dev/null
    rm -f "$D/go"
    [ "$R" = go ]
}

# Waits until the runner has taken the operation.
came() {
    N=0
    while ! [ -f "$D/taken" ]; do
        N=$((N + 1))
        [ "$N" -le 200 ] || break
        [ -z "$STARTED" ] || born "$STARTED" || break
        pause
    done
    [ -f "$D/taken" ]
}

# First of all: nobody may be there any more to hear of it, and then saying so is the end. What somebody has taken all the
# same runs, and is not removed under it.
undone() {
    if ! give_up "$D"; then
        say had
        return
    fi
    rm -rf "$D"
    rm -f "$STATE/lock"
    refuse "$1"
}
