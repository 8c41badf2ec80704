# The folder of tests: every executable file in it is one, also by way of a link; a link that leads nowhere was meant
# to be. Without what editors and merges leave behind.

# Calls "$@" with the path of each, sorted. 1: the folder cannot be read.
each_test() {
    [ -n "$TESTS" ] || return 0
    resolve "$TESTS"
    case $? in
        1) return 0 ;;
        2) return 1 ;;
    esac
    cd /
    [ -r "$TESTS" ] || return 1
    for R in "$TESTS"/*; do
        case ${R##*/} in
            \#* | *~ | *.bak | *.orig | *.rej | *.swp | *.swo | *.tmp | *.rpmsave | *.dpkg-old) continue ;;
        esac
        if { [ -f "$R" ] && executable "$R"; } || { [ -L "$R" ] && ! [ -e "$R" ]; }; then "$@" "$R"; fi
    done
}

# By anybody: what this user may not run fails, and is not left out.
executable() {
    [ -x "$1" ] && return 0
    [ -n "$(find -H "$1" \( -perm -100 -o -perm -010 -o -perm -001 \) 2>/dev/null)" ]
}

count() {
    COUNT=$((COUNT + 1))
}

# From what a run of one test may take to what a run of all of them may.
limit_run() {
    [ "$COUNT" -eq 0 ] || LIMIT=$((LIMIT * COUNT))
    [ "$LIMIT" -le "$LONGEST" ] || LIMIT=$LONGEST
}
