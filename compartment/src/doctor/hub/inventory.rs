//! The file of hosts that the hub reaches over SSH: whether it can be read. The hosts are for `compartment doctor ssh`.

use compartment_transport_ssh::Inventory;

use super::{Finding, Looked};

pub(super) fn inventory(looked: &Looked) -> Vec<Finding> {
    let Some(file) = &looked.serve.inventory else { return Vec::new() };
    match Inventory::read(file) {
        Ok(read) => {
            let hosts = read.hosts().len();
            let hosts = if hosts == 1 { "1 host is".to_owned() } else { format!("{hosts} hosts are") };
            let words = format!("{hosts} reached over SSH; `compartment doctor ssh` looks at them");
            vec![Finding::good("inventory", words)]
        }
        Err(error) => {
            let remedy = format!("mend {}: the hub does not start with it", file.display());
            vec![Finding::bad("inventory", error.to_string(), remedy)]
        }
    }
}
