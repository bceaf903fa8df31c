//! Manifests with secrets in wrong places, edits of them, and the keys and providers they refer to.

use super::*;

fn show_problems(text: &str, format: ManifestFormat, shown: &mut Shown) -> bool {
    match File::parse(text, format) {
        Ok(file) => {
            shown.debug("a manifest file", &file);
            false
        }
        Err(problems) => {
            shown.error("a manifest's problems", &problems);
            for problem in problems.problems() {
                shown.text("a manifest's problem", problem.to_string());
            }
            true
        }
    }
}

/// What may stand for `key`, `scheme` and the whole of `signing`; each is wrong.
fn signings() -> Vec<String> {
    let keys = [
        format!("'{KEY}'"),
        NUMERIC_KEY.to_owned(),
        format!("{NUMERIC_KEY}.5"),
        format!("['{KEY}']"),
        format!("{{ value = '{KEY}' }}"),
        format!("{{ ali = '{KEY}', hw = '{OTHER_KEY}' }}"),
        format!("{{ env = '{KEY} {OTHER_KEY}' }}"),
        format!("{{ env = '{KEY}=' }}"),
        format!("{{ env = ['{KEY}'] }}"),
        format!("{{ env = {{ KEY = '{KEY}' }} }}"),
        format!("{{ env = {NUMERIC_KEY} }}"),
        format!("{{ file = \"{KEY}\\n\" }}"),
        format!("{{ file = ['{KEY}'] }}"),
        format!("{{ env = 'KEY', value = '{KEY}' }}"),
        format!("{{ {KEY} = 'env' }}"),
        format!("{{ '{LONG_KEY} {KEY}' = {{ env = 'KEY' }} }}"),
        format!("{{ env = 'KEY', {KEY} = 1 }}"),
    ];
    let schemes = [
        format!("'{KEY}'"),
        NUMERIC_KEY.to_owned(),
        format!("['md5', '{KEY}']"),
        format!("{{ md5 = '{KEY}' }}"),
        format!("{{ ali = '{KEY}' }}"),
        format!("{{ ali = {{ md5 = '{KEY}' }} }}"),
        format!("'md5:{KEY}'"),
    ];
    let wholes = [
        format!("'{KEY}'"),
        NUMERIC_KEY.to_owned(),
        format!("['md5', '{KEY}']"),
        format!("{{ md5 = '{KEY}' }}"),
        format!("{{ scheme = 'md5', keys = ['{KEY}'] }}"),
        format!("{{ scheme = 'md5', key_value = '{KEY}', key = '{KEY}' }}"),
        format!("{{ scheme = 'disabled', key = '{KEY}' }}"),
        format!("{{ scheme = 'md5', {KEY} = true }}"),
        format!("{{ ali = {{ scheme = 'md5', key = '{KEY}' }} }}"),
        format!("{{ key = '{KEY}' }}"),
    ];
    let mut signings: Vec<_> = keys.iter().map(|key| format!("{{ scheme = 'md5', key = {key} }}")).collect();
    signings.extend(schemes.iter().map(|scheme| format!("{{ scheme = {scheme}, key = {{ env = 'KEY' }} }}")));
    signings.extend(wholes);
    signings
}

/// What may stand for a provider; each is wrong.
fn providers() -> Vec<String> {
    let mut providers = Vec::new();
    for vendor in ["aliyun", "huaweicloud"] {
        let credentials = [
            format!("'{SECRET}'"),
            NUMERIC_KEY.to_owned(),
            format!("['{ID}', '{SECRET}']"),
            format!("{{ id = '{ID}', secret = '{SECRET}' }}"),
            format!("{{ source = '{SECRET}' }}"),
            format!("{{ source = ['{SECRET}'] }}"),
            format!("{{ source = 'access_key', id = '{ID}', key = '{SECRET}' }}"),
            format!(
                "{{ source = 'access_key', id = '{ID}', secret = '{SECRET}', token = '{SECURITY_TOKEN}' }}"
            ),
            format!("{{ source = 'access_key', id = '{ID}', secret = ['{SECRET}'] }}"),
            format!("{{ source = 'access_key', id = '{ID}', secret = {{ value = '{SECRET}' }} }}"),
            format!("{{ source = 'access_key', id = '{ID}', secret = {NUMERIC_KEY} }}"),
            format!("{{ source = 'access_key', id = {NUMERIC_KEY}.5, secret = '{SECRET}' }}"),
            format!("{{ source = 'access_key', id = ['{SECRET}'], secret = true }}"),
            format!("{{ source = 'token', secret = '{GIVEN_TOKEN}' }}"),
            format!("{{ source = 'token', token = ['{GIVEN_TOKEN}'] }}"),
            format!("{{ source = 'password', account = 'a', user = 'u', password = ['{PASSWORD}'] }}"),
            format!("{{ source = 'password', account = 'a', password = '{PASSWORD}' }}"),
            format!("{{ source = 'pasword', account = 'a', user = 'u', password = '{PASSWORD}' }}"),
        ];
        let fields = [
            format!("secret = '{SECRET}'"),
            format!("access_key = {{ id = '{ID}', secret = '{SECRET}' }}"),
            format!("allow_http = '{SECRET}'"),
            format!("calls_per_second = '{SECRET}'\ncalls_per_minute = '{SECRET}'"),
            format!("calls_per_second = {NUMERIC_KEY}\ncalls_per_minute = {NUMERIC_KEY}"),
            format!("region = ['{SECRET}']"),
            format!("endpoint = {{ '{PROJECT}' = '{SECRET}' }}"),
            format!("signature = '{SECRET}'\nproject_id = {NUMERIC_KEY}"),
        ];
        let credentials = credentials.iter().map(|credentials| format!("credentials = {credentials}"));
        let fields = credentials.chain(fields).map(|field| format!("vendor = '{vendor}'\n{field}"));
        providers.extend(fields);
    }
    providers.extend([
        format!("vendor = '{SECRET}'"),
        format!("vendor = {NUMERIC_KEY}\nsecret = '{SECRET}'"),
        format!("vendor = ['{SECRET}']"),
        format!("secret = '{SECRET}'"),
        format!("vendor = 'tencent'\nsecret = '{SECRET}'"),
        format!(
            "vendor = 'aliyn'\ncredentials = {{ source = 'access_key', id = '{ID}', secret = '{SECRET}' }}"
        ),
    ]);
    providers
}

fn urls() -> Vec<String> {
    let user = percent_encoded(PASSWORD);
    let urls = [
        URL_SECRET.to_owned(),
        format!("http://user:{user}@cb.example.com/n"),
        format!("http://{URL_SECRET}@cb.example.com/n"),
        format!("ftp://cb.example.com/n?token={URL_SECRET}"),
        format!("HTTP://cb.example.com/n?token={URL_SECRET}"),
        format!("cb.example.com/n?token={URL_SECRET}"),
        format!("http://?token={URL_SECRET}"),
        format!("http:///n?token={URL_SECRET}"),
        format!("http:cb.example.com/n?token={URL_SECRET}"),
        format!("http://cb.example.com:x/n?token={URL_SECRET}"),
        format!("http://cb.example.com:{URL_SECRET}/"),
        format!("http://[{URL_SECRET}]/"),
        format!("http://cb.example.com/n?token={URL_SECRET} "),
        format!("http://{URL_SECRET} h/"),
    ];
    let mut values: Vec<_> = urls.iter().map(|url| format!("'{url}'")).collect();
    let good = url("recorded");
    values.extend([
        format!("{{ ali = '{}', hw = '{}' }}", urls[1], urls[5]),
        format!("{{ al = '{good}' }}"),
        format!("{{ ali = ['{good}'] }}"),
        format!("['{good}']"),
        format!("{{ ali = {{ url = '{good}' }} }}"),
    ]);
    values
}

#[test]
fn nothing_is_shown_by_manifests_with_secrets_in_wrong_places() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let provider = "[providers.ali]\nvendor = 'aliyun'\n";
    let url = "notify_url = 'https://cb.example.com/n'\n";
    let mut wrong = Vec::new();
    for signing in signings() {
        let signing = format!("signing = {signing}\n");
        let callback = format!("[[callbacks]]\nname = 'a'\nprovider = 'ali'\ndomain = '{DOMAIN}'\n{url}");
        wrong.push(format!("{provider}{callback}{signing}"));
        wrong.push(format!("{provider}[defaults]\n{signing}{callback}"));
    }
    wrong.extend(providers().iter().map(|provider| format!("[providers.ali]\n{provider}\n")));
    wrong.extend([
        format!("[providers]\nali = '{SECRET}'"),
        format!("providers = ['{SECRET}']"),
        format!("providers = '{SECRET}'"),
        format!("secret = '{SECRET}'"),
        format!("credentials = {{ source = 'access_key', id = '{ID}', secret = '{SECRET}' }}"),
        format!("defaults = '{KEY}'"),
        format!("callbacks = '{KEY}'"),
        format!("callbacks = ['{KEY}']"),
        format!("'$schema' = ['{KEY}']"),
        format!("{provider}[defaults]\nkey = '{KEY}'"),
        format!("{provider}[defaults]\nsigning_key = '{KEY}'"),
    ]);
    for value in urls() {
        for field in ["notify_url", "on_demand_url"] {
            wrong.push(format!(
                "{provider}[[callbacks]]\nname = 'a'\nprovider = 'ali'\ndomain = '{DOMAIN}'\n{field} = {value}"
            ));
            wrong.push(format!("{provider}[defaults]\n{field} = {value}"));
        }
    }
    for text in wrong {
        let json = as_json(&text);
        for (text, format) in [(text, ManifestFormat::Toml), (json, ManifestFormat::Json)] {
            assert_found(&text, &secrets);
            assert!(show_problems(&text, format, &mut shown), "{text}");
        }
    }
    assert_collected(&shown, &["a manifest's problems", "a manifest's problem"]);
    shown.assert_hides(&secrets);
}

#[test]
fn nothing_is_shown_by_manifests_that_are_damaged_anywhere() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let callback = format!("signing = {{ scheme = 'md5', key = '{KEY}' }}\n");
    let text = format!(
        "[providers.ali]\nvendor = 'aliyun'\ncredentials = {{ source = 'access_key', id = '{ID}', secret = '{SECRET}' }}\n\
         [providers.hw]\nvendor = 'huaweicloud'\ncredentials.source = 'token'\ncredentials.token = '{GIVEN_TOKEN}'\n\
         [[callbacks]]\nname = 'a'\nprovider = 'ali'\nnotify_url = '{}'\n{callback}",
        url("recorded")
    );
    let texts = [
        (text.clone(), ManifestFormat::Toml),
        (text.replace('\'', "\""), ManifestFormat::Toml),
        (as_json(&text), ManifestFormat::Json),
    ];
    for (text, format) in texts {
        let mut damaged = 0;
        for (at, c) in text.char_indices() {
            let (before, after) = text.split_at(at);
            let without = &after[c.len_utf8()..];
            damaged += u32::from(show_problems(before, format, &mut shown));
            damaged += u32::from(show_problems(&format!("{before}{without}"), format, &mut shown));
            for odd in ["\"", "'", "\n", "\\", "=", "{", "]", ",", "\0", "#", "é", ".", "\\ud800", "\"\"\""]
            {
                damaged += u32::from(show_problems(&format!("{before}{odd}{after}"), format, &mut shown));
            }
        }
        assert!(damaged > 10 * u32::try_from(text.len()).unwrap(), "{damaged}");
    }
    // Without quotes, where a string is expected.
    for secret in [KEY, SECRET, GIVEN_TOKEN, PASSWORD, NUMERIC_KEY] {
        for field in ["secret", "token", "signing", "key", "notify_url", ""] {
            for (text, format) in [
                (format!("[providers.ali]\n{field} = {secret}\n"), ManifestFormat::Toml),
                (format!("[providers.ali]\n{field} {secret}\n"), ManifestFormat::Toml),
                (format!("[providers.ali]\n{field} = {{ {secret} }}\n"), ManifestFormat::Toml),
                (format!("[{secret}\n{field} = 1"), ManifestFormat::Toml),
                (format!("{{\"providers\": {{\"{field}\": {secret}}}}}"), ManifestFormat::Json),
                (format!("{{\"providers\": {{\"ali\": {{{secret}: 1}}}}}}"), ManifestFormat::Json),
                (format!("{{\"{field}\": \"{secret}\\x\"}}"), ManifestFormat::Json),
            ] {
                assert!(show_problems(&text, format, &mut shown), "{text}");
            }
        }
        for format in [ManifestFormat::Toml, ManifestFormat::Json] {
            assert!(show_problems(secret, format, &mut shown), "{secret}");
        }
    }
    shown.assert_hides(&secrets);
}

#[test]
fn nothing_is_shown_by_keys_had_or_not() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live.key");
    let file = KeyReference::File("live.key".into());
    let from_file = "signing = { scheme = 'md5', key = { file = 'live.key' } }";
    let text = manifest(&(callback("a", "ali", "") + &callback("b", "hw", from_file)));
    let parsed = parsed(&text, &mut shown);
    let (mut refused, mut had) = (0, 0);
    for content in [
        KEY.to_owned(),
        format!("{KEY}\n"),
        format!("{KEY}\r\n"),
        format!("{KEY}\n\n"),
        format!("{KEY}\n{OTHER_KEY}\n"),
        format!(" {KEY}"),
        format!("{KEY}{OTHER_KEY}{LONG_KEY}{SHORT_KEY}"),
        format!("KEY={KEY}"),
        format!("\"{KEY}\""),
        format!("{KEY}\0"),
        format!("{KEY}é"),
        format!("\u{feff}{KEY}"),
        KEY[..12].to_owned(),
        KEY.repeat(200),
        webhook_secret(WEBHOOK_KEY),
        String::new(),
    ] {
        let env = FixedEnv::from_iter([("KEY", content.as_str())]);
        let keys = ManifestKeys::new(env, directory.path());
        shown.debug("the keys of a manifest", &keys);
        fs::write(&path, &content).unwrap();
        for reference in [&file, &KeyReference::Env("KEY".to_owned())] {
            match keys.key(reference) {
                Ok(key) => {
                    had += 1;
                    shown.debug("a key", &key);
                }
                Err(error) => {
                    refused += 1;
                    shown.error("a key that cannot be had", &error);
                }
            }
        }
        let keys = parsed.manifest.keys(&keys);
        shown.debug("keys", &keys);
        for callback in parsed.manifest.callbacks().values() {
            let provider = parsed.manifest.provider_of(callback).unwrap();
            let wanted = parsed.manifest.wanted(callback, provider, &keys);
            shown.debug("what is wanted", &wanted);
            if let Err(error) = wanted {
                shown.error("what cannot be wanted", &error);
            }
        }
    }
    assert!(refused >= 16 && had >= 4, "{refused} {had}");
    fs::write(&path, [KEY.as_bytes(), b"\xff"].concat()).unwrap();
    let keys = ManifestKeys::new(FixedEnv::default(), directory.path());
    for reference in [file.clone(), KeyReference::File(".".into()), KeyReference::File("none".into())] {
        shown.error("a key that cannot be had", &keys.key(&reference).unwrap_err());
    }
    shown.debug("keys", &parsed.manifest.keys(&keys));
    shown.error("a key nobody asked for", &Keys::default().get(&file).unwrap_err());
    assert_collected(&shown, &["a declaration", "a manifest", "what is wanted", "what cannot be wanted"]);
    shown.assert_hides(&secrets);
}

#[test]
fn nothing_is_shown_by_providers_that_can_be_connected_or_not() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let mut connect = |provider: &str, is_good: bool| {
        let text = format!("[providers.ali]\n{provider}\n");
        let file = File::parse(&text, ManifestFormat::Toml).unwrap();
        shown.debug("a manifest file", &file);
        let env = FixedEnv::from_iter([
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET),
            ("HUAWEICLOUD_SDK_IAM_ENDPOINT", URL_SECRET),
        ]);
        let connected = connect_all(&file.providers, env);
        assert_eq!(connected.is_ok(), is_good, "{provider}");
        if let Some(providers) = shown.result("providers", connected) {
            shown.debug("clouds", &Clouds::new(providers));
        }
    };
    let key = format!("credentials = {{ source = 'access_key', id = '{ID}', secret = '{SECRET}' }}");
    let token = format!("credentials = {{ source = 'token', token = '{GIVEN_TOKEN}' }}");
    let password = format!(
        "credentials = {{ source = 'password', account = 'a', user = 'u', password = '{PASSWORD}' }}"
    );
    connect(&format!("vendor = 'aliyun'\n{key}"), true);
    for credentials in [&key, &token, &password] {
        let hw = "vendor = 'huaweicloud'\nregion = 'cn-north-4'\niam_endpoint = 'https://iam.example.com'";
        connect(&format!("{hw}\n{credentials}"), true);
        connect(&format!("vendor = 'huaweicloud'\n{credentials}"), false);
    }
    connect(&format!("vendor = 'aliyun'\n{token}"), false);
    connect(&format!("vendor = 'aliyun'\n{password}"), false);
    let user = percent_encoded(PASSWORD);
    for endpoint in [
        format!("https://user:{user}@live.example.com"),
        format!("http://user:{user}@live.example.com"),
        format!("https://{URL_SECRET}@live.example.com"),
        format!("https://live.example.com/?token={URL_SECRET}"),
        format!("ftp://live.example.com/?token={URL_SECRET}"),
        format!("live.example.com?token={URL_SECRET}"),
    ] {
        for field in ["endpoint", "iam_endpoint"] {
            if field == "endpoint" {
                connect(&format!("vendor = 'aliyun'\n{field} = '{endpoint}'\n{key}"), false);
            }
            let hw = format!("vendor = 'huaweicloud'\nregion = 'cn-north-4'\n{field} = '{endpoint}'");
            connect(&format!("{hw}\n{password}"), false);
        }
    }
    assert_collected(&shown, &["providers", "clouds"]);
    shown.assert_hides(&secrets);
}

#[test]
fn nothing_is_shown_by_edits_that_cannot_be_made() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let text = manifest(&two());
    let file = parsed(&text, &mut shown);
    let declarations: Vec<_> = file.manifest.callbacks().values().cloned().collect();
    let others: Vec<_> = declarations
        .iter()
        .map(|declared| {
            let mut other = declared.clone();
            other.name = name(&format!("{}-too", declared.name));
            let urls = ["ali", "hw"].map(|provider| {
                (name(provider), CallbackUrl::new(Field::NotifyUrl, &url(provider)).unwrap())
            });
            other.settings.notify_url = Some(PerProvider::Each(urls.into()));
            other.settings.signing = file.manifest.callbacks()[&declared.name].settings.signing.clone();
            other
        })
        .collect();
    let wrong = text.replace("key = { env = 'KEY' }", &format!("key = '{KEY}'"));
    let broken = text.replace("secret = '", "secret = ");
    let dotted = text.replace("name = 'match'", "name = 'match'\napp.ali = 'x'\napp.hw = 'y'");
    let edits = [
        Edit::Provider { callback: name("nobody"), provider: name("hw") },
        Edit::Provider { callback: name("match"), provider: name("nowhere") },
        Edit::App { callback: name("match"), app: PerProvider::Same("z".parse().unwrap()) },
        Edit::Fidelity { callback: name("nobody"), fidelity: Fidelity::Widen },
    ];
    let mut refused = 0;
    for text in [&text, &wrong, &broken, &dotted] {
        let json = toml::from_str::<toml::Value>(text).map(|_| as_json(text)).unwrap_or_default();
        for (text, format) in [(text.as_str(), ManifestFormat::Toml), (&json, ManifestFormat::Json)] {
            for one in &edits {
                if let Err(error) = edit(text, format, std::slice::from_ref(one)) {
                    refused += 1;
                    shown.error("a refused edit", &error);
                }
            }
            // Names and places that are taken.
            for added in [&declarations, &others] {
                let error = append_callbacks(text, format, added).unwrap_err();
                refused += 1;
                shown.error("a refused edit", &error);
            }
        }
    }
    assert!(refused > 30, "{refused}");
    shown.assert_hides(&secrets);
}
