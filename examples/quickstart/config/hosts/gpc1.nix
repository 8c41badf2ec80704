{
  networking.hostName = "gpc1";
  hardware.nvidia.branch = "470"; # its card is from 2014
}
