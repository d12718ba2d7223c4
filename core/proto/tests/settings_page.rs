//! The checked-in page of the settings is the one that the table makes.

use std::{fs, path::Path};

#[test]
fn the_page_of_the_settings_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    let page = fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == p2pchan_proto::settings::documentation(),
        "docs/settings.md is out of date; write it anew from the root of the repository with\n\
         cargo run -p p2pchan-proto --example settings > docs/settings.md"
    );
}
