//! What the README shows is what there is.

const README: &str = include_str!("../../README.md");

#[test]
fn the_embedding_is_the_example() {
    let embed = include_str!("../embed.rs");
    assert!(embed.lines().count() < 60, "the smallest useful embedding is small");
    assert!(README.contains(embed), "README.md shows another embed.rs: copy examples/embed.rs into it");
}

#[test]
fn its_links_lead_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for target in README.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(root.join(target).exists(), "{target} is not there");
    }
}
