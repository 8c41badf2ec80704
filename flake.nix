{
  description = "compartment: what state is every machine of my Nix fleet in?";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      # Those of them that the nixpkgs at hand still knows.
      systems = lib.filter (system: nixpkgs.legacyPackages ? ${system}) [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forEachSystem = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = forEachSystem (pkgs: rec {
        compartment = pkgs.callPackage ./nix/package.nix { };
        default = compartment;
      });

      overlays.default = final: _: { compartment = final.callPackage ./nix/package.nix { }; };

      # They take `pkgs.compartment` where an overlay has it, and build the package with the machine's own nixpkgs else.
      nixosModules.default = ./nix/nixos-module.nix;
      darwinModules.default = ./nix/darwin-module.nix;
      homeManagerModules.default = ./nix/home-manager-module.nix;

      checks = forEachSystem (
        pkgs:
        {
          package = self.packages.${pkgs.stdenv.hostPlatform.system}.compartment;

          # The tests of the modules, with the library of nixpkgs in the place of their own.
          modules =
            pkgs.runCommand "compartment-modules"
              {
                nativeBuildInputs = [ pkgs.python3 ];
                results = builtins.toJSON (import ./nix/tests { inherit lib; });
                passAsFile = [ "results" ];
              }
              ''
                python3 ${self}/nix/tests/check.py modules "$resultsPath"
                python3 ${self}/nix/tests/check.py agree
                touch "$out"
              '';
        }
        // lib.optionalAttrs pkgs.stdenv.hostPlatform.isLinux {
          # The units of a whole NixOS.
          nixos =
            let
              machine = lib.nixosSystem {
                modules = [
                  self.nixosModules.default
                  {
                    nixpkgs.pkgs = pkgs;
                    boot.isContainer = true;
                    system.stateVersion = lib.trivial.release;
                    services.compartment.hub.enable = true;
                    services.compartment.agent = {
                      enable = true;
                      tokenFile = "/run/secrets/compartment-token";
                      settings.hub.url = "http://127.0.0.1:7070";
                    };
                  }
                ];
              };
              inherit (machine.config.systemd) units;
            in
            pkgs.runCommand "compartment-units" { } ''
              mkdir "$out"
              ln -s ${units."compartment-hub.service".unit} "$out/hub"
              ln -s ${units."compartment-agent.service".unit} "$out/agent"
            '';
        }
      );
    };
}
