# Operations have a folder each; the lock names the one that runs. Its holder is the process that took the operation,
# and until somebody does, the one that begins it.

# Whether nobody but this user and root can change what is in a folder, or put another in its place: what is in the
# state folder is run. 1: somebody else can, and WHY. As sshd checks the files of a user (StrictModes).
own_folder() {
    resolve "$1"
    set -- "$R"
    D=$1
    while :; do
        set -- "$1" $(ls -ldn "$D" 2>/dev/null)
        # Folders above may be root's.
        [ -O "$D" ] || { [ "${4:-}" = 0 ] && [ "$D" != "$1" ]; } || {
            WHY="$D belongs to another user"
            return 1
        }
        case ${2:-}:$D in
            # What is in a folder like /tmp only its owner can replace.
            d????????[tT]*:"$1" | d????w*:"$1" | d???????w*:"$1") false ;;
            d????????[tT]*) ;;
            d????w* | d???????w*) false ;;
            d*) ;;
            *) false ;;
        esac || {
            WHY="others may write to $D: chmod go-w $D"
            return 1
        }
        [ "$D" != / ] || return 0
        D=${D%/*}
        D=${D:-/}
    done
}

# Whether what is in the state folder is to be believed; WHY it is not. At rest that needs no other program.
state_is_ours() {
    WHY="$STATE belongs to another user"
    [ -O "$STATE" ] && { [ ! -e "$STATE/ops" ] || [ -O "$STATE/ops" ]; } || return 1
    set -- "$STATE"/ops/*
    [ -e "$1" ] || [ -e "$STATE/lock" ] || return 0
    if [ -d "$STATE/ops" ]; then own_folder "$STATE/ops"; else own_folder "$STATE"; fi
}

# 1: there is none.
read_lock() {
    LOCK_OP= LOCK_KIND= LOCK_PID= LOCK_START= LOCK_BOOT=
    [ -f "$STATE/lock" ] || return 1
    { read -r LOCK_OP LOCK_KIND LOCK_PID LOCK_START LOCK_BOOT <"$STATE/lock"; } 2>/dev/null || :
}

# Whether what the lock names runs, or is about to.
lock_holds() {
    [ -n "$LOCK_BOOT" ] || return 1
    set -- "$STATE/ops/$LOCK_OP"
    [ ! -f "$1/ended" ] || return 1
    if ! [ -f "$1/taken" ]; then
        if lives "$LOCK_PID" "$LOCK_START" "$LOCK_BOOT"; then return 0; fi
        # Whoever began it is gone, and nobody came. From here on nobody can.
        give_up "$1" && return 1
    fi
    taken_by "$1" && lives "$PID" "$START" "$TAKEN_BOOT"
}

taken_by() {
    PID= START= TAKEN_BOOT=
    { read -r PID START TAKEN_BOOT <"$1/taken"; } 2>/dev/null
}

# Takes an operation, once and for all; 1: somebody else did.
take() {
    printf '%s\n' "$2" 2>/dev/null >"$1/taken.$$" && ln "$1/taken.$$" "$1/taken" 2>/dev/null
    set -- "$1" $?
    rm -f "$1/taken.$$"
    return "$2"
}

give_up() {
    [ ! -d "$1" ] || take "$1" "0 nobody -" || ! [ -f "$1/taken" ]
}

# 1: somebody has it, read_lock says who. 2: it cannot be written.
take_lock() {
    born $$
    printf '%s\n' "$OP $KIND $$ $R $BOOT" 2>/dev/null >"$STATE/lock.$$" || return 2
    N=0
    set -- 2
    while [ "$N" -lt 5 ]; do
        N=$((N + 1))
        if ln "$STATE/lock.$$" "$STATE/lock" 2>/dev/null; then
            set -- 0
            break
        fi
        read_lock || continue
        if lock_holds; then
            set -- 1
            break
        fi
        # Void. Whoever was quicker has put its own in this place: then it goes back there.
        mv "$STATE/lock" "$STATE/void.$$" 2>/dev/null || continue
        R="$LOCK_OP $LOCK_PID"
        read -r LOCK_OP LOCK_KIND LOCK_PID LOCK_START LOCK_BOOT <"$STATE/void.$$" || :
        [ "$R" = "$LOCK_OP $LOCK_PID" ] || ln "$STATE/void.$$" "$STATE/lock" 2>/dev/null
        rm -f "$STATE/void.$$"
    done
    rm -f "$STATE/lock.$$"
    return "$1"
}

# Whether this operation was begun here before.
had() {
    known "$1" || began "$1"
}

began() {
    [ -s "$STATE/ops/$1/meta" ] && ! never_ran "$STATE/ops/$1"
}

# Whether nobody took an operation, and nobody will, because whoever began it is gone: it is as if it had never been here.
never_ran() {
    [ ! -f "$1/ended" ] || return 1
    if ! [ -f "$1/taken" ]; then
        read_lock && [ "$LOCK_OP" = "${1##*/}" ] && lives "$LOCK_PID" "$LOCK_START" "$LOCK_BOOT" && return 1
        give_up "$1" || return 1
    fi
    taken_by "$1" && [ "$PID $START" = '0 nobody' ]
}

known() {
    for R in "$STATE/known" "$STATE/known.old"; do
        [ -f "$R" ] && grep -qxF -e "$1" -e "$1 never-begun" "$R" 2>/dev/null && return
    done
    return 1
}

# Makes an operation known: it is not begun here any more. Its id alone stands for one that was. Several may do so at once: a line
# is appended as a whole, and a long list is put aside as a whole. 1: that cannot be written.
remember() {
    printf '%s\n' "$1" 2>/dev/null >>"$STATE/known" && grep -qxF "$1" "$STATE/known" "$STATE/known.old" 2>/dev/null ||
        return 1
    [ "$(($(wc -l <"$STATE/known")))" -lt 100 ] || mv -f "$STATE/known" "$STATE/known.old" 2>/dev/null || :
}

# Whether an operation's folder holds a whole ending.
has_ended() {
    [ -f "$1/ended" ] && [ "$(tail -n 1 "$1/ended" 2>/dev/null)" = end ]
}

# What an operation is: its kind, its limit, and for whom it is carried out. 1: that was never written down.
described() {
    OP_KIND= OP_LIMIT= OP_OWNER=
    { read -r OP_KIND OP_LIMIT OP_OWNER <"$1/meta"; } 2>/dev/null && [ -n "$OP_LIMIT" ]
}

# Whether an operation is this host's, and this log's.
ours() {
    described "$1" && [ "$OP_OWNER" = "$OWNER" ]
}
