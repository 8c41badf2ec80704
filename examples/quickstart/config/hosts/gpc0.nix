{
  networking.hostName = "gpc0";
  hardware.nvidia.branch = "580";
}
