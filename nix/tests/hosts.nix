# What the modules find around them on NixOS, nix-darwin and in home-manager: the options that they set or read, without
# what those do with them. `files` renders what the real ones make of services: unit files of systemd, in the words and
# the order of NixOS and home-manager, and jobs of launchd as the keys and values of their plist.
{ lib, pkgs }:

let
  inherit (lib) mkOption types;
  anything = mkOption {
    type = types.attrsOf types.anything;
    default = { };
  };
  list = mkOption {
    type = types.listOf types.anything;
    default = [ ];
  };
  string =
    default:
    mkOption {
      type = types.str;
      inherit default;
    };

  common = {
    options.assertions = list;
  };

  # ---- units

  word = value: if builtins.isBool value then (if value then "true" else "false") else toString value;
  lines =
    section:
    lib.concatMapStrings (
      name:
      let
        values = if builtins.isList section.${name} then section.${name} else [ section.${name} ];
      in
      lib.concatMapStrings (value: "${name}=${word value}\n") values
    ) (builtins.attrNames section);

  nixosUnit =
    service:
    let
      path = service.path or [ ];
      search = folder: lib.concatMapStringsSep ":" (place: "${place}/${folder}") path;
      environment =
        (service.environment or { })
        // lib.optionalAttrs (path != [ ]) { PATH = "${search "bin"}:${search "sbin"}"; };
      unit = {
        Description = service.description;
        Documentation = toString service.documentation;
        Wants = toString service.wants;
        After = toString service.after;
        StartLimitIntervalSec = service.startLimitIntervalSec;
      };
    in
    "[Unit]\n"
    + lines unit
    + "\n[Service]\n"
    + lib.concatMapStrings (
      name: "Environment=${builtins.toJSON "${name}=${environment.${name}}"}\n"
    ) (builtins.attrNames environment)
    + lib.optionalString (!(service.restartIfChanged or true)) "X-RestartIfChanged=false\n"
    + lib.optionalString (!(service.stopIfChanged or true)) "X-StopIfChanged=false\n"
    + lines service.serviceConfig
    + "\n[Install]\nWantedBy=${toString service.wantedBy}\n";

  homeUnit = unit: "[Unit]\n${lines unit.Unit}\n[Service]\n${lines unit.Service}\n[Install]\n${lines unit.Install}";

  services = render: lib.mapAttrs' (name: unit: lib.nameValuePair "${name}.service" (render unit));

  # ---- what is there beside the services

  # Packages are told by their names.
  shown =
    value:
    if lib.isDerivation value then
      value.outPath
    else if builtins.isAttrs value then
      lib.mapAttrs (_: shown) value
    else if builtins.isList value then
      map shown value
    else
      value;
in
{
  nixos = {
    module.imports = [
      common
      {
        options = {
          environment.systemPackages = list;
          networking = {
            hostName = string "gpc0";
            firewall.allowedTCPPorts = list;
            proxy.envVars = anything;
          };
          systemd.services = anything;
          users.users = anything;
          users.groups = anything;
        };
      }
    ];
    jobs = _: { };
    files = config: services nixosUnit config.systemd.services;
    beside = config: shown {
      inherit (config.users) users groups;
      inherit (config.environment) systemPackages;
      inherit (config.networking.firewall) allowedTCPPorts;
    };
  };

  darwin = {
    module.imports = [
      common
      {
        options = {
          environment.systemPackages = list;
          networking.hostName = string "imac0";
          launchd.daemons = anything;
          system.activationScripts = anything;
          users = {
            knownUsers = list;
            knownGroups = list;
            users = anything;
            groups = anything;
          };
        };
      }
    ];
    files = _: { };
    # nix-darwin names the daemon, makes a file of the script, and waits for the volume of the store.
    jobs =
      config:
      lib.mapAttrs (
        name: daemon:
        {
          Label = "org.nixos.${name}";
          ProgramArguments = [
            "/bin/sh"
            "-c"
            "/bin/wait4path /nix/store && ${daemon.script}"
          ];
          EnvironmentVariables = daemon.environment;
        }
        // daemon.serviceConfig
      ) config.launchd.daemons;
    beside = config: shown {
      inherit (config.users)
        users
        groups
        knownUsers
        knownGroups
        ;
      inherit (config.environment) systemPackages;
      activation = config.system.activationScripts;
    };
  };

  home = {
    module.imports = [
      common
      {
        options = {
          home = {
            homeDirectory = string "/home/mba";
            profileDirectory = string "/home/mba/.nix-profile";
            packages = list;
            sessionVariables = anything;
          };
          xdg.stateHome = string "/home/mba/.local/state";
          systemd.user.services = anything;
          launchd.agents = anything;
        };
      }
    ];
    files = config: services homeUnit config.systemd.user.services;
    jobs =
      config:
      lib.mapAttrs (
        name: job: { Label = "org.nix-community.home.${name}"; } // job.config
      ) config.launchd.agents;
    beside = config: shown { inherit (config.home) packages sessionVariables; };
  };
}
