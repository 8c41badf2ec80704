# Configurations: some that are good, and some that have a mistake.
let
  hub = config: {
    on = "nixos";
    config.services.compartment.hub = {
      enable = true;
    }
    // config;
  };

  agentOf =
    on: config:
    let
      least = {
        enable = true;
        tokenFile = "/run/secrets/compartment-token";
        settings = {
          hub.url = "https://hub.example.org";
        }
        // (if on == "home" then { host = "mba"; } else { });
      };
    in
    {
      inherit on;
      config.services.compartment.agent = least // config least;
    };
  agent = agentOf "nixos";

  # The same with further settings.
  settings = more: agent (least: { settings = least.settings // more; });

  client = config: {
    on = "home";
    config.programs.compartment = {
      enable = true;
    }
    // config;
  };

  words = words: case: case // { inherit words; };

  mistyped = case: right: case // { right = right.config; };

  inStore = "/nix/store/00000000000000000000000000000000-secret";
in
{
  good = {
    nixos-least = {
      on = "nixos";
      config.services.compartment = {
        hub.enable = true;
        agent = (agent (_: { })).config.services.compartment.agent;
      };
    };

    nixos-hub = hub {
      listenAddress = "::";
      port = 443;
      openFirewall = true;
      tls = {
        certificateFile = "/var/lib/acme/hub.example.org/fullchain.pem";
        keyFile = "/var/lib/acme/hub.example.org/key.pem";
      };
      forge = {
        url = "github:example/config";
        branch = "live";
        tokenFile = "/run/secrets/forge-token";
        webhookSecretFile = "/run/secrets/webhook-secret";
        updates = [ "refs/pull/*/head" ];
        updateLabels = [ "dependencies" ];
        updateTitles = [ "Update of 100%, for $5" ];
        lookEvery = 300;
      };
      inventory = {
        defaults = {
          platform = "nixos";
          checkout = "/etc/nixos";
          sudo = true;
        };
        hosts = [
          { name = "gpc0"; }
          {
            name = "web1";
            destination = "deploy@web1.example.org";
          }
        ];
      };
      credentials.ssh-key = "/run/secrets/fleet-ssh-key";
      agentVersion = "0.1.0";
      logLevel = "debug";
      extraArgs = [
        "--forge-silence"
        "60"
      ];
    };

    # A network where all are trusted, and an inventory that is a file.
    nixos-hub-plain = hub {
      listenAddress = "10.0.0.1";
      allowPlain = true;
      inventoryFile = "/etc/compartment/hosts.toml";
    };

    nixos-agent = agent (least: {
      logLevel = "warn";
      extraPackages = [
        {
          type = "derivation";
          name = "smartmontools";
          outPath = "/nix/store/00000000000000000000000000000000-smartmontools";
        }
      ];
      settings = {
        host = "web1";
        state = "/persist/compartment";
        commands = {
          preset = "nixos";
          switch = [
            [
              "nixos-rebuild"
              "boot"
              "--flake"
              "{checkout}#{host}"
            ]
            [
              "systemctl"
              "reboot"
            ]
          ];
          limits.switch_s = 3600;
        };
        tests = "tests";
        heartbeat_s = 10;
        hub = {
          url = "http://[::1]:7070";
          ca_file = "/etc/ssl/fleet.pem";
        };
        checkout = {
          remote = "ssh://git@git.example.org/config.git";
          branch = "live";
        };
        # A key that no option knows.
        places.root = "/";
      };
    });

    # No checkout, and plain HTTP because somebody says so.
    nixos-agent-plain = settings {
      checkout = null;
      hub = {
        url = "http://hub.lan:7070";
        allow_plain = true;
      };
    };

    darwin = {
      on = "darwin";
      system = "aarch64-darwin";
      config.services.compartment = {
        hub = {
          enable = true;
          forge.url = "https://git.example.org/config.git";
        };
        inherit
          ((agentOf "darwin" (_: { tokenFile = "/etc/compartment/agent.token"; })).config.services.compartment)
          agent
          ;
      };
    };

    home-agent = agentOf "home" (_: {
      tokenFile = "/home/mba/.config/compartment/agent.token";
    });

    home-agent-darwin = agentOf "home" (_: { }) // {
      system = "x86_64-darwin";
    };

    home-client = client {
      hubUrl = "https://hub.example.org";
      tokenFile = "~/.config/compartment/token";
    };

    # What is not enabled leaves nothing behind.
    nixos-nothing = {
      on = "nixos";
      config = { };
    };
    darwin-nothing = {
      on = "darwin";
      config = { };
    };
    home-nothing = {
      on = "home";
      config = { };
    };
  };

  bad = {
    certificate-without-key = words "Set both" (hub {
      tls.certificateFile = "/etc/ssl/hub.pem";
    });
    key-without-certificate = words "Set both" (hub { tls.keyFile = "/etc/ssl/hub.key"; });
    plain-beyond-loopback = words "without TLS" (hub { listenAddress = "0.0.0.0"; });
    plain-beyond-loopback-6 = words "without TLS" (hub { listenAddress = "::"; });
    forge-token-without-forge = words "forge.tokenFile is for a forge" (hub {
      forge.tokenFile = "/run/secrets/x";
    });
    webhook-without-forge = words "forge.webhookSecretFile is for a forge" (hub {
      forge.webhookSecretFile = "/run/secrets/x";
    });
    forge-with-password = words "holds a password" (hub { forge.url = "https://me:secret@git.example.org/x.git"; });
    forge-in-a-home = words "sees no homes" (hub { forge.url = "/home/mba/config"; });
    two-inventories = words "both say which hosts" (hub {
      inventory.hosts = [ { name = "gpc0"; } ];
      inventoryFile = "/etc/hosts.toml";
    });
    options-twice = words "--tls-cert=x" (hub { extraArgs = [ "--tls-cert=x" ]; });
    key-in-store = words "services.compartment.hub.tls.keyFile is ${inStore}" (hub {
      tls = {
        certificateFile = inStore;
        keyFile = inStore;
      };
    });
    forge-token-in-store = words "forge.tokenFile is ${inStore}" (hub {
      forge = {
        url = "github:example/config";
        tokenFile = inStore;
      };
    });
    webhook-secret-in-store = words "forge.webhookSecretFile is ${inStore}" (hub {
      forge = {
        url = "github:example/config";
        webhookSecretFile = inStore;
      };
    });
    credential-in-store = words "credentials.ssh-key is ${inStore}" (hub { credentials.ssh-key = inStore; });
    credential-of-the-hub = words "has a name that the hub uses" (hub {
      forge = {
        url = "github:example/config";
        tokenFile = "/run/secrets/x";
      };
      credentials.forge-token = "/run/secrets/y";
    });
    firewall-for-loopback = words "nobody can reach" (hub { openFirewall = true; });

    token-in-store = words "services.compartment.agent.tokenFile is ${inStore}" (agent (_: { tokenFile = inStore; }));
    token-in-store-by-settings = words "settings.hub.token_file is ${inStore}" (settings {
      hub = {
        url = "https://hub.example.org";
        token_file = inStore;
      };
    });
    plain-hub = words "not encrypted" (settings { hub.url = "http://hub.example.org:7070"; });
    plain-hub-like-loopback = words "not encrypted" (settings { hub.url = "http://localhost.example.org/"; });
    plain-hub-by-user = words "without user, query and fragment" (settings { hub.url = "https://me@hub.example.org"; });
    hub-with-query = words "without user, query and fragment" (settings { hub.url = "https://hub.example.org?x=1"; });
    operations-end-with-agent = words "end itself half-way" (settings { keep_operations = false; });
    tests-twice = words "commands.tests say the same" (settings {
      tests = "tests";
      commands = {
        preset = "nixos";
        tests = "tests";
      };
    });
    remote-twice = words "commands.remote say the same" (settings {
      checkout.remote = "https://git.example.org/x.git";
      commands.remote = "upstream";
    });
    remote-with-password = words "checkout.remote holds a password" (settings {
      checkout.remote = "https://me:secret@git.example.org/x.git";
    });

    commands-remote-with-password = words "commands.remote holds a password" (settings {
      commands.remote = "https://me:secret@git.example.org/x.git";
    });

    darwin-token-in-store = words "agent.tokenFile is ${inStore}" (agentOf "darwin" (_: { tokenFile = inStore; }) // {
      system = "aarch64-darwin";
    });
    darwin-low-port = words "may not listen below 1024" {
      on = "darwin";
      system = "aarch64-darwin";
      config.services.compartment.hub = {
        enable = true;
        port = 443;
      };
    };
    home-token-in-store = words "agent.tokenFile is ${inStore}" (agentOf "home" (_: { tokenFile = inStore; }));
    client-token-in-store = words "programs.compartment.tokenFile is ${inStore}" (client { tokenFile = inStore; });
  };

  mistyped = {
    # A path of Nix would be copied into the store.
    token-as-path = mistyped (agent (_: { tokenFile = ./cases.nix; })) (agent (_: { tokenFile = "/etc/token"; }));
    key-as-path = mistyped (hub {
      tls = {
        keyFile = ./cases.nix;
        certificateFile = "/x";
      };
    }) (hub {
      tls = {
        keyFile = "/y";
        certificateFile = "/x";
      };
    });
    relative-token = mistyped (agent (_: { tokenFile = "token"; })) (agent (_: { tokenFile = "/token"; }));
    no-token = mistyped {
      on = "nixos";
      config.services.compartment.agent = {
        enable = true;
        settings.hub.url = "https://hub.example.org";
      };
    } (agent (_: { }));
    no-hub = mistyped (agent (_: { settings = { }; })) (agent (_: { }));
    home-without-host = mistyped (agentOf "home" (_: { settings = { hub.url = "https://x"; }; })) (
      agentOf "home" (_: { })
    );
    unknown-preset = mistyped (settings { commands = "debian"; }) (settings { commands = "home-manager"; });
    heart-stops = mistyped (settings { heartbeat_s = 0; }) (settings { heartbeat_s = 60; });
    name-instead-of-address = mistyped (hub { listenAddress = "hub.example.org"; }) (hub {
      listenAddress = "127.0.0.2";
    });
    port-too-high = mistyped (hub { port = 65536; }) (hub { port = 65535; });
    unknown-option = mistyped (hub { lisenAddress = "::1"; }) (hub { listenAddress = "::1"; });
    unknown-level = mistyped (hub { logLevel = "loud"; }) (hub { logLevel = "trace"; });
    hub-without-scheme = mistyped (settings { hub.url = "hub.example.org"; }) (settings {
      hub.url = "https://hub.example.org";
    });
  };
}
