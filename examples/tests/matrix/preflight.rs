//! `agent check`, before an agent is started.

use std::fs;

use compartment_examples::agent::check;
use compartment_local::run::Stop;
use compartment_runtime::write_private;
use compartment_transport_http::agent::Config;

use super::world::World;

/// What is wrong with these settings, and what was said.
fn checked(hub: &str, token: &str, switch: &str) -> (u32, String) {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("token"), token).unwrap();
    let settings = format!(
        "host = 'gpc0'\nstate = 'state'\n[hub]\nurl = '{hub}'\ntoken_file = 'token'\n\
         [checkout]\npath = 'config'\nremote = 'https://git.example/x.git'\n\
         [commands]\nswitch = [['{switch}']]\nrollback = [['true']]\n"
    );
    let file = folder.path().join("agent.toml");
    fs::write(&file, settings).unwrap();
    let mut output = Vec::new();
    let wrong = check(&Config::read(&file).unwrap(), &Stop::default(), &mut output).unwrap();
    (wrong, String::from_utf8(output).unwrap())
}

#[test]
fn what_would_keep_an_agent_from_its_work_is_found() {
    let world = World::new();
    let hub = format!("http://{}", world.address);
    let (wrong, told) = checked(&hub, world.token("gpc0"), "true");
    assert_eq!(wrong, 0, "{told}");
    assert!(told.contains("it answers (ok), and lets this host speak"), "{told}");
    for (hub, token, switch, words) in [
        (&*hub, world.token("gpc1"), "true", "does not let this host speak"),
        (&hub, &world.operator, "true", "does not let this host speak"),
        (&hub, world.token("gpc0"), "no-such-program", "there is no program `no-such-program`"),
        ("http://127.0.0.1:1", world.token("gpc0"), "true", "127.0.0.1:1"),
    ] {
        let (wrong, told) = checked(hub, token, switch);
        assert_eq!(wrong, 1, "{told}");
        assert!(told.contains(words) && told.contains("one thing is wrong"), "{told}");
    }
    // Nobody took that for a word of the host.
    assert!(
        world
            .hub
            .read(|fleet, _| fleet
                .host(&super::world::host("gpc0"))
                .is_none_or(|gpc0| gpc0.last_heard().is_none()))
            .unwrap()
    );
}
