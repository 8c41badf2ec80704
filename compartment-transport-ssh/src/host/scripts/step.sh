# One step of an operation.

# How much output an operation keeps, in bytes. What is beyond that is read all the same, and counted.
MOST=8388608

now() {
    if [ -r /proc/uptime ]; then
        read -r R <"/proc/uptime"
        R=${R%%.*}
    else
        R=$(date +%s)
    fi
}

# step NAME LIMIT FOLDER REACH SUDO VARIABLE=VALUE… -- PROGRAM…
# REACH is how far git looks for a repository: `open` anywhere above the folder, `closed` in it alone; `checkout`: the
# same, the folder has to be the top of one, and the program runs as its owner.
step() {
    NAME=$1 CAP=$2 FOLDER=$3 REACH=$4 BY_SUDO=$5
    shift 5
    N=$((N + 1))
    clean "$NAME"
    NAME=$R
    now
    LEFT=$((LIMIT - R + BEGAN))
    [ ! -e "$D/stop" ] || STOPPED=1
    if [ -n "$STOPPED" ] || [ "$LEFT" -le 0 ] || { [ -n "$FAILED" ] && [ -z "$GO_ON" ]; }; then
        ended skipped -
        return
    fi
    [ "$CAP" -le "$LEFT" ] || CAP=$LEFT
    OFFSET=$(size)
    WORDS=
    if [ ! -d "$FOLDER" ]; then
        ended none -
        case $REACH in
            checkout) because "there is no folder $FOLDER; clone the config repository there first" ;;
            *) because "there is no folder $FOLDER" ;;
        esac
    elif ! WORDS=$(missing "$@"); then
        ended none -
        because "cannot start \`$WORDS\`: it is not there, or cannot be run; install it, or check PATH"
    elif ! in_reach; then
        ended none -
        because "$WHY"
    else
        run_step "$@"
    fi
}

# The program of a step, and 1 where there is none.
missing() {
    cd "$FOLDER" || return 0
    while [ "$1" != -- ]; do
        export "$1"
        shift
    done
    printf '%s' "$2"
    has "$2"
}

# Whether the folder is what git may be run in; WHY it is not.
in_reach() {
    WHOSE=
    [ "$REACH" != open ] || return 0
    resolve "$FOLDER" && closed "$R" || return 1
    if ! [ -e "$R/.git" ]; then
        # There may be none yet.
        [ "$REACH" = checkout ] || return 0
        WHY="$FOLDER is not the top of a git checkout; clone the config repository there"
        return 1
    fi
    TOP=$R
    whose "$TOP"
    if [ "$REACH" = checkout ]; then
        has_own_repository && submodules_are_own
        return
    fi
    # What somebody configured runs as whoever logs in, also where git says nothing of the folder.
    if ! has_own_repository; then
        case $WHY in *' is no git checkout: '*) ;; *) return 1 ;; esac
    fi
    WHOSE=
}

# Whether each submodule of TOP that is there, and each within it, has a repository of its own, and is the same user's: a pull
# would move what belongs to somebody else. WHY it has not.
submodules_are_own() {
    LEFT=$TOP ABOVE=$TOP
    owner_of "$TOP"
    set -- "$R"
    while [ -n "$LEFT" ]; do
        OUTER=${LEFT%%"$NL"*} TOP=${LEFT%%"$NL"*}
        case $LEFT in *"$NL"*) LEFT=${LEFT#*"$NL"} ;; *) LEFT= ;; esac
        # Where git does not list them, nobody knows whose they are.
        LINKS=$({ (in_git -c core.quotePath=false ls-files --stage 2>/dev/null) || echo '160000 	"'; } |
            sed -n 's/^160000 [^	]*	//p')
        while IFS= read -r LINK <&3; do
            TOP=$OUTER/$LINK
            case $LINK in
                '') continue ;;
                '"') WHY="$OUTER is not pulled: git does not list its submodules" && return 1 ;;
                '"'*) WHY="the submodule $LINK of $OUTER is not pulled: its name cannot be read" && return 1 ;;
            esac
            # One that was removed is made by git, as its user.
            [ -e "$TOP" ] || [ -L "$TOP" ] || continue
            if [ "$(cd -P "$TOP" 2>/dev/null && pwd -P)" != "$(cd -P "$OUTER" && pwd -P)/$LINK" ]; then
                WHY="the submodule $TOP is not pulled: it is behind a link"
                return 1
            fi
            # Before git looks into it, and before it makes a repository there: what it runs there would run as the owner of the
            # checkout.
            PART=$TOP
            while [ "$PART" != "$OUTER" ]; do
                owner_of "$PART"
                if [ "$R" != "$1" ]; then
                    WHY="the submodule $TOP is not pulled: $PART belongs to another user than the checkout"
                    return 1
                fi
                PART=${PART%/*}
            done
            # One that was never fetched has none.
            [ -e "$TOP/.git" ] || [ -L "$TOP/.git" ] || continue
            if ! has_own_repository; then
                WHY="the submodule $TOP is not pulled: $WHY"
                return 1
            fi
            LEFT=$LEFT${LEFT:+$NL}$TOP
        done 3<<END
$LINKS
END
    done
    TOP=$ABOVE
}

run_step() {
    PIPE=$D/pipe.$N
    { rm -f "$PIPE" && mkfifo "$PIPE"; } 2>/dev/null || PIPE=
    headline "$@"
    OFFSET=$(size)
    if [ -n "$PIPE" ]; then
        collect <"$PIPE" &
        COLLECTOR=$!
    fi
    (
        trap - TERM INT HUP
        as_before
        cd "$FOLDER" || exit 126
        if [ "$REACH" != open ]; then closed "$(pwd -P)" || exit 126; fi
        while [ "$1" != -- ]; do
            export "$1"
            shift
        done
        shift
        COMPARTMENT_STEP=$D/$N/
        export COMPARTMENT_STEP
        if has setsid; then
            set -- setsid "$@"
        elif has perl; then
            set -- perl -e 'setpgrp(0, 0); exec { $ARGV[0] } @ARGV or exit 127' "$@"
        fi
        as_owner "$@"
    ) </dev/null >"${PIPE:-/dev/null}" 2>&1 &
    STEP=$!
    born "$STEP" || :
    watch "$STEP" "$CAP" "$R" &
    WATCH=$!
    wait "$STEP"
    CODE=$?
    # A signal for this process interrupts a wait.
    while [ "$CODE" -gt 128 ] && there "$STEP"; do
        wait "$STEP"
        CODE=$?
    done
    kill -TERM "$WATCH" 2>/dev/null
    wait "$WATCH" 2>/dev/null
    VERDICT=$?
    while [ "$VERDICT" -gt 128 ] && there "$WATCH"; do
        wait "$WATCH" 2>/dev/null
        VERDICT=$?
    done
    [ -z "$PIPE" ] || collected
    if [ "$VERDICT" -eq 4 ]; then
        STOPPED=1
        ended stopped -
        words
    elif [ "$VERDICT" -eq 3 ]; then
        ended late "$CAP"
        words
    elif [ "$CODE" -gt 128 ] && [ "$CODE" -le 192 ]; then
        ended signal $((CODE - 128))
        words
    else
        ended code "$CODE"
        [ "$CODE" -eq 0 ] || words
    fi
    rm -f "$PIPE" "$D/tail.$N" "$D/lost.$N"
}

# Whether there is a process of this number, whoever's it is: of another user it may be hidden (hidepid), but not that it
# may not be signalled.
there() {
    [ -d "/proc/$1" ] || kill -0 "$1" 2>/dev/null && return 0
    case $(kill -0 "$1" 2>&1) in *ermitted*) return 0 ;; esac
    return 1
}

# Whether a step still runs: a process and when it was started. Where nobody may see it, its number is its own for as long
# as the runner lives, who waits for it.
goes_on() {
    if born "$1"; then
        [ "$R" = "$2" ]
    else
        [ -n "$BY_SUDO" ] && there "$1" && born $$
    fi
}

headline() {
    while [ "$1" != -- ]; do shift; done
    shift
    clean "\$ $*"
    printf '%s\n' "$R" 2>/dev/null >>"$D/output"
}

size() {
    if [ -f "$D/output" ]; then echo $(($(wc -c <"$D/output"))); else echo 0; fi
}

# What a step prints, to a file of bounded size, as it comes. It is read to its end whatever happens to the file.
collect() {
    trap '' TERM INT HUP
    AT=$(size)
    while [ "$AT" -lt "$MOST" ]; do
        dd bs=4096 count=256 2>/dev/null >>"$D/output"
        R=$(size)
        # Nothing came: that is the end, or the disk is full.
        [ "$R" -gt "$AT" ] || break
        AT=$R
    done
    dd bs=65536 2>"$D/lost.$N" | tail -c 8192 2>/dev/null >"$D/tail.$N"
    # A service may go on printing when nothing of this operation is left; who stops reading would end it.
    cat >/dev/null
    LOST=0
    if [ -f "$D/lost.$N" ]; then
        while read -r R WHY; do
            case $WHY in bytes*) LOST=$R ;; esac
        done <"$D/lost.$N"
    fi
    if [ "$LOST" != 0 ]; then
        WHY="[$LOST bytes more were printed and not kept]"
    elif [ -n "$(tail -c 1 "$D/output" 2>/dev/null)" ]; then
        WHY=
    else
        return
    fi
    printf '\n%s' "$WHY" 2>/dev/null >>"$D/output"
    [ -z "$WHY" ] || echo >>"$D/output"
}

# Waits for the end of the output, but not for a service that a step started and that keeps its end of the pipe.
collected() {
    set -- 100
    while [ "$1" -gt 0 ] && born "$COLLECTOR"; do
        sleep 0.02 2>/dev/null || {
            sleep 1
            set -- $(($1 - 49))
        }
        set -- $(($1 - 1))
    done
}

# Ends a step at its limit (3) or when somebody asks (4). It ends itself when the step has ended: it may outlive the
# runner, and a signal that comes just after a fork may be lost.
watch() {
    trap 'exit 0' TERM
    while [ "$2" -gt 0 ]; do
        goes_on "$1" "$3" || exit 0
        if [ -e "$D/stop" ]; then
            trap '' TERM
            end_step "$1"
            exit 4
        fi
        sleep 1 &
        wait $!
        set -- "$1" $(($2 - 1)) "$3"
    done
    goes_on "$1" "$3" || exit 0
    trap '' TERM
    end_step "$1"
    exit 3
}

# TERM first: git then removes its lock files. KILL for whoever does not listen, three seconds later.
end_step() {
    hit TERM "$1"
    if sleep 0.1 2>/dev/null; then set -- "$1" 0.1 29; else set -- "$1" 1 3; fi
    while [ "$3" -gt 0 ]; do
        sleep "$2"
        # Once it is gone its number may be another's.
        hit 0 "$1" || return 0
        set -- "$1" "$2" $(($3 - 1))
    done
    hit KILL "$1"
}

# Signals a step: its process group, and where it can be seen whoever left that.
hit() {
    set -- "$1" "$2" 1
    if kill "-$1" "-$2" 2>/dev/null || kill "-$1" "$2" 2>/dev/null; then
        set -- "$1" "$2" 0
    elif [ -n "$BY_SUDO" ] && there "$2" && sudo -n kill "-$1" "-$2" 2>/dev/null; then
        set -- "$1" "$2" 0
    fi
    for R in $(grep -lF "COMPARTMENT_STEP=$D/$N/" /proc/[0-9]*/environ 2>/dev/null); do
        R=${R#/proc/}
        if [ "${R%/environ}" != $$ ] && kill "-$1" "${R%/environ}" 2>/dev/null; then set -- "$1" "$2" 0; fi
    done
    return "$3"
}

# How the step ended.
ended() {
    RESULTS="${RESULTS}step $1 $2 $NAME$NL"
    [ "$1 $2" = 'code 0' ] || FAILED=1
}

because() {
    clean "$1"
    RESULTS="${RESULTS}why $R$NL"
}

# The last lines of what it printed; of the first failures only, so that the answer stays small.
words() {
    [ -z "$BY_SUDO" ] || RESULTS="${RESULTS}sudo $(command -v "$BY_SUDO" 2>/dev/null || printf '%s' "$BY_SUDO")$NL"
    FAILURES=$((FAILURES + 1))
    [ "$FAILURES" -le 20 ] || return 0
    R=$(
        if [ -s "$D/tail.$N" ]; then
            cat "$D/tail.$N"
        else
            tail -c "+$((OFFSET + 1))" "$D/output" 2>/dev/null | tail -c 8192
        fi | tr '\000\r' ' \n' | grep -v '^[[:blank:]]*$' | tail -n 16 | cut -b 1-500 | sed 's/^/said /'
    )
    RESULTS="$RESULTS${R:+$R$NL}"
}
