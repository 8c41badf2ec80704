# How launchd runs the hub and the agent as daemons of macOS. packaging/launchd has the same, in the form of files and
# with the reasons; scripts/packaging compares the two, so neither can change alone.
{
  hub = {
    UserName = "_compartment-hub";
    GroupName = "_compartment-hub";
    # Octal 077.
    Umask = 63;
    RunAtLoad = true;
    KeepAlive = true;
    ExitTimeOut = 60;
    StandardOutPath = "/var/db/compartment-hub/hub.log";
    StandardErrorPath = "/var/db/compartment-hub/hub.log";
  };

  agent = {
    RunAtLoad = true;
    KeepAlive = true;
    AbandonProcessGroup = true;
    StandardOutPath = "/var/log/compartment-agent.log";
    StandardErrorPath = "/var/log/compartment-agent.log";
  };
}
