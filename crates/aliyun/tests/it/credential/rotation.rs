use super::*;

const NEW_ID: &str = "LTAI5tNewNewNewNew";

/// The id of the key the last call of the Live API was signed with.
async fn used(machine: &Machine, client: &AliyunClient) -> String {
    client.describe_live_record_notify_config(DOMAIN).await.unwrap();
    param(machine.cloud.requests().last().unwrap(), "AccessKeyId")
}

#[tokio::test]
async fn a_key_that_is_rotated_in_its_file_is_used_at_once() {
    let ini = |id: &str| {
        let key = format!("access_key_id={id}\naccess_key_secret={SECRET}");
        (INI_FILE, format!("[default]\ntype=access_key\n{key}"))
    };
    let cli = |id: &str| {
        let key = format!(r#""access_key_id":"{id}","access_key_secret":"{SECRET}""#);
        (CLI_FILE, format!(r#"{{"current":"p","profiles":[{{"name":"p","mode":"AK",{key}}}]}}"#))
    };
    for file in [&ini as &dyn Fn(&str) -> (&'static str, String), &cli] {
        let machine = Machine::new().await;
        let write = |id: &str| {
            let (path, text) = file(id);
            machine.write(path, text);
        };
        write(KEY_ID);
        let client = machine.client(default_chain(&machine.context()));
        assert_eq!(used(&machine, &client).await, KEY_ID);
        machine.cloud.put_access_key(NEW_ID, SECRET);
        machine.cloud.remove_access_key(KEY_ID);
        write(NEW_ID);
        assert_eq!(used(&machine, &client).await, NEW_ID);
    }
}

#[tokio::test]
async fn a_role_is_assumed_anew_when_its_profile_changes_and_only_then() {
    let machine = Machine::new().await;
    let write = |id: &str| {
        let role = machine.cloud.role_arn();
        let key = format!(r#""access_key_id":"{id}","access_key_secret":"{SECRET}""#);
        machine.write_profiles(&[("p", &format!(r#""mode":"RamRoleArn",{key},"ram_role_arn":"{role}""#))]);
    };
    write(KEY_ID);
    let client = machine.client(default_chain(&machine.context()));
    let first = used(&machine, &client).await;
    // Writing the same again changes nothing.
    write(KEY_ID);
    assert_eq!(used(&machine, &client).await, first);
    machine.cloud.put_access_key(NEW_ID, SECRET);
    write(NEW_ID);
    assert_ne!(used(&machine, &client).await, first);
    let by: Vec<_> = machine.sts().into_iter().map(|(_, by)| by).collect();
    assert_eq!(by, [KEY_ID, NEW_ID]);
}

#[tokio::test]
async fn what_else_changes_in_a_file_costs_no_session() {
    let cli = |name: &str, secret: &str| {
        let role = r#""mode":"ChainableRamRoleArn","ram_role_arn":"ROLE","source_profile":"source""#;
        let profile = |name: &str, secret: &str| {
            let key = format!(r#""mode":"AK","access_key_id":"{KEY_ID}","access_key_secret":"{secret}""#);
            format!(r#"{{"name":"{name}",{key}}}"#)
        };
        let (source, other) = (profile("source", SECRET), profile(name, secret));
        let text = format!(r#"{{"current":"p","profiles":[{{"name":"p",{role}}},{source},{other}]}}"#);
        (CLI_FILE, text)
    };
    let ini = |name: &str, secret: &str| {
        let key = |secret: &str| format!("access_key_id={KEY_ID}\naccess_key_secret={secret}");
        let section = format!("[default]\ntype=ram_role_arn\nrole_arn=ROLE\n{}", key(SECRET));
        (INI_FILE, format!("[{name}]\ntype=access_key\n{}\n{section} # {name}\n", key(secret)))
    };
    for file in [&cli as &dyn Fn(&str, &str) -> (&'static str, String), &ini] {
        let machine = Machine::new().await;
        let write = |name: &str, secret: &str, end: &str| {
            let (path, text) = file(name, secret);
            machine.write(path, text.replace("ROLE", machine.cloud.role_arn()) + end);
        };
        write("other", "a", "");
        let client = machine.client(default_chain(&machine.context()));
        let first = used(&machine, &client).await;
        for (name, secret, end) in [("other", "b", ""), ("new", "b", ""), ("new", "b", "\n\n")] {
            write(name, secret, end);
            assert_eq!(used(&machine, &client).await, first, "{name} {secret} {end:?}");
        }
        assert_eq!(machine.sts().len(), 1);
    }
}

#[tokio::test]
async fn a_change_of_a_source_profile_counts_at_once() {
    let machine = Machine::new().await;
    let write = |id: &str| {
        let role = machine.cloud.role_arn();
        let role = format!(r#""mode":"ChainableRamRoleArn","ram_role_arn":"{role}","source_profile":"q""#);
        let key = format!(r#""mode":"AK","access_key_id":"{id}","access_key_secret":"{SECRET}""#);
        machine.write_profiles(&[("p", &role), ("q", &key)]);
    };
    write(KEY_ID);
    let client = machine.client(default_chain(&machine.context()));
    used(&machine, &client).await;
    machine.cloud.put_access_key(NEW_ID, SECRET);
    write(NEW_ID);
    used(&machine, &client).await;
    let by: Vec<_> = machine.sts().into_iter().map(|(_, by)| by).collect();
    assert_eq!(by, [KEY_ID, NEW_ID]);
}

#[tokio::test]
async fn a_token_that_is_rotated_in_its_file_is_sent_at_the_next_renewal() {
    let mut machine = Machine::new().await;
    let path = machine.with_oidc();
    let mut tokens = vec![std::fs::read_to_string(&path).unwrap(), machine.cloud.issue_oidc_token()];
    let client = machine.client(default_chain(&machine.context()));
    used(&machine, &client).await;
    std::fs::write(&path, format!("{}\n", tokens[1])).unwrap();
    used(&machine, &client).await;
    machine.pass(45);
    used(&machine, &client).await;
    let sent: Vec<_> = machine.cloud.sts_requests().iter().map(|asked| param(asked, "OIDCToken")).collect();
    tokens.dedup();
    assert_eq!(sent, tokens);
}
