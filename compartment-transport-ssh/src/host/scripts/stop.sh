# Asks an operation to stop. Its runner looks for the wish every second.

main() {
    setup
    greet
    if [ -n "$STATE" ] && state_is_ours && read_lock && [ "$LOCK_OP" = "$OP" ] && lock_holds; then
        # Not a byte in it: that may work on a full disk, too.
        if printf '' 2>/dev/null >"$STATE/ops/$OP/stop"; then say asked; else say failed; fi
    else
        say not-running
    fi
    say end
}
