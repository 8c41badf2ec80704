# Asks an operation to stop. Its runner looks for the wish every second. What was never begun here is not begun any more.

main() {
    setup
    greet
    [ -z "$STATE" ] || mkdir -p "$STATE/ops" 2>/dev/null
    real_state
    if [ -z "$STATE" ]; then
        # Where there is no place for operations, none is begun.
        say not-running
    elif ! [ -d "$STATE/ops" ]; then
        say failed
    elif ! state_is_ours; then
        say not-running
    else
        stop
    fi
    say end
}

stop() {
    if ! runs; then
        if began "$OP"; then
            say not-running
            return
        elif taken_back; then
            say never-begun
            return
        elif known "$OP"; then
            say not-running
            return
        fi
    elif [ -f "$STATE/ops/$OP/taken" ]; then
        wish
        return
    fi
    # It may be about to begin: whoever begins it looks once more right before.
    if ! taken_back && ! remember "$OP never-begun"; then
        say failed
        return
    fi
    N=0
    while runs && ! [ -f "$STATE/ops/$OP/taken" ] && [ "$N" -lt 300 ]; do
        N=$((N + 1))
        pause
    done
    if ! runs; then
        if began "$OP"; then say not-running; else say never-begun; fi
    elif [ -f "$STATE/ops/$OP/taken" ]; then
        wish
    else
        say never-begun
    fi
}

runs() {
    read_lock && [ "$LOCK_OP" = "$OP" ] && lock_holds
}

taken_back() {
    grep -qxF "$OP never-begun" "$STATE/known" "$STATE/known.old" 2>/dev/null
}

# Not a byte is written: that may work on a full disk, too.
wish() {
    if printf '' 2>/dev/null >"$STATE/ops/$OP/stop"; then say asked; else say failed; fi
}
