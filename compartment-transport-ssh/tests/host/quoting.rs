//! What is sent as an argument arrives, byte for byte, and nothing of it is obeyed.

use std::io::Write;
use std::process::{Command, Stdio};

use compartment_core::OpId;
use compartment_core::event::Kind;
use compartment_local::operation::Dir;
use compartment_transport_ssh::host::{self, HostPath, Order, Site, quote};
use proptest::prelude::*;

use crate::common::{Host, SHELLS, nonce, program};

/// Text that shells like to read in their own way.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "'", "\"", "\\", "`", "$", "$(", ")", "${", "}", "\n", "\r", "\t", " ", "*", "?", "[", "]", "~",
            "!", "#", "&", ";", "|", "<", ">", "(", "-", "--", "=", "%", "\u{1}", "\u{7f}", "\u{1b}", "ä",
            "€", "\u{2028}", "EOF", "'\\''", "$'\\n'", "rm -rf /", "../", "a",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_filter("NUL", |c| *c != '\0').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What a shell makes of words.
fn words(shell: &str, words: &[String]) -> Vec<u8> {
    let quoted: Vec<_> = words.iter().map(|word| quote(word).unwrap()).collect();
    let script = format!("printf '%s\\0' {}\n", quoted.join(" "));
    let mut command = Command::new(program(shell));
    if shell == "busybox" {
        command.arg("sh");
    }
    let output = command.args(["-c", &script]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{shell}: {script:?}");
    output.stdout
}

/// How each script ends.
const MAIN: &str = "main 3<&0 </dev/null; exit";

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_arrives_is_what_was_sent(sent in prop::collection::vec(hostile(), 1..5)) {
        let expected: Vec<u8> = sent.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
        for shell in SHELLS {
            prop_assert_eq!(words(shell, &sent), &expected[..], "{}: {:?}", shell, &sent);
        }
    }

    /// A site and a plan of anything: what the host's shell hands to the runner's, and that to a step, is what it is.
    #[test]
    fn no_value_leaves_its_quotes(path in hostile(), argument in hostile(), name in hostile(), op in "[a-z0-9][A-Za-z0-9._:-]{0,20}") {
        for shell in SHELLS {
            let host = Host::new(shell);
            let mut plan = host.plan(Kind::Switch, &["exit 0"]);
            plan.steps[0].argv.push(argument.clone());
            plan.steps[0].name = name.clone();
            plan.steps[0].dir = Dir::Folder(format!("/{path}").into());
            plan.steps[0].env = vec![("X".to_owned(), argument.clone())];
            let checkout = HostPath::new(&format!("/{path}")).ok();
            let site = Site { checkout, sudo: true, ..host.site.clone() };
            let id = OpId::new(&op).unwrap();
            let script = host::begin(&nonce(), &site, &id, &Order::Plan(&plan)).unwrap();
            // All of it is read, and nothing but the words that stand for it is set.
            let read = |script: &str, then: &str| {
                let script = script.strip_suffix(&format!("{MAIN}\n")).expect("it ends so").to_owned();
                let mut shell = Command::new(host.path("bin/sh")).arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
                shell.stdin.take().unwrap().write_all((script + then).as_bytes()).unwrap();
                let output = shell.wait_with_output().unwrap();
                assert_eq!(output.status.code(), Some(7), "{}", host.shell);
                output.stdout
            };
            let checkout = site.checkout.as_ref().map_or("", HostPath::as_str);
            let told = read(&script, "printf '%s|%s' \"$CHECKOUT\" \"$OP\"; exit 7\n");
            prop_assert_eq!(String::from_utf8(told).unwrap(), format!("{checkout}|{op}"));
            let runner = String::from_utf8(read(&script, "printf '%s' \"$RUN\"; exit 7\n")).unwrap();
            let words = read(&runner, "step() { for word; do printf '%s\\0' \"$word\"; done; }; steps; exit 7\n");
            let mut expected = vec![name.clone(), "90".into(), format!("/{path}"), "open".into(), "sh".into(), format!("X={argument}")];
            expected.extend(["--", "sudo", "-n", "--"].map(str::to_owned));
            expected.extend(plan.steps[0].argv.clone());
            let expected: String = expected.into_iter().map(|word| word + "\0").collect();
            prop_assert_eq!(String::from_utf8(words).unwrap(), expected);
        }
    }
}

#[test]
fn what_no_shell_can_be_given_is_refused() {
    assert!(quote("a\0b").is_err());
    assert_eq!(quote("").unwrap(), "''");
    for bad in ["", "relative", "/a\nb", "/a\0b", "/\u{1b}[31m", &format!("/{}", "x".repeat(1024))] {
        assert!(HostPath::new(bad).is_err(), "{bad:?}");
    }
    let host = Host::new("dash");
    for (argv, key) in
        [(vec!["-x"], "X"), (vec![], "X"), (vec![""], "X"), (vec!["a"], "A;B"), (vec!["a"], "1A")]
    {
        let mut plan = host.plan(Kind::Pull, &["exit 0"]);
        plan.steps[0].argv = argv.into_iter().map(str::to_owned).collect();
        plan.steps[0].env = vec![(key.to_owned(), String::new())];
        let id = OpId::new("x").unwrap();
        assert!(host::begin(&nonce(), &host.site, &id, &Order::Plan(&plan)).is_err());
    }
}

#[test]
fn a_script_that_is_cut_off_does_nothing() {
    let host = Host::new("dash");
    let plan = host.plan(Kind::Pull, &["exit 0"]);
    let id = OpId::new("x").unwrap();
    let script = host::begin(&nonce(), &host.site, &id, &Order::Plan(&plan)).unwrap();
    for end in (0..script.len() - 20).step_by(997) {
        let mut shell = host.connection();
        let mut shell =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let cut = &script.as_bytes()[..end];
        shell.stdin.take().unwrap().write_all(cut).unwrap();
        assert_eq!(shell.wait_with_output().unwrap().stdout, b"", "{end}");
    }
    assert!(!host.state("ops").exists());
}
