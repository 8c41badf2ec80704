//! JSON schemas of types that are written in a form of their own (feature `schema`).

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::commit::{Commit, LockHash};
use crate::compartment::{Color, Compartment, Status};
use crate::id::{Actor, ChannelName, HostId, OpId, PrId, SessionId, StorePath, Tag, Version};
use crate::matrix::{Cell, Counts, RowCells};
use crate::text::Text;
use crate::time::Timestamp;

/// Types that are one string.
macro_rules! strings {
    ($($name:ident: $schema:tt;)+) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

strings! {
    Actor: { "type": "string" };
    ChannelName: { "type": "string" };
    Commit: { "type": "string", "pattern": "^[0-9a-f]{7,64}$" };
    HostId: { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$" };
    LockHash: { "type": "string", "pattern": "^[0-9a-f]{64}$" };
    OpId: { "type": "string" };
    PrId: { "type": ["integer", "string"] };
    SessionId: { "type": "string" };
    StorePath: { "type": "string" };
    Tag: { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:=/-]{0,62}$" };
    Text: { "type": "string" };
    Timestamp: { "type": "string", "format": "date-time" };
    Version: { "type": "string" };
}

impl JsonSchema for Cell {
    fn schema_name() -> Cow<'static, str> {
        "Cell".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (status, color) = (generator.subschema_for::<Status>(), generator.subschema_for::<Color>());
        let message = generator.subschema_for::<Option<String>>();
        json_schema!({
            "type": "object",
            "properties": {
                "status": status,
                "color": color,
                "reason": { "type": "string" },
                "message": message,
                "rule": { "type": "string" },
            },
            "required": ["status", "color", "reason", "message", "rule"],
        })
    }
}

/// An object with a value for each compartment.
fn of_each_compartment(value: &Schema) -> Schema {
    let cells: BTreeMap<_, _> = Compartment::ALL.iter().map(|cell| (cell.as_str(), value)).collect();
    json_schema!({ "type": "object", "properties": cells, "required": Compartment::ALL })
}

impl JsonSchema for RowCells {
    fn schema_name() -> Cow<'static, str> {
        "Cells".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        of_each_compartment(&generator.subschema_for::<Cell>())
    }
}

impl JsonSchema for Counts {
    fn schema_name() -> Cow<'static, str> {
        "Counts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let count = json_schema!({ "type": "integer", "minimum": 0 });
        let colors: BTreeMap<_, _> = Color::ALL.iter().map(|color| (color.as_str(), &count)).collect();
        of_each_compartment(&json_schema!({ "type": "object", "properties": colors, "required": Color::ALL }))
    }
}
