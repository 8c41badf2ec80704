# The options of an agent, and what must not be said together. The modules of NixOS, nix-darwin and home-manager share
# them; each says what differs.
{
  lib,
  pkgs,
  # The option's name, for messages.
  name,
  # What `settings.host`, `settings.state` and `settings.commands` are unless said. A host of null has to be said.
  host ? null,
  hostText ? null,
  state,
  stateText ? null,
  preset,
  # Where the agent finds its token, of the file that the configuration says.
  tokenPath ? (file: file),
}:

let
  inherit (lib) mkOption mkEnableOption types;
  shared = import ./lib.nix { inherit lib; };
  toml = pkgs.formats.toml { };
in
{
  options = cfg: {
    enable = mkEnableOption "the agent of compartment, which reports this host and carries out what the hub orders";

    tokenFile = mkOption {
      type = shared.absolutePath;
      example = "/run/secrets/compartment-token";
      description = ''
        A file with the token of this host, as {command}`compartment hub token add --host NAME` gives it, and nothing
        else. It is never copied into the Nix store: give the path as a string.
      '';
    };

    inherit (shared) logLevel;

    settings = mkOption {
      default = { };
      description = ''
        The agent's settings, as in {file}`agent.toml`. Keys that are not listed here are passed on as they are.
      '';
      type = types.submodule {
        freeformType = types.attrsOf toml.type;
        options = {
          host = mkOption (
            {
              type = types.strMatching "[A-Za-z0-9._-]+";
              example = "gpc0";
              description = "The host's name, as its token says it.";
            }
            // lib.optionalAttrs (host != null) { default = host; }
            // lib.optionalAttrs (hostText != null) { defaultText = lib.literalExpression hostText; }
          );

          state = mkOption (
            {
              type = shared.absolutePath;
              default = state;
              description = "The folder of what waits and of what runs. It is the agent's alone.";
            }
            // lib.optionalAttrs (stateText != null) { defaultText = lib.literalExpression stateText; }
          );

          commands = mkOption {
            type = types.either (types.enum [
              "nixos"
              "nix-darwin"
              "home-manager"
            ]) (types.attrsOf toml.type);
            default = preset;
            example = {
              preset = "nixos";
              limits.switch_s = 3600;
            };
            description = ''
              What operations run: the name of a preset, or a table with `preset`, `pull`, `switch`, `rollback` and
              `limits`.
            '';
          };

          tests = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "tests";
            description = "The folder of tests; in the checkout where it is relative.";
          };

          heartbeat_s = mkOption {
            type = types.nullOr (types.ints.between 1 60);
            default = null;
            description = "How many seconds there are between two heartbeats; 5 unless said.";
          };

          hub = {
            url = mkOption {
              type = types.strMatching "https?://.+";
              example = "https://hub.example.org";
              description = "The address of the hub.";
            };

            token_file = mkOption {
              type = shared.absolutePath;
              default = tokenPath cfg.tokenFile;
              defaultText = lib.literalMD "where the token of {option}`${name}.tokenFile` is handed over";
              internal = true;
              description = "Where the agent reads its token.";
            };

            ca_file = mkOption {
              type = types.nullOr (types.either types.path types.str);
              default = null;
              description = "Certificates (PEM) that are trusted besides the platform's.";
            };

            allow_plain = mkOption {
              type = types.bool;
              default = false;
              description = ''
                Whether the token may travel beyond loopback over plain HTTP, where everybody on the way can read it.
              '';
            };
          };

          checkout = mkOption {
            default = { };
            description = "The checkout of the config repository. null where there is none.";
            type = types.nullOr (
              types.submodule {
                freeformType = types.attrsOf toml.type;
                options = {
                  path = mkOption {
                    type = shared.absolutePath;
                    default = "${cfg.settings.state}/config";
                    defaultText = lib.literalMD "`config` in {option}`${name}.settings.state`";
                    description = "Its top folder.";
                  };

                  remote = mkOption {
                    type = types.nullOr types.str;
                    default = null;
                    example = "https://git.example.org/config.git";
                    description = "Where the first pull clones it from. Without, it has to be there.";
                  };

                  branch = mkOption {
                    type = types.str;
                    default = "main";
                    description = "The branch that it follows.";
                  };
                };
              }
            );
          };
        };
      };
    };
  };

  # The file of settings.
  file = cfg: toml.generate "agent.toml" (shared.withoutNulls cfg.settings);

  # The words behind `compartment`.
  arguments = cfg: settings: [ "agent" "--config" settings ] ++ shared.logArguments cfg.logLevel;

  assertions =
    cfg:
    let
      inherit (cfg) settings;
      plain = shared.plainHost settings.hub.url;
      commands = if builtins.isAttrs settings.commands then settings.commands else { };
      checkout = if settings.checkout == null then { } else settings.checkout;
      remote = checkout.remote or null;
    in
    [
      {
        assertion = plain == null || shared.isLoopbackHost plain || settings.hub.allow_plain;
        message =
          "${name}.settings.hub.url is ${settings.hub.url}, which is not encrypted: everybody on the way could read "
          + "the token. Use https, or set allow_plain in a network where all are trusted.";
      }
      {
        assertion = builtins.match "https?://[^/@?#]+(/[^?#]*)?" settings.hub.url != null;
        message =
          "${name}.settings.hub.url has to be without user, query and fragment, such as https://hub.example.org.";
      }
      {
        assertion = settings.keep_operations or true;
        message =
          "${name}.settings.keep_operations is false, so a switch that restarts the agent would end itself half-way. "
          + "Leave it out.";
      }
      {
        assertion = settings.tests == null || !(commands ? tests);
        message = "${name}.settings: tests and commands.tests say the same. Set tests alone.";
      }
      {
        assertion = remote == null || !(commands ? remote);
        message = "${name}.settings: checkout.remote and commands.remote say the same. Set checkout.remote alone.";
      }
      (shared.noPassword "${name}.settings.checkout.remote" remote)
      (shared.noPassword "${name}.settings.commands.remote" (commands.remote or null))
    ]
    ++ shared.secretsOutsideStore (
      {
        "${name}.tokenFile" = cfg.tokenFile;
      }
      // lib.optionalAttrs (settings.hub.token_file != cfg.tokenFile) {
        "${name}.settings.hub.token_file" = settings.hub.token_file;
      }
    );
}
