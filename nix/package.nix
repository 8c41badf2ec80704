# The program `compartment`, with completions, man pages and the files that service managers want.
{
  lib,
  stdenv,
  rustPlatform,
  rustc,
  installShellFiles,
  makeBinaryWrapper,
  gitMinimal,
  openssh,
  util-linuxMinimal,
}:

let
  manifest = lib.importTOML ../Cargo.toml;
  inherit (manifest.workspace.package) version rust-version;

  # What the program calls: git for repositories, ssh for hosts without an agent, setpriv to look at a checkout as its
  # owner. They come last in its PATH: who has a git or ssh of his own, with its own settings, uses that.
  programs = [
    gitMinimal
    openssh
  ]
  ++ lib.optional stdenv.hostPlatform.isLinux util-linuxMinimal;
in

assert lib.assertMsg (lib.versionAtLeast rustc.version rust-version)
  "compartment wants Rust ${rust-version}, and this nixpkgs has ${rustc.version}: take a newer nixpkgs";

rustPlatform.buildRustPackage {
  pname = "compartment";
  inherit version;

  # What is compiled, and what is installed: a change of a page of docs builds nothing anew.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.difference ../. (
      lib.fileset.unions (
        map lib.fileset.maybeMissing [
          ../.ci
          ../.git
          ../docs
          ../findings
          ../flake.lock
          ../flake.nix
          ../fuzz
          ../nix
          ../result
          ../scripts
          ../target
        ]
      )
    );
  };
  cargoLock.lockFile = ../Cargo.lock;

  cargoBuildFlags = [
    "--package"
    "compartment"
    "--bin"
    "compartment"
  ];
  # The tests start sshd, networks and whole machines, which no build may: scripts/test runs them.
  doCheck = false;

  nativeBuildInputs = [
    installShellFiles
    makeBinaryWrapper
  ];

  postInstall = ''
    install -D --mode 0644 --target-directory "$out/lib/sysusers.d" packaging/sysusers.d/compartment.conf
    for unit in compartment-hub compartment-agent; do
      install -D --mode 0644 --target-directory "$out/lib/systemd/system" "packaging/systemd/$unit.service"
      install -D --mode 0644 --target-directory "$out/Library/LaunchDaemons" "packaging/launchd/$unit.plist"
      for file in "$out/lib/systemd/system/$unit.service" "$out/Library/LaunchDaemons/$unit.plist"; do
        substituteInPlace "$file" --replace-fail /usr/local/bin/compartment "$out/bin/compartment"
      done
    done
  ''
  # The program itself writes them.
  + lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    for shell in bash fish zsh; do
      "$out/bin/compartment" completions "$shell" > "compartment.$shell"
    done
    installShellCompletion --cmd compartment --bash compartment.bash --fish compartment.fish --zsh compartment.zsh
    mkdir man
    "$out/bin/compartment" man man
    installManPage man/*
  ''
  + ''
    wrapProgram "$out/bin/compartment" --suffix PATH : ${lib.makeBinPath programs}
  '';

  meta = {
    description = "Shows what state every machine of a Nix fleet is in";
    license = [
      lib.licenses.mit
      lib.licenses.asl20
    ];
    mainProgram = "compartment";
    platforms = lib.platforms.linux ++ lib.platforms.darwin;
  };
}
