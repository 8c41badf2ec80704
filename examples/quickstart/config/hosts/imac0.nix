{
  networking.hostName = "imac0";
  nixpkgs.hostPlatform = "aarch64-darwin";
}
