# How an operation comes to be a process that outlives the connection.

# By systemd where it is, so that the end of a session takes nothing along. A user's own manager ends with the user's
# last session unless the user lingers.
by_systemd() {
    has systemd-run || return 1
    if [ "$(id -u)" -eq 0 ]; then
        [ -d "$ROOT/run/systemd/system" ]
    else
        [ -e "$ROOT/var/lib/systemd/linger/$(id -un)" ] || return 1
        # A session without PAM is not told where the manager is to be asked.
        : "${XDG_RUNTIME_DIR:=$ROOT/run/user/$(id -u)}"
        [ -d "$XDG_RUNTIME_DIR/systemd" ] && export XDG_RUNTIME_DIR
    fi
}

# The variables for a process that is not a child of this one.
variables() {
    export -p | sed 's/^declare -x /export /' |
        grep -vE '^export (BASHOPTS|EUID|INVOCATION_ID|OLDPWD|PPID|PWD|SHELLOPTS|SHLVL|UID|_)(=|$)'
}

# STARTED is its process, where that is known.
start() {
    STARTED=
    if by_systemd; then
        (as_before && variables) >"$D/env"
        set -- --quiet --collect --unit="compartment-$OP" --property=KillMode=process --property=UMask="$UMASK"
        [ "$(id -u)" -eq 0 ] || set -- --user "$@"
        systemd-run "$@" -- "$SH" "$D/run.sh" "$ATTEMPT" </dev/null >"$D/log" 2>&1 && return
        rm -f "$D/env"
    fi
    if has setsid; then
        (as_before && exec setsid "$SH" "$D/run.sh" "$ATTEMPT") </dev/null >"$D/log" 2>&1 &
    else
        (as_before && exec nohup "$SH" "$D/run.sh" "$ATTEMPT") </dev/null >"$D/log" 2>&1 &
    fi
    STARTED=$!
}
