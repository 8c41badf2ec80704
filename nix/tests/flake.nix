# What the flake gives, and what the package is made of, with a stand-in for nixpkgs: names and values that a machine
# without nixpkgs can know. `lib` is the stand-in for its library.
let
  known = import ./lib.nix;
  systems = [
    "x86_64-linux"
    "aarch64-linux"
    "x86_64-darwin"
    "aarch64-darwin"
    # None that the flake is for.
    "riscv64-linux"
  ];

  lib = known // {
    fileset = {
      toSource = source: source;
      difference = _: without: { inherit without; };
      unions = places: places;
      maybeMissing = place: baseNameOf place;
    };
    licenses = {
      mit = "MIT";
      asl20 = "Apache-2.0";
    };
    platforms = {
      linux = [ "linux" ];
      darwin = [ "darwin" ];
    };
    trivial.release = "26.11";
    # A NixOS with nothing but the modules: its units are their names.
    nixosSystem =
      { modules }:
      let
        pkgs = legacyPackages.x86_64-linux;
        host = (import ./hosts.nix { inherit lib pkgs; }).nixos;
        inherit (builtins) elemAt;
        evaluated = lib.evalModules {
          modules = [
            host.module
            (elemAt modules 0)
            { services = (elemAt modules 1).services; }
          ];
          specialArgs = { inherit pkgs; };
        };
      in
      {
        config.systemd.units = lib.mapAttrs (name: _: { unit = "/nix/store/${name}"; }) (host.files evaluated.config);
      };
  };

  platform = system: {
    inherit system;
    isLinux = lib.hasSuffix "-linux" system;
    isDarwin = lib.hasSuffix "-darwin" system;
  };

  legacyPackages = lib.genAttrs systems (
    system:
    let
      base = import ./pkgs.nix { inherit lib system; };
      pkgs = removeAttrs base [ "compartment" ] // {
        inherit lib;
        stdenv = {
          hostPlatform = platform system;
          buildPlatform = platform system // {
            canExecute = other: other.system == system;
          };
        };
        rustPlatform.buildRustPackage = attrs: attrs // {
          type = "derivation";
          outPath = "/nix/store/00000000000000000000000000000000-${attrs.pname}";
        };
        rustc.version = "1.99.0";
        python3 = base.package "python3";
        installShellFiles = base.package "installShellFiles";
        makeBinaryWrapper = base.package "makeBinaryWrapper";
        gitMinimal = base.package "git";
        openssh = base.package "openssh";
        util-linuxMinimal = base.package "util-linux";
        runCommand = name: attrs: script: { inherit name attrs script; };
        # As nixpkgs does it: a function gets the packages that it names.
        callPackage =
          path: more:
          let
            function = import path;
          in
          function (builtins.intersectAttrs (builtins.functionArgs function) pkgs // more);
      };
    in
    pkgs
  );

  flake = import ../../flake.nix;
  outputs =
    legacyPackages:
    let
      self = flake.outputs {
        self = self // {
          outPath = "/nix/store/00000000000000000000000000000000-source";
        };
        nixpkgs = { inherit lib legacyPackages; };
      };
    in
    self;
  self = outputs legacyPackages;
  overlaid = self.overlays.default legacyPackages.x86_64-linux { };
  package = self.packages.x86_64-linux.default;
  # nixpkgs with a Rust that is too old.
  old = legacyPackages.x86_64-linux.callPackage ../package.nix { rustc.version = "1.89.0"; };
in
{
  outputs = lib.mapAttrs (_: builtins.attrNames) self;
  # nixpkgs lets systems go: what is left works on.
  withoutOneSystem = builtins.attrNames (outputs (removeAttrs legacyPackages [ "x86_64-darwin" ])).packages;
  packages = lib.mapAttrs (_: lib.mapAttrs (_: found: found.outPath)) self.packages;
  overlay = lib.mapAttrs (_: found: found.outPath) overlaid;
  modules = map (module: builtins.isFunction (import module)) [
    self.nixosModules.default
    self.darwinModules.default
    self.homeManagerModules.default
  ];
  checks = lib.mapAttrs (_: lib.mapAttrs (_: check: check.name or check.pname)) self.checks;
  # Each is evaluated whole.
  scripts =
    let
      all = lib.mapAttrs (_: of: removeAttrs of [ "package" ]) self.checks;
    in
    builtins.stringLength (builtins.toJSON all) > 1000;
  refusesOldRust = !(builtins.tryEval (builtins.deepSeq old.outPath true)).success;
  package = {
    inherit (package)
      pname
      cargoBuildFlags
      doCheck
      meta
      ;
    isVersionOfWorkspace = package.version == (lib.importTOML ../../Cargo.toml).workspace.package.version;
    without = package.src.fileset.without;
    lock = builtins.pathExists package.cargoLock.lockFile;
  };
  postInstall = package.postInstall;
}
