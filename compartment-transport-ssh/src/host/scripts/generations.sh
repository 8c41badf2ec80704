# Lists the generations of the profile.

main() {
    setup
    greet
    PROFILE=$ROOT$SYSTEM_PROFILE
    if [ "$MANAGED" = home ] || { [ "$MANAGED" = either ] && ! [ -L "$PROFILE" ]; }; then
        PROFILE=${HOME:-}/.local/state/nix/profiles/home-manager
        [ -L "$PROFILE" ] || PROFILE=$ROOT/nix/var/nix/profiles/per-user/${USER:-}/home-manager
    fi
    if generation "$PROFILE"; then CURRENT=$NUMBER; else CURRENT=; fi
    R=
    [ -z "$ROOT" ] || resolve "$ROOT"
    TOP=$R
    for D in "$PROFILE"-*-link; do
        [ -L "$D" ] && number_in "${PROFILE##*/}" "${D##*/}" || continue
        WHY=generation
        [ "$NUMBER" != "$CURRENT" ] || WHY=current
        resolve "$D" || R=
        clean "${R#"$TOP"}"
        say "$WHY $NUMBER $R"
    done
    say end
}
