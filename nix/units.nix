# How systemd runs the hub and the agent, wherever they are installed. packaging/systemd has the same, in the form of
# files and with the reasons; scripts/packaging compares the two, so neither can change alone.
{
  hub = {
    description = "Hub of compartment: the state of a fleet of Nix machines";
    documentation = [ "man:compartment-hub(1)" ];
    wants = [ "network-online.target" ];
    after = [ "network-online.target" ];
    wantedBy = [ "multi-user.target" ];
    startLimitIntervalSec = 0;
    serviceConfig = {
      Type = "exec";
      Restart = "on-failure";
      RestartSec = "5s";
      RestartPreventExitStatus = 2;
      KillMode = "mixed";

      User = "compartment-hub";
      Group = "compartment-hub";
      StateDirectory = "compartment-hub";
      StateDirectoryMode = "0700";
      UMask = "0077";

      ProtectSystem = "strict";
      ProtectHome = true;
      PrivateTmp = true;
      PrivateDevices = true;
      PrivateUsers = true;
      ProtectProc = "invisible";
      ProcSubset = "pid";
      ProtectClock = true;
      ProtectControlGroups = true;
      ProtectHostname = true;
      ProtectKernelLogs = true;
      ProtectKernelModules = true;
      ProtectKernelTunables = true;
      RemoveIPC = true;

      RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6";
      CapabilityBoundingSet = "";
      AmbientCapabilities = "";
      NoNewPrivileges = true;
      LockPersonality = true;
      MemoryDenyWriteExecute = true;
      RestrictNamespaces = true;
      RestrictRealtime = true;
      RestrictSUIDSGID = true;
      SystemCallArchitectures = "native";
      SystemCallFilter = [
        "@system-service"
        "~@privileged"
      ];
      SystemCallErrorNumber = "EPERM";
    };
  };

  agent = {
    description = "Agent of compartment: reports the state of this machine, and carries out what the hub orders";
    documentation = [ "man:compartment-agent(1)" ];
    wants = [ "network-online.target" ];
    after = [ "network-online.target" ];
    wantedBy = [ "multi-user.target" ];
    startLimitIntervalSec = 0;
    environment.HOME = "/root";
    serviceConfig = {
      Type = "exec";
      Restart = "always";
      RestartSec = "5s";

      KillMode = "process";
      OOMPolicy = "continue";
      TasksMax = "infinity";

      StateDirectory = "compartment-agent";
      StateDirectoryMode = "0700";
    };
  };
}
