# A stand-in for the packages of nixpkgs: names of packages, and files that are the text that they would hold.
{ lib, system }:

let
  hash = "00000000000000000000000000000000";

  package = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/${hash}-${name}";
    meta.mainProgram = name;
  };

  # A value as TOML, with the keys of each table before the tables below it.
  toml =
    path: table:
    let
      keys = builtins.attrNames table;
      isTable = value: builtins.isAttrs value && !lib.isDerivation value;
      isTables = value: builtins.isList value && value != [ ] && builtins.all isTable value;
      plain = lib.filter (key: !isTable table.${key} && !isTables table.${key}) keys;
      tables = lib.filter (key: isTable table.${key}) keys;
      lists = lib.filter (key: isTables table.${key}) keys;
      name = key: if builtins.match "[A-Za-z0-9_-]+" key != null then key else builtins.toJSON key;
      below = key: path ++ [ (name key) ];
      value =
        of:
        if isTable of then
          "{ ${lib.concatMapStringsSep ", " (key: "${name key} = ${value of.${key}}") (builtins.attrNames of)} }"
        else if builtins.isList of then
          "[${lib.concatMapStringsSep ", " value of}]"
        else if builtins.isString of || builtins.isPath of || lib.isDerivation of then
          builtins.toJSON "${toString of}"
        else if builtins.isBool of || builtins.isInt of || builtins.isFloat of then
          builtins.toJSON of
        else
          throw "TOML has no ${builtins.typeOf of}";
    in
    lib.concatMapStrings (key: "${name key} = ${value table.${key}}\n") plain
    + lib.concatMapStrings (key: "\n[${lib.concatStringsSep "." (below key)}]\n${toml (below key) table.${key}}") tables
    + lib.concatMapStrings (
      key:
      lib.concatMapStrings (
        entry: "\n[[${lib.concatStringsSep "." (below key)}]]\n${toml (below key) entry}"
      ) table.${key}
    ) lists;

  isLinux = lib.hasSuffix "-linux" system;
in
{
  inherit package;
  compartment = package "compartment";
  git = package "git";

  stdenv = {
    hostPlatform = {
      inherit system isLinux;
      isDarwin = !isLinux;
    };
  };

  callPackage = _: _: throw "the stand-in for pkgs has compartment itself";

  formats.toml = _: {
    type =
      let
        value = lib.types.oneOf [
          lib.types.bool
          lib.types.int
          lib.types.float
          lib.types.str
          lib.types.path
          (lib.types.attrsOf value)
          (lib.types.listOf value)
        ]
        // {
          description = "TOML value";
        };
      in
      value;

    # A file in the store, by the name of which the tests find what is in it.
    generate = name: table: {
      type = "derivation";
      inherit name;
      outPath = "/nix/store/${hash}-${name}";
      text = toml [ ] table;
    };
  };
}
