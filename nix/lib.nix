# What the modules share: types of options, checks of what they say, and how a command line becomes a line of a unit.
{ lib }:

let
  inherit (lib) types;
in
rec {
  # An absolute path as a string. A path of Nix (./token) is refused: it would be copied into the store.
  absolutePath = types.strMatching "/.+" // {
    description = "absolute path, as a string";
  };

  inStore = path: path != null && (path == builtins.storeDir || lib.hasPrefix "${builtins.storeDir}/" path);

  # Assertions for secrets: of each option's name and its value, null where nothing is said.
  secretsOutsideStore = lib.mapAttrsToList (
    option: path: {
      assertion = !inStore path;
      message =
        "${option} is ${toString path}, which is in the Nix store, where every user of the machine can read it. "
        + "Name a file outside of the store that holds the secret, such as \"/run/secrets/compartment\".";
    }
  );

  # Whether an address says a user's password, as in https://me:secret@git.example.org/x.git.
  hasPassword = address: address != null && builtins.match "[^/]*://[^/@]*:[^/]*@.*" address != null;

  noPassword = option: address: {
    assertion = !hasPassword address;
    message =
      "${option} holds a password, and what a configuration says is in the Nix store, where every user of the machine "
      + "can read it. Take it out of the address, and give git a credential helper or a token file.";
  };

  # Whether whoever listens at this address can be reached from this machine alone.
  isLoopbackAddress = address: address == "::1" || builtins.match "127\\.[0-9.]+" address != null;

  # The host that an address over plain HTTP names, without its port; null where it is another kind of address.
  plainHost =
    url:
    let
      host = builtins.match "http://(\\[[^]]*]|[^/:]*)(:[0-9]*)?(/.*)?" url;
    in
    if host == null then null else builtins.head host;

  isLoopbackHost =
    host:
    host == "localhost" || lib.hasSuffix ".localhost" host || host == "[::1]" || isLoopbackAddress host;

  # Takes out whatever is null, at any depth: TOML has no null.
  withoutNulls =
    value:
    if builtins.isAttrs value && !lib.isDerivation value then
      lib.mapAttrs (_: withoutNulls) (lib.filterAttrs (_: inner: inner != null) value)
    else if builtins.isList value then
      map withoutNulls value
    else
      value;

  # A command line as ExecStart= wants it. systemd would read % and $ otherwise.
  systemdCommand =
    words: lib.concatMapStringsSep " " (word: builtins.replaceStrings [ "%" "$" ] [ "%%" "$$" ] (quoted word)) words;

  # In quotes where it has more than plain characters.
  quoted = word: if builtins.match "[A-Za-z0-9_./:=@%+,-]+" word != null then word else builtins.toJSON word;

  logLevel = lib.mkOption {
    type = types.enum [
      "error"
      "warn"
      "info"
      "debug"
      "trace"
    ];
    default = "info";
    description = "How much is written to the journal or the log file.";
  };

  logArguments = level: lib.optionals (level != "info") [
    "--log"
    level
  ];
}
