# Lists the generations of the profile.

main() {
    setup
    greet
    PROFILE=$ROOT$SYSTEM_PROFILE
    if [ "$MANAGED" = home ] || { [ "$MANAGED" = either ] && ! [ -L "$PROFILE" ]; }; then
        home_profile
        # Where it is not known whose home it is, there is none.
        PROFILE=${R:-$ROOT/nix/var/nix/profiles/per-user//home-manager}
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
