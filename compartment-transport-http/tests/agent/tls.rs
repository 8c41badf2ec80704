//! A hub that is called by TLS, and one that is not.

use std::fs;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use crate::hub::Hub;
use crate::world::World;

/// A host, and a hub with a certificate of its own making.
async fn encrypted() -> (World, String) {
    let CertifiedKey { cert, signing_key } = made();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let hub = Hub::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await;
    (World::of(hub), cert.pem())
}

fn made() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap()
}

impl World {
    fn trust(&mut self, pem: &str) {
        fs::write(self.at("ca.pem"), pem).unwrap();
        "ca_file = 'ca.pem'".clone_into(&mut self.hub_settings);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_carried_out_by_way_of_tls() {
    let (mut world, certificate) = encrypted().await;
    world.trust(&certificate);
    world.script("switch", "echo 'switched'");
    let _agent = world.agent().await;
    assert!(world.hub.url().starts_with("https://"));
    world.hub.order("o1", "switch", &json!({ "force": false }));
    world.hub.event("switch-ok", "o1").await;
    let printed = ("o1".to_owned(), "switched".to_owned());
    world.hub.until("what it printed", |told| told.printed.contains(&printed).then_some(())).await;
    assert_eq!((world.ran("switch"), &world.hub.told().acknowledged[..]), (1, &["o1".to_owned()][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_whose_certificate_is_not_trusted_is_told_nothing() {
    for other in [None, Some(made().cert.pem())] {
        let (mut world, certificate) = encrypted().await;
        if let Some(other) = &other {
            world.trust(other);
        }
        let mut agent = world.start();
        for what in ["reports: ", "orders: "] {
            let said = world.said(what).await;
            let line = said.lines().find(|line| line.contains(what)).unwrap();
            assert!(line.contains("trying again") && line.contains("certificate"), "{line}");
        }
        {
            let told = world.hub.told();
            assert_eq!((told.batches, told.calls), (0, 0));
        }
        agent.end().await;
        world.trust(&certificate);
        let _agent = world.agent().await;
        world.hub.heartbeat(|_| true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_goes_over_a_network_in_the_clear_only_where_that_is_said() {
    let mut world = World::new().await;
    world.hub_is_at("http://hub.invalid");
    let mut agent = world.start();
    assert_eq!(agent.ended().await, Some(3));
    let said = world.said("hub.invalid").await;
    assert!(said.contains("is not encrypted") && said.contains("allow plain HTTP explicitly"), "{said}");
    "allow_plain = true".clone_into(&mut world.hub_settings);
    let mut agent = world.start();
    world.said("reports: ").await;
    assert_eq!(agent.child.try_wait().unwrap(), None);
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_cannot_be_read_are_named() {
    let (mut world, _) = encrypted().await;
    world.trust("no certificate");
    assert_eq!(world.start().ended().await, Some(3));
    let said = world.said("ca.pem").await;
    assert!(
        said.contains("cannot use the certificates in") && said.contains("there are none in it"),
        "{said}"
    );
}
