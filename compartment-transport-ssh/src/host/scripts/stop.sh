# Asks an operation to stop. Its runner looks for the wish every second. What was never begun here is not begun any more.

main() {
    setup
    greet
    # Where the state folder is another's, nothing is begun.
    if [ -z "$STATE" ] || { mkdir -p "$STATE/ops" 2>/dev/null; ! state_is_ours; }; then
        say not-running
    elif runs; then
        wish
    elif taken_back; then
        say never-begun
    elif had "$OP"; then
        say not-running
    elif ! remember "$OP never-begun"; then
        say failed
    # It may have begun in the moment before.
    elif runs; then
        wish
    elif began "$OP"; then
        say not-running
    else
        say never-begun
    fi
    say end
}

taken_back() {
    [ -f "$STATE/known" ] && grep -qxF "$OP never-begun" "$STATE/known" 2>/dev/null
}

runs() {
    read_lock && [ "$LOCK_OP" = "$OP" ] && lock_holds
}

# Not a byte is written: that may work on a full disk, too.
wish() {
    if printf '' 2>/dev/null >"$STATE/ops/$OP/stop"; then say asked; else say failed; fi
}
