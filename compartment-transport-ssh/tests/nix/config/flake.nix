{
  description = "The configuration of three machines";

  inputs.packages.url = "git+file://PACKAGES?ref=main";

  outputs = { self, packages }:
    let
      machines = {
        gpc0 = { kind = "nixos"; };
        gpc1 = { kind = "nixos"; card = "470"; }; # Its card is from 2014.
        imac0 = { kind = "darwin"; };
      };
      # Packages of their own for every machine would take a day to build; this takes a moment, and is as real.
      toplevel = name: machine: derivation ({
        name = "${machine.kind}-system-${name}";
        system = "MACHINE-linux";
        builder = "/bin/sh";
        args = [ ./system.sh ];
        PATH = "/usr/bin:/bin";
        card = "";
        inherit (packages) kernel drivers;
        revision = self.rev or "dirty";
      } // machine);
    in {
      nixosConfigurations = builtins.mapAttrs
        (name: machine: { config.system.build.toplevel = toplevel name machine; })
        machines;
    };
}
