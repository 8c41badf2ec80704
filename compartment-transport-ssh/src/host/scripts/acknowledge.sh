# Removes operations that have ended or are gone, and remembers their ids. Those that others began and nobody fetched, and
# those that never came to run, are removed after a week.

main() {
    setup
    greet
    # Nothing of others is removed.
    [ -z "$STATE" ] || state_is_ours || STATE=
    [ -z "$STATE" ] || rm -rf "$STATE"/trash.* 2>/dev/null
    RUNNING=
    if [ -n "$STATE" ] && read_lock && lock_holds; then RUNNING=$LOCK_OP; fi
    for OP in $OPS; do
        if acknowledge; then say "gone $OP"; else say "kept $OP"; fi
    done
    [ -z "$STATE" ] || forget_others
    say end
}

forget_others() {
    for D in "$STATE"/ops/*; do
        described "$D" && { [ "$OP_OWNER" != "$OWNER" ] || never_ran "$D"; } || continue
        OP=${D##*/}
        [ -z "$(find "$D/meta" -mtime +7 2>/dev/null)" ] || acknowledge || :
    done
}

acknowledge() {
    [ -n "$STATE" ] && [ -d "$STATE/ops/$OP" ] || return 0
    [ "$OP" != "$RUNNING" ] || return 1
    known "$OP" || remember "$OP" || return 1
    # At once, then piece by piece.
    mv "$STATE/ops/$OP" "$STATE/trash.$OP" 2>/dev/null || return 1
    rm -rf "$STATE/trash.$OP" 2>/dev/null || :
}
