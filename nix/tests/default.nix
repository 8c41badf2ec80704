# What the modules make of configurations, and what they refuse. The result is a value that scripts/packaging compares
# with what is in `expected`, and whose assertions it reads; `lib` is the real library of nixpkgs where there is one.
{
  lib ? import ./lib.nix,
}:

let
  cases = import ./cases.nix;

  evaluate =
    case:
    let
      system = case.system or "x86_64-linux";
      pkgs = import ./pkgs.nix { inherit lib system; };
      host = (import ./hosts.nix { inherit lib pkgs; }).${case.on};
      inherit
        (lib.evalModules {
          modules = [
            host.module
            {
              nixos = ../nixos-module.nix;
              darwin = ../darwin-module.nix;
              home = ../home-manager-module.nix;
            }
            .${case.on}
            case.config
          ];
          specialArgs = { inherit pkgs; };
        })
        config
        ;
      agent = config.services.compartment.agent;
      hub = config.services.compartment.hub or { enable = false; };
      text = file: { ${file.name} = file.text; };
    in
    {
      refused = map (assertion: assertion.message) (lib.filter (assertion: !assertion.assertion) config.assertions);
      files =
        host.files config
        // lib.optionalAttrs agent.enable (
          text ((import ../agent.nix {
            inherit lib pkgs;
            name = "";
            state = "/";
            preset = "";
          }).file agent)
        )
        // lib.optionalAttrs (hub.enable && hub.inventory != null) (
          text ((pkgs.formats.toml { }).generate "hosts.toml" hub.inventory)
        );
      jobs = host.jobs config;
      beside = host.beside config;
    };

  # Whether anything comes of it: a value of a wrong type is an error.
  evaluates = case: (builtins.tryEval (builtins.deepSeq (evaluate case) true)).success;
in
{
  # Each has to be refused by no assertion, and to give what is expected.
  good = lib.mapAttrs (_: evaluate) cases.good;
  # Each has to be refused by one assertion, whose message has these words.
  bad = lib.mapAttrs (
    _: case: {
      inherit (case) words;
      inherit (evaluate case) refused;
    }
  ) cases.bad;
  # Each has to be no configuration at all; `isRight` says that it is one without its mistake.
  mistyped = lib.mapAttrs (_: case: {
    isMistaken = evaluates case;
    isRight = evaluates (case // { config = case.right; });
  }) cases.mistyped;
}
