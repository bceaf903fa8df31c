//! `docs/receiver.md` says what a receiver's file may have: its example is understood.

use std::fs;

use record_callback_tests::Authority;

use crate::markdown::blocks;
use crate::receive::{KEY, Setup};

const DOCUMENT: &str = include_str!("../../docs/receiver.md");

#[test]
fn the_file_with_every_setting_is_understood() {
    let blocks = blocks(DOCUMENT);
    let example = blocks.iter().find(|block| block.language == "toml").expect("an example");
    let mut setup = Setup::of(&example.text);
    setup.program = setup.program.secret("CALLBACK_KEY", KEY);
    let (cert, key) = Authority::new().issue("localhost");
    for (name, text) in [
        ("fullchain.pem", &*cert),
        ("key.pem", &key),
        ("new.key", KEY),
        ("old.key", "0ldK3y0ldK3y0ldK3y0ldK3y0ldK3y0l"),
    ] {
        fs::write(setup.path(name), text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(setup.path(name), mode).unwrap();
    }
    let receiver = setup.start();
    assert!(receiver.ready_line.contains("https://"), "{}", receiver.ready_line);
    setup.stop(receiver);
    let tables = ["tls", "admin", "proxies", "limits", "sink", "refused", "sources.live"];
    for table in tables {
        assert!(example.text.contains(&format!("[{table}]")), "{table}");
    }
}
