//! The hub's pages within another program, which has pages of its own.

use axum::Router;
use axum::routing::get;
use compartment_transport_http::server::routes_with;
use serde_json::{Value, json};

use super::world::{World, serve, soon};

#[tokio::test]
async fn what_is_no_page_of_the_hub_is_the_other_programs() {
    let world = World::new().await;
    let routes = || routes_with(world.hub.clone(), world.agents.clone(), None);
    let own = || Router::new().route("/", get(async || "own page")).fallback(async || "own way");
    for (prefix, router) in [("", own().merge(routes())), ("/fleet", own().nest("/fleet", routes()))] {
        let (address, serving) = serve(router).await;
        let text = async |path: &str| {
            let got = world.client.get(format!("http://{address}{path}")).bearer_auth(&world.reader).send();
            soon(got).await.unwrap().text().await.unwrap()
        };
        assert_eq!((text("/").await.as_str(), text("/nowhere").await.as_str()), ("own page", "own way"));
        let matrix: Value = serde_json::from_str(&text(&format!("{prefix}/v1/matrix")).await).unwrap();
        assert_eq!(matrix["hosts"].as_array().unwrap().len(), 2, "{prefix}");
        let document: Value = serde_json::from_str(&text(&format!("{prefix}/openapi.json")).await).unwrap();
        let expected = if prefix.is_empty() { Value::Null } else { json!([{ "url": prefix }]) };
        assert_eq!(document["servers"], expected);
        assert!(document["paths"]["/v1/matrix"].is_object());
        serving.abort();
    }
}
