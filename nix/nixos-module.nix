# The hub and the agent on NixOS.
#
#   services.compartment.hub.enable = true;
#
#   services.compartment.agent = {
#     enable = true;
#     tokenFile = "/run/secrets/compartment-token";
#     settings.hub.url = "https://hub.example.org";
#     settings.checkout.remote = "https://git.example.org/config.git";
#   };
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkIf mkMerge mkOption types;
  shared = import ./lib.nix { inherit lib; };
  units = import ./units.nix;
  cfg = config.services.compartment;
  program = lib.getExe cfg.package;

  hub = import ./hub.nix { inherit lib pkgs; };
  hubData = "/var/lib/compartment-hub";
  # systemd hands secrets over in a folder that the service alone can read.
  hubSecret = name: _: "/run/credentials/compartment-hub.service/${name}";
  hubSecrets = hub.secrets cfg.hub // cfg.hub.credentials;
  isLowPort = cfg.hub.port < 1024;

  agent = import ./agent.nix {
    inherit lib pkgs;
    name = "services.compartment.agent";
    host = config.networking.hostName;
    hostText = "config.networking.hostName";
    state = "/var/lib/compartment-agent";
    preset = "nixos";
    tokenPath = _: "/run/credentials/compartment-agent.service/token";
  };
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
      openFirewall = mkOption {
        type = types.bool;
        default = false;
        description = "Whether the firewall lets other machines reach the hub's port.";
      };

      credentials = mkOption {
        type = types.attrsOf shared.absolutePath;
        default = { };
        example = {
          ssh-key = "/run/secrets/fleet-ssh-key";
        };
        description = ''
          Further secrets for the hub, by name. It finds each in
          {file}`/run/credentials/compartment-hub.service/NAME`; a key for hosts over SSH, for example, that
          `IdentityFile` in {file}`/var/lib/compartment-hub/.ssh/config` names.
        '';
      };
    };

    agent = agent.options cfg.agent // {
      extraPackages = mkOption {
        type = types.listOf types.package;
        default = [ ];
        description = "Packages whose programs operations and tests find, besides those of the system.";
      };
    };
  };

  config = mkMerge [
    (mkIf (cfg.hub.enable || cfg.agent.enable) { environment.systemPackages = [ cfg.package ]; })

    (mkIf cfg.hub.enable {
      assertions =
        hub.assertions cfg.hub
        ++ [
          {
            assertion = !cfg.hub.openFirewall || !shared.isLoopbackAddress cfg.hub.listenAddress;
            message =
              "services.compartment.hub.openFirewall opens a port that nobody can reach: the hub listens on "
              + "${cfg.hub.listenAddress}. Set listenAddress and tls, or leave openFirewall out.";
          }
          {
            assertion = builtins.intersectAttrs (hub.secrets cfg.hub) cfg.hub.credentials == { };
            message = "services.compartment.hub.credentials has a name that the hub uses itself: choose another.";
          }
          {
            assertion = cfg.hub.forge.url == null || builtins.match "/(home|root)(/.*)?" cfg.hub.forge.url == null;
            message =
              "services.compartment.hub.forge.url is ${toString cfg.hub.forge.url}, and the hub's service sees no "
              + "homes. Name a repository elsewhere, or by an address.";
          }
        ]
        ++ shared.secretsOutsideStore (
          lib.mapAttrs' (
            name: lib.nameValuePair "services.compartment.hub.credentials.${name}"
          ) cfg.hub.credentials
        );

      users.users.compartment-hub = {
        isSystemUser = true;
        group = "compartment-hub";
        home = hubData;
        description = "Hub of compartment";
      };
      users.groups.compartment-hub = { };

      networking.firewall.allowedTCPPorts = lib.optional cfg.hub.openFirewall cfg.hub.port;

      systemd.services.compartment-hub = removeAttrs units.hub [ "serviceConfig" ] // {
        # A switch restarts a hub that has changed at its end, in one step. Agents keep what they have to say meanwhile.
        stopIfChanged = false;
        serviceConfig =
          units.hub.serviceConfig
          // {
            ExecStart = shared.systemdCommand ([ program ] ++ hub.arguments cfg.hub hubData hubSecret);
          }
          // lib.optionalAttrs (hubSecrets != { }) {
            LoadCredential = lib.mapAttrsToList (name: path: "${name}:${path}") hubSecrets;
          }
          // lib.optionalAttrs isLowPort {
            AmbientCapabilities = "CAP_NET_BIND_SERVICE";
            CapabilityBoundingSet = "CAP_NET_BIND_SERVICE";
            # In a user namespace of its own it would have that capability for ports of no machine.
            PrivateUsers = false;
          };
      };
    })

    (mkIf cfg.agent.enable {
      assertions = agent.assertions cfg.agent;

      systemd.services.compartment-agent = removeAttrs units.agent [ "serviceConfig" "environment" ] // {
        # What happens when a switch changes the agent that carries it out? NixOS knows three ways to treat such a unit:
        #
        # - stop it before the switch, start it after (the default). Between the two nobody speaks for the host, and
        #   where the switch fails in between, the agent stays down and the host is out of reach.
        # - leave it alone (restartIfChanged = false). comin does so, and has the new one started by its own means; so
        #   does system.autoUpgrade, whose service is the switch. Here the old agent would run on: its settings and its
        #   version would not be those that were deployed (the cell Agent stays red, `behind`), and once the garbage
        #   collector has taken its package, it could not start another operation.
        # - restart it at the end of the switch (stopIfChanged = false): what is done here. With KillMode=process a
        #   restart ends the agent's own process and nothing else. The switch runs on, in a session of its own and with
        #   its own supervisor, and the new agent finds it, waits for its end, and reports it. Where the switch fails
        #   earlier, the old agent was never touched.
        #
        # A unit that is gone from the new configuration is stopped (X-StopOnRemoval stays as it is): who takes the
        # agent out wants it to end. A rollback to a generation without agent therefore ends it, too; the rollback
        # itself goes on, and nobody reports what came of it.
        stopIfChanged = false;
        restartIfChanged = true;

        environment = units.agent.environment // config.networking.proxy.envVars;
        # What the system has, and what may become another user: also after the switch, and in an operation that runs
        # across it. The packages that NixOS puts here otherwise would change the unit, and so restart the agent, with
        # every update of nixpkgs; all of them are in the system anyway.
        path = lib.mkForce (
          cfg.agent.extraPackages
          ++ [
            "/run/wrappers"
            "/run/current-system/sw"
          ]
        );

        serviceConfig = units.agent.serviceConfig // {
          ExecStart = shared.systemdCommand (
            [ program ] ++ agent.arguments cfg.agent (toString (agent.file cfg.agent))
          );
          LoadCredential = "token:${cfg.agent.tokenFile}";
        };
      };
    })
  ];
}
