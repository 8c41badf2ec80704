# The options of the hub, the command line that follows from them, and what must not be said together. The modules of
# NixOS and nix-darwin share them.
{ lib, pkgs }:

let
  inherit (lib) mkOption mkEnableOption types;
  shared = import ./lib.nix { inherit lib; };
  toml = pkgs.formats.toml { };

  secret =
    what:
    mkOption {
      type = types.nullOr shared.absolutePath;
      default = null;
      example = "/run/secrets/compartment";
      description = "${what} It is never copied into the Nix store: give the path as a string.";
    };
in
{
  options = {
    enable = mkEnableOption "the hub of compartment, which shows the state of a fleet of Nix machines";

    listenAddress = mkOption {
      type = types.strMatching "[0-9a-fA-F.:]+";
      default = "127.0.0.1";
      example = "::";
      description = ''
        The IP address that the hub listens on. Beyond loopback it wants {option}`tls`, or {option}`allowPlain` where
        the network between is trusted.
      '';
    };

    port = mkOption {
      type = types.port;
      default = 7070;
      description = "The port that the hub listens on.";
    };

    tls = {
      certificateFile = mkOption {
        type = types.nullOr shared.absolutePath;
        default = null;
        example = "/var/lib/acme/hub.example.org/fullchain.pem";
        description = "The hub's certificate and those that lead to the root, as PEM.";
      };

      keyFile = secret "The certificate's private key, as PEM.";
    };

    allowPlain = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether the hub listens beyond loopback without TLS. Tokens travel in the clear then: it is for a trusted
        network, or behind a proxy on another machine that has TLS.
      '';
    };

    forge = {
      url = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "https://git.example.org/config.git";
        description = ''
          Where what is desired comes from: the address or path of a repository, `github:OWNER/NAME`, or
          `published:URL` of a file that says it. Without, nobody knows what is desired.
        '';
      };

      branch = mkOption {
        type = types.str;
        default = "main";
        description = "The branch that hosts follow.";
      };

      tokenFile = secret "A file with the token for GitHub, or for a repository over HTTPS.";

      webhookSecretFile = secret "A file with the secret that the forge signs its notices with.";

      updates = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "refs/pull/*/head" ];
        description = ''
          Of a plain repository: the branches that are pull requests, or refs such as `refs/pull/*/head`. Where nothing
          is said, `update/*`.
        '';
      };

      updateLabels = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "On GitHub: pull requests with one of these labels are updates.";
      };

      updateTitles = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Pull requests whose title says one of these are updates.";
      };

      lookEvery = mkOption {
        type = types.ints.positive;
        default = 60;
        description = "How many seconds there are between two looks at the repository.";
      };
    };

    inventory = mkOption {
      type = types.nullOr (types.attrsOf toml.type);
      default = null;
      example = {
        defaults = {
          platform = "nixos";
          checkout = "/etc/nixos";
          sudo = true;
        };
        hosts = [ { name = "gpc0"; } ];
      };
      description = ''
        The hosts that the hub watches over SSH, as in {file}`hosts.toml`. The keys and the configuration of ssh belong
        into {file}`.ssh` in the hub's folder.
      '';
    };

    inventoryFile = mkOption {
      type = types.nullOr (types.either types.path types.str);
      default = null;
      example = "/etc/compartment/hosts.toml";
      description = "The same as a file that is there already.";
    };

    agentVersion = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "0.1.0";
      description = "The version that agents should have; the hub's own unless said.";
    };

    inherit (shared) logLevel;

    extraArgs = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "--forge-silence"
        "60"
      ];
      description = "Further options of {command}`compartment hub`, one a word. They stand in the Nix store.";
    };
  };

  # The words behind `compartment`. `data` is the hub's folder; `secretFile` says where the hub finds a secret, of its
  # name and of the file that the configuration says.
  arguments =
    cfg: data: secretFile:
    let
      address = if lib.hasInfix ":" cfg.listenAddress then "[${cfg.listenAddress}]" else cfg.listenAddress;
      option = name: value: lib.optionals (value != null) [ name (toString value) ];
      file = name: secretName: path: lib.optionals (path != null) [ name (secretFile secretName path) ];
      each = name: lib.concatMap (value: [ name value ]);
      inventory =
        if cfg.inventory != null then
          toml.generate "hosts.toml" (shared.withoutNulls cfg.inventory)
        else
          cfg.inventoryFile;
    in
    [
      "hub"
      "--data"
      data
      "--listen"
      "${address}:${toString cfg.port}"
    ]
    ++ file "--tls-cert" "tls-cert" cfg.tls.certificateFile
    ++ file "--tls-key" "tls-key" cfg.tls.keyFile
    ++ lib.optional cfg.allowPlain "--allow-plain"
    ++ lib.optionals (cfg.forge.url != null) (
      [
        "--forge"
        cfg.forge.url
        "--branch"
        cfg.forge.branch
      ]
      ++ file "--forge-token-file" "forge-token" cfg.forge.tokenFile
      ++ file "--webhook-secret-file" "webhook-secret" cfg.forge.webhookSecretFile
      ++ each "--updates" cfg.forge.updates
      ++ each "--update-label" cfg.forge.updateLabels
      ++ each "--update-title" cfg.forge.updateTitles
      ++ lib.optionals (cfg.forge.lookEvery != 60) [ "--look-every" (toString cfg.forge.lookEvery) ]
    )
    ++ option "--inventory" inventory
    ++ option "--agent-version" cfg.agentVersion
    ++ shared.logArguments cfg.logLevel
    ++ cfg.extraArgs;

  # The secrets that are given, by the names that `arguments` has for them.
  secrets =
    cfg:
    lib.filterAttrs (_: path: path != null) {
      tls-cert = cfg.tls.certificateFile;
      tls-key = cfg.tls.keyFile;
      forge-token = cfg.forge.tokenFile;
      webhook-secret = cfg.forge.webhookSecretFile;
    };

  assertions =
    cfg:
    let
      name = "services.compartment.hub";
      ownWords = [
        "--data"
        "--listen"
        "--tls-cert"
        "--tls-key"
        "--allow-plain"
        "--forge"
        "--forge-token-file"
        "--webhook-secret-file"
        "--inventory"
      ];
      isOwn = word: lib.any (own: word == own || lib.hasPrefix "${own}=" word) ownWords;
      twice = lib.filter isOwn cfg.extraArgs;
    in
    [
      {
        assertion = (cfg.tls.certificateFile == null) == (cfg.tls.keyFile == null);
        message =
          "${name}.tls: a certificate is of no use without its key. Set both certificateFile and keyFile, or neither.";
      }
      {
        assertion = shared.isLoopbackAddress cfg.listenAddress || cfg.tls.certificateFile != null || cfg.allowPlain;
        message =
          "${name}.listenAddress is ${cfg.listenAddress}, which other machines can reach, and without TLS whoever is "
          + "between reads the tokens. Set tls, listen on 127.0.0.1 or ::1 behind a proxy that has TLS, or set "
          + "allowPlain in a network where all are trusted.";
      }
      {
        assertion = cfg.forge.url != null || cfg.forge.tokenFile == null;
        message = "${name}.forge.tokenFile is for a forge: set forge.url, too.";
      }
      {
        assertion = cfg.forge.url != null || cfg.forge.webhookSecretFile == null;
        message = "${name}.forge.webhookSecretFile is for a forge: set forge.url, too.";
      }
      {
        assertion = cfg.inventory == null || cfg.inventoryFile == null;
        message = "${name}: inventory and inventoryFile both say which hosts there are. Set one of them.";
      }
      {
        assertion = twice == [ ];
        message = "${name}.extraArgs holds ${toString twice}, for which there are options. Set those.";
      }
      (shared.noPassword "${name}.forge.url" cfg.forge.url)
    ]
    ++ shared.secretsOutsideStore {
      "${name}.tls.keyFile" = cfg.tls.keyFile;
      "${name}.forge.tokenFile" = cfg.forge.tokenFile;
      "${name}.forge.webhookSecretFile" = cfg.forge.webhookSecretFile;
    };
}
