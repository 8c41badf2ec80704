# Builds a machine's system. As with the real ones, it names the commit that it was built from, and activates itself.
set -eu
mkdir -p "$out/bin" "$out/sw/bin"
echo "$kernel" > "$out/kernel"
printf '%s\n' $drivers > "$out/drivers"
echo "$card" > "$out/card"
case $kind in
    nixos)
        printf '#!/bin/sh\ncat <<EOF\n{"configurationRevision":"%s"}\nEOF\n' "$revision" > "$out/sw/bin/nixos-version"
        chmod +x "$out/sw/bin/nixos-version"
        ;;
    darwin) printf '{"configurationRevision":"%s"}\n' "$revision" > "$out/darwin-version.json" ;;
esac
cat > "$out/bin/switch-to-configuration" << EOF
#!/bin/sh
set -eu
test "\$1" = switch
run=${out%/nix/store/*}/run
# Whoever tests what happens meanwhile holds this door.
while [ -e "\$run/held" ]; do
    : > "\$run/waits"
    sleep 0.05
done
ln -s $out "\$run/current-system.new"
mv -T "\$run/current-system.new" "\$run/current-system"
echo $out >> "\$run/activations"
echo "$kernel runs"
EOF
chmod +x "$out/bin/switch-to-configuration"
