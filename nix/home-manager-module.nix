# A user's part: the client's environment, and an agent for a home that home-manager manages on its own.
#
#   programs.compartment = {
#     enable = true;
#     hubUrl = "https://hub.example.org";
#     tokenFile = "~/.config/compartment/token";
#   };
#
#   services.compartment.agent = {
#     enable = true;
#     tokenFile = "/home/mba/.config/compartment/agent.token";
#     settings.host = "mba";
#     settings.hub.url = "https://hub.example.org";
#     settings.checkout.remote = "https://git.example.org/home.git";
#   };
#
# On Linux the agent is a service of the user's systemd. It runs while the user is logged in, and always for a user who
# lingers: `loginctl enable-linger USER`.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkIf mkMerge mkOption mkEnableOption types;
  shared = import ./lib.nix { inherit lib; };
  units = import ./units.nix;
  daemons = import ./launchd.nix;
  client = config.programs.compartment;
  cfg = config.services.compartment;
  home = config.home.homeDirectory;

  agent = import ./agent.nix {
    inherit lib pkgs;
    name = "services.compartment.agent";
    # `home-manager switch --flake CHECKOUT#HOST`: which of the configurations this is, only the user knows.
    state = "${config.xdg.stateHome}/compartment-agent";
    stateText = ''"''${config.xdg.stateHome}/compartment-agent"'';
    preset = "home-manager";
  };

  command = [ (lib.getExe cfg.package) ] ++ agent.arguments cfg.agent (toString (agent.file cfg.agent));
  path = lib.concatStringsSep ":" [
    "${config.home.profileDirectory}/bin"
    "/run/wrappers/bin"
    "/run/current-system/sw/bin"
    "/nix/var/nix/profiles/default/bin"
    "/usr/local/bin"
    "/usr/bin"
    "/bin"
  ];

  package = mkOption {
    type = types.package;
    default = pkgs.compartment or (pkgs.callPackage ./package.nix { });
    defaultText = lib.literalExpression "pkgs.compartment";
    description = "The package of compartment.";
  };

  # A shell would expand a tilde only unquoted.
  inHome =
    path: if path != null && lib.hasPrefix "~/" path then home + lib.removePrefix "~" path else path;
in
{
  options.programs.compartment = {
    enable = mkEnableOption "the client of compartment, and where it finds the hub";

    inherit package;

    hubUrl = mkOption {
      type = types.nullOr (types.strMatching "https?://.+");
      default = null;
      example = "https://hub.example.org";
      description = "The address of the hub, as {env}`COMPARTMENT_HUB`.";
    };

    tokenFile = mkOption {
      type = types.nullOr (types.strMatching "(/|~/).+");
      default = null;
      example = "~/.config/compartment/token";
      description = ''
        A file with the user's token, as {env}`COMPARTMENT_TOKEN_FILE`. It is never copied into the Nix store: give the
        path as a string.
      '';
    };
  };

  options.services.compartment = {
    inherit package;
    agent = agent.options cfg.agent;
  };

  config = mkMerge [
    (mkIf client.enable {
      assertions = shared.secretsOutsideStore { "programs.compartment.tokenFile" = client.tokenFile; };
      home.packages = [ client.package ];
      home.sessionVariables =
        lib.optionalAttrs (client.hubUrl != null) { COMPARTMENT_HUB = client.hubUrl; }
        // lib.optionalAttrs (client.tokenFile != null) { COMPARTMENT_TOKEN_FILE = inHome client.tokenFile; };
    })

    (mkIf cfg.agent.enable { assertions = agent.assertions cfg.agent; })

    (mkIf (cfg.agent.enable && pkgs.stdenv.hostPlatform.isLinux) {
      systemd.user.services.compartment-agent = {
        Unit = {
          Description = units.agent.description;
          Documentation = units.agent.documentation;
          StartLimitIntervalSec = units.agent.startLimitIntervalSec;
          # A switch restarts an agent that has changed in one step; the operation, which may be that switch, lives on.
          # (nixos-module.nix says it at length.)
          X-SwitchMethod = "restart";
        };
        Service = {
          ExecStart = shared.systemdCommand command;
          Environment = [ "PATH=${path}" ];
          # As for the agent of a system. The token and the state are the user's own: nothing has to be handed over.
          inherit (units.agent.serviceConfig)
            Type
            Restart
            RestartSec
            KillMode
            OOMPolicy
            TasksMax
            ;
        };
        Install.WantedBy = [ "default.target" ];
      };
    })

    (mkIf (cfg.agent.enable && pkgs.stdenv.hostPlatform.isDarwin) {
      launchd.agents.compartment-agent = {
        enable = true;
        config = {
          ProgramArguments = command;
          EnvironmentVariables.PATH = path;
          inherit (daemons.agent) RunAtLoad KeepAlive AbandonProcessGroup;
          StandardOutPath = "${home}/Library/Logs/compartment-agent.log";
          StandardErrorPath = "${home}/Library/Logs/compartment-agent.log";
        };
      };
    })
  ];
}
