# The hub and the agent on nix-darwin.
#
#   services.compartment.agent = {
#     enable = true;
#     tokenFile = "/etc/compartment/agent.token";
#     settings.hub.url = "https://hub.example.org";
#     settings.checkout.remote = "https://git.example.org/config.git";
#   };
#
# Nothing hands secrets over here as systemd does: the files have to belong to whoever reads them (root for the agent,
# the hub's user for the hub) and to be readable for nobody else.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkIf mkMerge mkOption types;
  shared = import ./lib.nix { inherit lib; };
  daemons = import ./launchd.nix;
  cfg = config.services.compartment;
  program = lib.getExe cfg.package;

  hub = import ./hub.nix { inherit lib pkgs; };
  hubUser = "_compartment-hub";
  hubData = "/var/db/compartment-hub";

  agent = import ./agent.nix {
    inherit lib pkgs;
    name = "services.compartment.agent";
    host = config.networking.hostName;
    hostText = "config.networking.hostName";
    # There is no /var/lib on macOS, and the agent's folder has to be in folders that are root's.
    state = "/var/db/compartment-agent";
    preset = "nix-darwin";
  };

  path = lib.concatStringsSep ":" [
    "/run/current-system/sw/bin"
    "/nix/var/nix/profiles/default/bin"
    "/usr/local/bin"
    "/usr/bin"
    "/bin"
    "/usr/sbin"
    "/sbin"
  ];

  # nix-darwin makes a file of it, and has launchd wait for the volume that the Nix store is on.
  script = words: "exec ${lib.escapeShellArgs ([ program ] ++ words)}";
in
{
  options.services.compartment = {
    package = mkOption {
      type = types.package;
      default = pkgs.compartment or (pkgs.callPackage ./package.nix { });
      defaultText = lib.literalExpression "pkgs.compartment";
      description = "The package of compartment, for the hub and the agent.";
    };

    hub = hub.options // {
      uid = mkOption {
        type = types.ints.between 200 499;
        default = 465;
        description = "The id of the hub's user and of its group, which nobody else may have.";
      };
    };

    agent = agent.options cfg.agent;
  };

  config = mkMerge [
    (mkIf (cfg.hub.enable || cfg.agent.enable) { environment.systemPackages = [ cfg.package ]; })

    (mkIf cfg.hub.enable {
      assertions = hub.assertions cfg.hub ++ [
        {
          assertion = cfg.hub.port >= 1024;
          message =
            "services.compartment.hub.port is ${toString cfg.hub.port}, and the hub's user may not listen below 1024. "
            + "Take another one, behind a proxy.";
        }
      ];

      users.knownUsers = [ hubUser ];
      users.knownGroups = [ hubUser ];
      users.users.${hubUser} = {
        uid = cfg.hub.uid;
        gid = cfg.hub.uid;
        home = hubData;
        shell = "/usr/bin/false";
        isHidden = true;
        description = "Hub of compartment";
      };
      users.groups.${hubUser} = {
        gid = cfg.hub.uid;
        description = "Hub of compartment";
      };

      # Before launchd is told: the hub refuses a folder that others may write to, and cannot make one here itself.
      system.activationScripts.launchd.text = lib.mkBefore ''
        /usr/bin/install -d -m 0700 -o ${toString cfg.hub.uid} -g ${toString cfg.hub.uid} ${hubData}
      '';

      launchd.daemons.compartment-hub = {
        script = script (hub.arguments cfg.hub hubData (_: path: path));
        environment = {
          HOME = hubData;
          PATH = path;
        };
        serviceConfig = daemons.hub;
      };
    })

    (mkIf cfg.agent.enable {
      assertions = agent.assertions cfg.agent;

      # A switch that changes the agent reloads its daemon, while the agent carries that switch out. AbandonProcessGroup
      # lets the operation live: it goes on, and the new agent reports its end. (nixos-module.nix says it at length.)
      launchd.daemons.compartment-agent = {
        script = script (agent.arguments cfg.agent (toString (agent.file cfg.agent)));
        environment = {
          HOME = "/var/root";
          PATH = path;
        };
        serviceConfig = daemons.agent;
      };
    })
  ];
}
