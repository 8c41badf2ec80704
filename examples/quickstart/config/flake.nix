{
  description = "The configuration of three machines";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  inputs.home-manager.url = "github:nix-community/home-manager";
  inputs.home-manager.inputs.nixpkgs.follows = "nixpkgs";

  outputs = { nixpkgs, ... }@inputs: {
    nixosConfigurations = nixpkgs.lib.genAttrs [ "gpc0" "gpc1" ] (host:
      nixpkgs.lib.nixosSystem { modules = [ ./hosts/${host}.nix ]; specialArgs = { inherit inputs; }; });
  };
}
