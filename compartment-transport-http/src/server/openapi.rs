//! `/openapi.json`: paths from the handlers' own annotations, schemas from the types themselves.

use std::collections::BTreeMap;

use compartment_core::replay::Explanation;
use compartment_core::sync::Message;
use compartment_core::{AuditEntry, Matrix, Row};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;
use utoipa::IntoResponses;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder,
};

use crate::wire::configuration::{Change, Configuration};
use crate::wire::enrolment::{Enrolled, NewToken};
use crate::wire::events::Taken;
use crate::wire::orders::OrderLine;
use crate::wire::output::{Ended, Page, Printed, Waits};
use crate::wire::reading::{Health, History, Noticed, PullRequestView, PullRequests, Rollback};
use crate::wire::requests::{Answers, Body};
use crate::wire::{Code, Problem, problem};

/// What every page that wants a token may answer.
pub(super) struct Common;

/// What a page about one thing may answer.
pub(super) struct NotFound;

/// What a page for agents may answer.
pub(super) struct Conflict;

/// What a page that takes an enrolment code may answer.
pub(super) struct UsedCode;

/// What a page that takes a body may answer.
pub(super) struct TooLarge;

/// What a page that wants a signature may answer.
pub(super) struct Signed;

/// What a page may answer when the hub has stopped.
pub(super) struct Stopped;

macro_rules! answers {
    ($($name:ident: $($code:ident),+;)+) => {$(
        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(Code::$code),+].into_iter().map(problem_response).collect()
            }
        }
    )+};
}

answers! {
    Common: BadRequest, Unauthorized, Forbidden, TooManyRequests, Internal, Unavailable;
    NotFound: NotFound;
    Conflict: AgentLive;
    UsedCode: CodeUsed;
    TooLarge: Timeout, TooLarge;
    Signed: BadRequest, Unauthorized, Internal;
    Stopped: Unavailable;
}

fn problem_response(code: Code) -> (String, RefOr<Response>) {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let title = Problem::new(code, "").title;
    let response = ResponseBuilder::new().description(title).content(problem::MEDIA_TYPE, content).build();
    (code.status().to_string(), response.into())
}

/// The frame that the pages are added to.
pub(super) fn frame() -> OpenApi {
    let info = InfoBuilder::new()
        .title("compartment")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("What state each host of a fleet is in, by CORE-006."))
        .build();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let mut components = Components::new();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let mut frame = OpenApi::new(info, utoipa::openapi::Paths::new());
    frame.components = Some(components);
    frame
}

/// The whole document.
pub(super) fn document(pages: &OpenApi) -> Value {
    let mut document = serde_json::to_value(pages).expect("a description is JSON");
    forget_streams(&mut document);
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("schemas".to_owned(), Value::Object(schemas()));
    }
    document
}

/// The document of pages that are below a prefix: whoever reads it would look for them where they are not.
pub(super) fn below(document: &Value, prefix: &str) -> Value {
    let mut document = document.clone();
    if let Some(fields) = document.as_object_mut().filter(|_| !prefix.is_empty()) {
        fields.insert("servers".to_owned(), serde_json::json!([{ "url": prefix }]));
    }
    document
}

/// A stream is no string, though its media type has to have some schema until here.
fn forget_streams(part: &mut Value) {
    match part {
        Value::Object(fields) => {
            if let Some(Value::Object(stream)) = fields.get_mut("text/event-stream") {
                stream.remove("schema");
            }
            fields.values_mut().for_each(forget_streams);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_streams),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn schemas() -> serde_json::Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    add::<Answers>(&mut generator);
    add::<Body>(&mut generator);
    add::<Change>(&mut generator);
    add::<Configuration>(&mut generator);
    add::<Ended>(&mut generator);
    add::<Enrolled>(&mut generator);
    add::<Waits>(&mut generator);
    add::<Explanation>(&mut generator);
    add::<Health>(&mut generator);
    add::<History>(&mut generator);
    add::<Matrix>(&mut generator);
    add::<Message>(&mut generator);
    add::<NewToken>(&mut generator);
    add::<Noticed>(&mut generator);
    add::<OrderLine>(&mut generator);
    add::<Page>(&mut generator);
    add::<Printed>(&mut generator);
    add::<Problem>(&mut generator);
    add::<PullRequestView>(&mut generator);
    add::<PullRequests>(&mut generator);
    add::<Rollback>(&mut generator);
    add::<Row>(&mut generator);
    add::<Taken>(&mut generator);
    let audit = generator.subschema_for::<Vec<AuditEntry>>();
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Audit".to_owned(), audit.into());
    schemas
}

fn add<T: JsonSchema>(generator: &mut SchemaGenerator) {
    let _reference = generator.subschema_for::<T>();
}
