# A system of former times, without a word of what it was built from.
{ number, system }:
derivation {
  name = "former-system";
  inherit number system;
  builder = "/bin/sh";
  PATH = "/usr/bin:/bin";
  args = [ "-c" ''
    mkdir -p $out/bin
    echo 5.$number > $out/kernel
    printf '#!/bin/sh\nln -sfn %s %s/run/current-system\n' $out ''${out%/nix/store/*} > $out/bin/switch-to-configuration
    chmod +x $out/bin/switch-to-configuration
  '' ];
}
