//! `record-callback status`

use record_callback::fleet::Standing;

use super::{Fleet, MATCHES, STATE, TRAINING};

#[test]
fn it_tells_what_is_ours_and_where_it_belongs_without_a_call() {
    let gone = "[[callbacks]]\nname = \"gone\"\nprovider = \"ali\"\ndomain = \"gone.example.com\"\n\
                notify_url = \"https://cb.example.com/gone\"\n";
    let mut fleet = Fleet::of(&[MATCHES, TRAINING, gone].concat());
    fleet.run(&["status"]);
    fleet.program.run(&["apply", "--yes", "--target", "matches", "--target", "gone"]).done();
    fleet.clouds.declare(&[MATCHES, TRAINING].concat());
    fleet.edit("provider = \"ali\"\ndomain = { ali", "provider = \"hw\"\ndomain = { ali");
    let calls = fleet.clouds.aliyun.requests().len();
    fleet.run(&["status"]);
    fleet.run(&["status", "--output", "json"]);
    assert_eq!(fleet.clouds.aliyun.requests().len(), calls);
    assert_eq!(fleet.clouds.huaweicloud.requests().len(), 0);
    fleet.is("status");
}

#[test]
fn it_tells_what_was_interrupted() {
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    {
        let (file, mut state) = fleet.hold();
        let configs = state.entries.values_mut().flat_map(|entry| &mut entry.configs);
        for (config, standing) in configs.zip([Standing::Updating, Standing::Creating]) {
            config.standing = standing;
        }
        file.checkpoint(&state).expect("a writable state");
    }
    fleet.run(&["status"]);
    fleet.run(&["plan"]);
    fleet.run(&["apply", "--yes"]);
    fleet.run(&["status"]);
    fleet.is("status_of_interrupted");
}

#[test]
fn a_state_that_is_none_is_refused() {
    let mut fleet = Fleet::of(MATCHES);
    fleet.write(STATE, "{\"version\":");
    fleet.run(&["status"]);
    fleet.run(&["apply", "--yes"]);
    fleet.write(STATE, "{\"version\":99}");
    fleet.run(&["plan", "--detailed-exitcode"]);
    fleet.run(&["status", "--state", "no/such/directory/state.json"]);
    fleet.run(&["apply", "--yes", "--state", "no/such/directory/state.json"]);
    fleet.is("status_of_a_broken_state");
}
