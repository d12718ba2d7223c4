//! Says how an addon is linked: Node's own symbols are found when it is loaded.

fn main() {
    napi_build::setup();
}
