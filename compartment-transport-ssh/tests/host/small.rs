//! The questions with short answers, and what sudo and systemd say.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use compartment_core::Text;
use compartment_core::event::{Kind, Said};
use compartment_local::operation::{Exit, result};
use compartment_transport_ssh::host::{
    self, Asked, Begun, Check, GO, Order, Verdict, read_check, read_generations,
};

use crate::common::{host_path, is_root, nonce, on_each_shell, op};

#[test]
fn generations_are_counted_as_numbers() {
    on_each_shell(|host| {
        let list =
            || read_generations(&host.run(&host::generations(&nonce(), &host.site)), &nonce()).unwrap();
        assert_eq!(list(), []);
        let profiles = host.path("root/nix/var/nix/profiles");
        fs::create_dir_all(&profiles).unwrap();
        for number in [8, 9, 10, 100] {
            let store = host.path("root/nix/store").join(format!("s{number}"));
            fs::create_dir_all(&store).unwrap();
            symlink(store, profiles.join(format!("system-{number}-link"))).unwrap();
        }
        symlink("/nowhere", profiles.join("system-7-link")).unwrap();
        symlink("/nowhere", profiles.join("system-x-link")).unwrap();
        symlink("system-10-link", profiles.join("system")).unwrap();
        let listed: Vec<_> = list()
            .into_iter()
            .map(|one| (one.number.get(), one.path.map(|path| path.to_string()), one.current))
            .collect();
        let path = |number| Some(format!("/nix/store/s{number}"));
        assert_eq!(
            listed,
            [
                (7, None, false),
                (8, path(8), false),
                (9, path(9), false),
                (10, path(10), true),
                (100, path(100), false)
            ]
        );
    });
}

#[test]
fn a_check_says_what_is_missing_in_words() {
    on_each_shell(|host| {
        let wanted = Check {
            programs: vec![Text::new("sh"), Text::new("no-such-rebuild")],
            tests: Some(host_path(&host.path("tests"))),
            ..Check::default()
        };
        let check = |site: &host::Site| {
            let answer = host.run(&host::check(&nonce(), site, &wanted));
            let found = read_check(&answer, &nonce()).unwrap();
            found
                .into_iter()
                .map(|one| (one.what.to_string(), one.verdict, one.words.to_string()))
                .collect::<Vec<_>>()
        };
        let found = check(&host.site);
        let of = |what: &str| {
            found.iter().filter(|(name, ..)| name == what).map(|(_, v, _)| *v).collect::<Vec<_>>()
        };
        assert_eq!(
            (of("state folder"), of("git"), of("system")),
            (vec![Verdict::Works], vec![Verdict::Works], vec![Verdict::Missing])
        );
        assert_eq!(
            (of("program"), of("tests")),
            (vec![Verdict::Works, Verdict::Missing], vec![Verdict::Limited])
        );
        assert!(!host.state("").exists(), "a check makes nothing");
        let elsewhere = host::Site { state: Some(host_path(&host.path("bin/sh/no"))), ..host.site.clone() };
        let found = check(&elsewhere);
        let (_, verdict, words) = found.iter().find(|(name, ..)| name == "state folder").unwrap();
        assert_eq!(*verdict, Verdict::Missing);
        assert!(words.starts_with("cannot write to"), "{words}");
    });
}

#[test]
fn a_check_asks_sudo_for_each_program() {
    on_each_shell(|mut host| {
        // As the real one (1.9.13): it says whether a program may be run, and not whether without a password.
        let bin = host.path("bin").display().to_string();
        let sudo = |rules: &str| {
            let rules: String = rules.lines().map(|rule| format!("echo '    {rule}'; ")).collect();
            format!(
                "#!/bin/sh\n[ \"$1 $2\" = '-n -l' ] || exit 9\n[ -n \"$3\" ] || {{ {rules} exit 0; }}\n\
                 case $4 in switch) [ \"$5\" = on ] && echo \"{0}/$4\" ;; back) echo \"{0}/$4\" ;; *) exit 1 ;; esac\n",
                bin
            )
        };
        let argv = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let wanted = Check {
            by_sudo: vec![
                argv("back 1"),
                argv("no-such"),
                argv("other"),
                argv("switch on"),
                argv("switch off"),
            ],
            ..Check::default()
        };
        for program in ["back", "other", "switch"] {
            host.install(&format!("bin/{program}"), "");
        }
        host.path = format!("{bin}:/usr/bin:/bin");
        host.site.sudo = true;
        let check = |sudo: &str| {
            host.install("bin/sudo", sudo);
            // Root is never asked for a password.
            host.install("bin/id", "#!/bin/sh\ncase $1 in -u) echo 1000 ;; *) echo me ;; esac\n");
            let found = read_check(&host.run(&host::check(&nonce(), &host.site, &wanted)), &nonce()).unwrap();
            found.into_iter().filter(|one| one.what.as_str() == "sudo").collect::<Vec<_>>()
        };
        let of = |found: &[host::Finding]| found.iter().map(|one| one.verdict).collect::<Vec<_>>();
        let (works, limited, missing) = (Verdict::Works, Verdict::Limited, Verdict::Missing);

        let found = check(&sudo("(root) NOPASSWD: /opt/*"));
        assert_eq!(of(&found), [works, missing, works, missing, limited], "{found:#?}");
        let advice = format!("put `me ALL=(root) NOPASSWD: {bin}/other` into sudoers (with visudo)");
        assert_eq!(found[1].words.as_str(), format!("other: sudoers does not allow it; {advice}"));
        let some = format!("(ALL) ALL\n(root) NOPASSWD: {bin}/switch");
        assert_eq!(of(&check(&sudo(&some))), [limited, missing, works, missing, limited]);
        let found = check("#!/bin/sh\necho 'sudo: a password is required' >&2; exit 1\n");
        assert_eq!(of(&found), [missing, missing, missing, missing, limited]);
        assert!(
            found[0].words.as_str().starts_with("back: sudo: a password is required; put `me "),
            "{found:?}"
        );
    });
}

#[test]
fn sudo_that_would_ask_is_told_with_what_to_do() {
    on_each_shell(|mut host| {
        let log = host.path("sudo.log");
        let fake = |last: &str| format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >>{}\n{last}\n", log.display());
        host.install("bin/sudo", &fake("echo 'sudo: a password is required' >&2; exit 1"));
        host.install("bin/nixos-rebuild", "#!/bin/sh\nexit 0\n");
        host.path = host.path("bin").to_str().unwrap().to_owned() + ":/usr/bin:/bin";
        host.site.sudo = true;
        let mut plan = host.plan(Kind::Switch, &["exit 0"]);
        plan.steps[0].argv = vec!["nixos-rebuild".to_owned(), "switch".to_owned()];
        let ended = host.carry_out("op-1", &plan);
        let Said::DeployFail { error: Some(error), exit_code: Some(1), .. } =
            result(ended.kind, None, &ended.ending)
        else {
            panic!("{ended:?}")
        };
        let advice = format!("ALL=(root) NOPASSWD: {}", host.path("bin/nixos-rebuild").display());
        assert!(error.as_str().contains(&advice), "{error}");
        host.install("bin/sudo", &fake("shift 2; exec \"$@\""));
        assert_eq!(host.carry_out("op-2", &plan).ending.steps[0].exit, Exit::Code(0));
        plan.kind = Kind::Pull;
        host.carry_out("op-3", &plan);
        assert_eq!(fs::read_to_string(log).unwrap(), "-n -- nixos-rebuild switch\n".repeat(2));
    });
}

#[test]
fn systemd_carries_an_operation_where_it_is() {
    on_each_shell(|mut host| {
        let log = host.path("systemd.log");
        // As the real one: nothing of this process's surroundings but what is said.
        let works = format!(
            "#!/bin/sh\necho \"$*\" >>{}\nwhile [ \"$1\" != -- ]; do shift; done; shift\n\
             exec env -i PATH=/usr/bin:/bin setsid \"$@\" </dev/null >/dev/null 2>&1 &\n",
            log.display()
        );
        host.install("bin/systemd-run", &works);
        host.path = host.path("bin").to_str().unwrap().to_owned() + ":/usr/bin:/bin";
        fs::create_dir_all(host.path("root/run/systemd/system")).unwrap();
        fs::create_dir_all(host.path("root/var/lib/systemd/linger")).unwrap();
        let mut plan = host.plan(Kind::Switch, &["[ \"$HOME\" = \"$1home\" ] && [ -z \"$LC_ALL\" ]"]);
        plan.steps[0].limit = Duration::from_secs(20);
        let by_systemd = is_root();
        let ended = host.carry_out("op-1", &plan);
        assert_eq!(ended.ending.steps[0].exit, Exit::Code(0));
        if by_systemd {
            let said = fs::read_to_string(&log).unwrap();
            assert!(said.contains("--unit=compartment-op-1 --property=KillMode=process"), "{said}");
            assert!(!host.state("ops/op-1/env").exists());
        }
        // Nothing that the user exports is taken for what the order says.
        let script = host::begin(
            &nonce(),
            &host.site,
            &op("op-3"),
            &Order::Plan(&host.plan(Kind::Switch, &["exit 3", "exit 0"])),
        );
        let mut connection = host.connection();
        for (key, value) in [("GO_ON", "1"), ("TO_NUMBER", "7"), ("TO_PATH", "/nix/store/x"), ("OWNER", "x")]
        {
            connection.env(key, value);
        }
        host.converse(connection, &script.unwrap(), Some(GO));
        let ended = host.ended("op-3");
        let exits: Vec<_> = ended.ending.steps.iter().map(|step| &step.exit).collect();
        assert_eq!((ended.to, exits), (None, vec![&Exit::Code(3), &Exit::Skipped]));
        // One that does not work does not stand in the way.
        host.install("bin/systemd-run", "#!/bin/sh\necho 'Failed to connect to bus' >&2; exit 1\n");
        assert!(matches!(host.begin("op-2", &plan), Begun::Begun { .. }));
        assert_eq!(host.ended("op-2").ending.steps[0].exit, Exit::Code(0));
        assert_eq!(host.stop("op-2"), Asked::NotRunning);
    });
}

#[test]
fn a_user_s_own_systemd_is_found_without_pam() {
    on_each_shell(|mut host| {
        let log = host.path("systemd.log");
        let works = format!(
            "#!/bin/sh\necho \"$XDG_RUNTIME_DIR $*\" >>{}\nwhile [ \"$1\" != -- ]; do shift; done; shift\n\
             setsid \"$@\" </dev/null >/dev/null 2>&1 &\n",
            log.display()
        );
        host.install("bin/systemd-run", &works);
        host.install("bin/id", "#!/bin/sh\ncase $1 in -u) echo 1000 ;; *) echo me ;; esac\n");
        host.path = host.path("bin").to_str().unwrap().to_owned() + ":/usr/bin:/bin";
        fs::create_dir_all(host.path("root/var/lib/systemd/linger/me")).unwrap();
        let runtime = host.path("root/run/user/1000");
        fs::create_dir_all(runtime.join("systemd")).unwrap();
        host.carry_out("op-1", &host.plan(Kind::Pull, &["exit 0"]));
        let said = fs::read_to_string(&log).unwrap();
        assert!(said.starts_with(&format!("{} --user ", runtime.display())), "{said}");
    });
}

#[test]
fn the_last_hundred_ids_are_remembered() {
    on_each_shell(|host| {
        fs::create_dir_all(host.state("ops/op-1")).unwrap();
        let known = |from: u32, to: u32| (from..to).map(|n| format!("old-{n}\n")).collect::<String>();
        fs::write(host.state("known.old"), "long-ago\n").unwrap();
        fs::write(host.state("known"), known(0, 99)).unwrap();
        host.acknowledge("op-1");
        // A list that has grown long is put aside as a whole, in the place of the one before.
        assert!(!host.state("known").exists());
        assert_eq!(fs::read_to_string(host.state("known.old")).unwrap(), known(0, 99) + "op-1\n");
        let plan = host.plan(Kind::Pull, &["exit 0"]);
        assert_eq!(host.begin("op-1", &plan), Begun::HadIt);
        assert_eq!(host.begin("old-79", &plan), Begun::HadIt);
        assert_eq!(host.stop("old-79"), Asked::NotRunning);
        // Not while it runs.
        host.begin("op-2", &host.plan(Kind::Pull, &[r#"until [ -e "$1/go" ]; do sleep 0.02; done"#]));
        let answer = host.run(&host::acknowledge(&nonce(), &host.site, &[op("op-2"), op("never")]));
        let acknowledged = host::read_acknowledge(&answer, &nonce()).unwrap();
        assert_eq!((acknowledged.kept, acknowledged.gone), (vec![op("op-2")], vec![op("never")]));
        fs::write(host.path("go"), "").unwrap();
        host.ended("op-2");
    });
}
