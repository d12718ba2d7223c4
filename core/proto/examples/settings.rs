//! Prints the page of the settings: `cargo run -p p2pchan-proto --example settings > docs/settings.md`.

fn main() {
    print!("{}", p2pchan_proto::settings::documentation());
}
