# One look.

main() {
    RUNNING= UNTOLD=
    setup
    greet
    [ -z "$STATE" ] || operations
    [ -z "$TAIL_OP" ] || printed
    checkout_facts
    system_facts
    # What has ended since then was there when the facts were read, or it was not: nobody can tell.
    [ -z "$RUNNING" ] || ! has_ended "$STATE/ops/$RUNNING" || UNTOLD=1
    [ -z "$UNTOLD" ] || say untold
    say end
}

# What runs is asked first: what ends meanwhile is found among the ended.
operations() {
    resolve "$STATE"
    case $? in
        1)
            say "running -"
            return
            ;;
        2)
            doubt state "cannot read $STATE"
            return
            ;;
    esac
    if ! state_is_ours; then
        doubt state "$WHY; what is in the state folder is not believed"
        return
    fi
    if ! [ -r "$STATE" ] || ! [ -x "$STATE" ]; then
        doubt state "cannot read $STATE: permission denied"
        return
    fi
    BEGINS= BUSY=
    if read_lock && lock_holds; then
        RUNNING=$LOCK_OP BUSY=$LOCK_KIND
        # It is about to begin, or not to: that is told by the next look.
        [ -f "$STATE/ops/$RUNNING/taken" ] || UNTOLD=1 BEGINS=$RUNNING RUNNING=
    fi
    set --
    for D in "$STATE"/ops/*; do
        ours "$D" || continue
        OP=${D##*/}
        if has_ended "$D"; then
            [ "$OP" != "$RUNNING" ] || RUNNING=
            set -- "$@" "$OP/ended"
        elif [ "$OP" != "$RUNNING" ] && [ "$OP" != "$BEGINS" ] && ! never_ran "$D"; then
            # It may have begun since the lock was read, or be about to.
            if read_lock && [ "$LOCK_OP" = "$OP" ] && lock_holds; then UNTOLD=1; else say "gone $OP $OP_KIND"; fi
        fi
    done
    # As they ended: what came later counts.
    [ $# -le 1 ] || set -- $(cd "$STATE/ops" && ls -1tr "$@")
    # The next ones come when these are acknowledged.
    N=4
    for OP; do
        if [ "$N" -eq 0 ]; then
            UNTOLD=1
            break
        fi
        N=$((N - 1))
        OP=${OP%/ended}
        say "ended $OP"
        sed "s/^/$PREFIX: /" "$STATE/ops/$OP/ended"
    done
    if [ -z "$RUNNING" ]; then
        say "running -"
    elif ours "$STATE/ops/$RUNNING"; then
        say "running $RUNNING $OP_KIND $OP_LIMIT"
    else
        say "busy $BUSY"
    fi
}

# A piece of output. The dot behind it shows whether its last line is whole.
printed() {
    D=$STATE/ops/$TAIL_OP
    [ -f "$D/output" ] || return 0
    say "output $TAIL_OP $TAIL_FROM $(($(wc -c <"$D/output"))) $TAIL_LIMIT"
    {
        tail -c "+$((TAIL_FROM + 1))" "$D/output" 2>/dev/null | head -c "$TAIL_LIMIT" | tr '\000' ' '
        echo .
    } | sed "s/^/$PREFIX| /"
}
