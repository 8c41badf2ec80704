use std::path::PathBuf;

use compartment_core::Ask;

use super::*;

fn parse(text: &str) -> Result<Inventory, InventoryError> {
    Inventory::parse(text, Path::new("/etc/fleet"))
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn the_closest_word_counts() {
    let inventory = parse(
        "[ssh]
config_file = 'ssh_config'
share = false
answer_s = 7
[defaults]
platform = 'nixos'
checkout = '/etc/nixos'
sudo = true
interval_s = 20
tags = ['prod']
commands = { remote = 'backup', limits = { pull_s = 7 } }
[groups.web]
channel = 'stable'
tests = 'checks'
commands = { switch = [['make', 'switch']], remote = 'origin' }
[[hosts]]
name = 'gpc0'
[[hosts]]
name = 'web1.example'
destination = 'deploy@10.0.0.7'
group = 'web'
sudo = false
busy_interval_s = 1
tags = ['web', 'eu']
programs = ['/opt/nix/bin']
[[hosts]]
name = 'mac'
platform = 'home-manager'
checkout = '/Users/me/config'
commands = { branch = 'mac' }
",
    )
    .unwrap();
    assert_eq!(inventory.ssh().config_file, Some(PathBuf::from("/etc/fleet/ssh_config")));
    assert_eq!((inventory.ssh().share, inventory.ssh().answer_within.as_secs()), (false, 7));
    let [gpc0, web1, mac] = inventory.hosts() else { panic!("three hosts") };
    assert_eq!((gpc0.destination.as_str(), gpc0.site.sudo, gpc0.pace.idle.as_secs()), ("gpc0", true, 20));
    assert_eq!(
        (web1.destination.as_str(), web1.site.sudo, web1.pace.busy.as_secs()),
        ("deploy@10.0.0.7", false, 1)
    );
    assert_eq!((gpc0.tags.to_string(), web1.tags.to_string()), ("prod".to_owned(), "eu, web".to_owned()));
    assert_eq!(web1.site.programs[0].as_str(), "/opt/nix/bin");
    assert_eq!(web1.commands.tests(), Some(Path::new("checks")));
    assert_eq!(mac.site.managed, compartment_local::observe::Managed::Home);
    let pull = |host: &Host| {
        let plan =
            host.commands.plan(&Ask::Pull { host: host.id.clone() }, &host.id, &host.site.machine()).unwrap();
        (plan.limit.as_secs(), plan.steps[0].argv[plan.steps[0].argv.len() - 2..].join(" "))
    };
    assert_eq!(pull(gpc0), (7, "backup +refs/heads/main:refs/compartment/pulled".to_owned()));
    assert_eq!(pull(web1), (7, "origin +refs/heads/stable:refs/compartment/pulled".to_owned()));
    assert_eq!(pull(mac), (7, "backup +refs/heads/mac:refs/compartment/pulled".to_owned()));
}

#[test]
fn a_mistake_names_the_line_and_the_key() {
    let all = [
        "[defaults]\nplatfrom = 'nixos'",
        "[default]\nsudo = true",
        "[[hosts]]\nname = 'a'\ndestnation = 'x'",
        "[[hosts]]\nname = 'a'\nsudo = 'yes'",
        "[[hosts]]\nname = 'a'\ninterval_s = 0",
        "[defaults]\ninterval_s = 600",
        "[[hosts]]\nname = 'a b'",
        "[[hosts]]\ndestination = 'a'",
        "[[hosts]]\nname = 'a'\n\n[[hosts]]\nname = 'b'\n\n[[hosts]]\nname = 'a'",
        "[[hosts]]\nname = 'a'\ndestination = '-oProxyCommand=reboot'",
        "[[hosts]]\nname = 'a'\ndestination = 'me:secret@a'",
        "[groups.web]\n[[hosts]]\nname = 'a'\ngroup = 'wbe'",
        "[groups.web]\ndestination = 'a'",
        "[defaults]\nplatform = 'debian'",
        "[[hosts]]\nname = 'a'\ncheckout = 'nixos'",
        "[[hosts]]\nname = 'a'\nstate = \"/a\\nb\"",
        "[defaults]\nprograms = ['/bin', 'bin']",
        "[[hosts]]\nname = 'a'\n[hosts.commands]\nswitch = [['make']]\nswich = [['make']]",
        "[groups.web.commands]\nswitch = [['make', '{hots}']]",
        "[defaults]\ncommands = { preset = 'nixos' }",
        "[[hosts]]\nname = 'a'\ncommands = 3",
        "[[hosts]]\nname = 'a'\nchannel = '-x'",
        "[[hosts]]\nname = 'a'\nchannel = 'a//b'",
        "[defaults]\ntags = ['prod', 'a b']",
        "[ssh]\nparallel = 0",
        "[ssh]\nstrict = false",
        "[[hosts]]\nname = 'a'\nname = 'b'",
        "[[hosts]]\nname = 'a",
        "hosts = [{ name = \"gpc0\", sudo = true }, { name = \"gpc1\", sudo = \"a@b\" }]",
        "[defaults.commands]\nlimits.pull_s = 'long'",
        "[groups.web.commands]\nswitch = [\n  ['make'],\n  ['make', 3],\n]",
        "hosts = [\n  { name = 'a',\n    commands = { limits = {\n      pull_ms = 3 } } },\n]",
        "[[hosts]]\nname = 'a'\nenv = { TOKEN = \"hunter2secret\" }",
        "[[hosts]]\nname = 'a'\nsudo = 'hunter2secret'",
        "[[hosts]]\nname = 'a'\nchannel = 'hunter2secret' 'hunter2secret'",
    ];
    let said: Vec<_> = all.iter().map(|text| refused(text)).collect();
    assert!(!said.iter().any(|said| said.contains("secret")), "{said:#?}");
    insta::assert_snapshot!(said.join("\n"), @r#"
    inventory:2: defaults.platfrom: unknown field `platfrom`, expected one of `name`, `destination`, `group`, `checkout`, `platform`, `commands`, `tests`, `channel`, `sudo`, `profile`, `system_link`, `state`, `programs`, `tags`, `interval_s`, `busy_interval_s`
    inventory:1: default: unknown field `default`, expected one of `ssh`, `defaults`, `groups`, `hosts`
    inventory:3: hosts[0].destnation: unknown field `destnation`, expected one of `name`, `destination`, `group`, `checkout`, `platform`, `commands`, `tests`, `channel`, `sudo`, `profile`, `system_link`, `state`, `programs`, `tags`, `interval_s`, `busy_interval_s`
    inventory:3: hosts[0].sudo: invalid type: string, expected a boolean
    inventory:3: hosts[0].interval_s: give 1 to 120 seconds; a host that is not heard for five minutes counts as offline
    inventory:2: defaults.interval_s: give 1 to 120 seconds; a host that is not heard for five minutes counts as offline
    inventory:2: hosts[0].name: not a valid host id: expected 1 to 253 of A-Z a-z 0-9 . _ -, starting with a letter or digit
    inventory:1: hosts[0]: the host has no name; write `name = …`
    inventory:8: hosts[2].name: a host of this name stands in line 2, too; write it once
    inventory:3: hosts[0].destination: not a valid destination: expected what ssh is given: a name, user@host or ssh://user@host:port; without spaces, without a dash in front, without a password
    inventory:3: hosts[0].destination: not a valid destination: expected what ssh is given: a name, user@host or ssh://user@host:port; without spaces, without a dash in front, without a password
    inventory:4: hosts[0].group: there is no such group; there is web
    inventory:2: groups.web.destination: only a host has one; write it in its [[hosts]]
    inventory:2: defaults.platform: unknown variant `debian`, expected one of `nixos`, `nix-darwin`, `home-manager`
    inventory:3: hosts[0].checkout: not a valid path on a host: expected an absolute path of at most 1024 bytes without control characters
    inventory:3: hosts[0].state: not a valid path on a host: expected an absolute path of at most 1024 bytes without control characters
    inventory:2: defaults.programs[1]: not a valid path on a host: expected an absolute path of at most 1024 bytes without control characters
    inventory:5: hosts[0].commands.swich: unknown field `swich`, expected one of `preset`, `remote`, `branch`, `pull`, `switch`, `rollback`, `tests`, `limits`
    inventory:2: groups.web.commands.switch: switch: `{hots}` has the unknown placeholder {hots}; there are {checkout}, {host}, {number}, {path}
    inventory:2: defaults.commands.preset: say `platform` instead
    inventory:3: hosts[0].commands: invalid type: integer `3`, expected a map
    inventory:3: hosts[0].channel: not a valid channel: expected 1 to 200 of A-Z a-z 0-9 . _ / -, starting with a letter or digit
    inventory:3: hosts[0].channel: branch: give the name of a branch of the remote, such as `main`
    inventory:2: defaults.tags[1]: not a valid tag: expected 1 to 63 of A-Z a-z 0-9 . _ : = / -, starting with a letter or digit
    inventory:2: ssh.parallel: give 1 to 1000
    inventory:2: ssh.strict: unknown field `strict`, expected one of `config_file`, `share`, `connect_s`, `answer_s`, `keep_alive_s`, `parallel`
    inventory:3: name: duplicate key
    inventory:2: hosts[0].name: invalid literal string, expected `'`
    inventory:1: hosts[1].sudo: invalid type: string, expected a boolean
    inventory:2: defaults.commands.limits.pull_s: invalid type: string, expected u32
    inventory:4: groups.web.commands.switch[1][1]: invalid type: integer `3`, expected a string
    inventory:4: hosts[0].commands.limits.pull_ms: unknown field `pull_ms`, expected one of `pull_s`, `switch_s`, `rollback_s`, `test_s`
    inventory:3: hosts[0].env: unknown field `env`, expected one of `name`, `destination`, `group`, `checkout`, `platform`, `commands`, `tests`, `channel`, `sudo`, `profile`, `system_link`, `state`, `programs`, `tags`, `interval_s`, `busy_interval_s`
    inventory:3: hosts[0].sudo: invalid type: string, expected a boolean
    inventory:3: channel: unexpected key or value, expected newline, `#`
    "#);
}

#[test]
fn a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts.toml");
    let missing = Inventory::read(&file).unwrap_err().to_string();
    assert!(missing.starts_with(&format!("{}: cannot be read: ", file.display())), "{missing}");
    fs::write(&file, "[[hosts]]\nname = 1").unwrap();
    let wrong = Inventory::read(&file).unwrap_err().to_string();
    assert!(wrong.starts_with(&format!("{}:2: hosts[0].name: ", file.display())), "{wrong}");
}

#[test]
fn hosts_of_a_program_are_each_there_once() {
    let host = |name: &str| Host::new(HostId::new(name).unwrap(), Destination::new(name).unwrap());
    assert_eq!(Inventory::new(Ssh::default(), vec![host("a"), host("b")]).unwrap().hosts().len(), 2);
    let twice = Inventory::new(Ssh::default(), vec![host("a"), host("b"), host("a")]).unwrap_err();
    assert!(twice.to_string().contains("two hosts of the name a"), "{twice}");
}

#[test]
fn a_mistake_sends_no_command_to_the_terminal() {
    for text in [
        r#"[defaults.commands]
"\u001b[2J" = 1"#,
        r#"[groups."a\u001b[2J"]
[[hosts]]
name = "gpc0"
group = "web""#,
        r#"[defaults]
platform = "\u001b[2J""#,
        r#"[defaults]
commands = { switch = [["{\u001b[2J}"]] }"#,
    ] {
        let said = refused(text);
        assert!(said.contains("␛[2J") && !said.contains(char::is_control), "{said:?}");
    }
}
