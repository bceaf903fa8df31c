//! The file of credentials that the vendor's SDKs read.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use record_callback_core::Result;
use record_callback_http::{
    AccessKey, CredentialFile, CredentialSource, Endpoint, Miss, Renewed, SourceContext,
};

use super::RENEW_BEFORE;
use super::federated::Federated;
use super::temporary::Label;
use super::token_file::{TokenFile, read_named};

const FILE: &str = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
const FILE_IN_HOME: &str = ".huaweicloud/credentials";
/// For services of a region, such as Live.
const BASIC: &str = "basic";
/// For services without regions.
const GLOBAL: &str = "global";

/// Everything that is looked for in a section.
const FIELDS: [&str; 7] =
    ["ak", "sk", "security_token", "project_id", "iam_endpoint", "idp_id", "id_token_file"];

/// Section `[basic]` of a file, which is read each time.
#[derive(Debug)]
pub(super) struct Profile {
    context: SourceContext,
    iam: Endpoint,
    /// By the last user of an identity provider that the file named.
    exchanged: Mutex<Option<Arc<Exchanged>>>,
}

#[derive(Debug)]
struct Exchanged {
    user: Federated,
    key: Renewed<AccessKey>,
}

/// What the section says.
enum Said {
    Key(AccessKey),
    User(Federated),
}

impl Profile {
    pub(super) fn new(context: SourceContext, iam: Endpoint) -> Self {
        Self { context, iam, exchanged: Mutex::default() }
    }

    async fn file(&self) -> Result<CredentialFile, Miss> {
        if let Some(path) = self.context.var(FILE) {
            return read_named(path.into(), FILE).await.map_err(Miss::Refused);
        }
        let path = self.context.in_home(FILE_IN_HOME);
        let homeless = || Miss::NotConfigured(format!("{FILE} is not set, and there is no home directory"));
        CredentialFile::read(path.ok_or_else(homeless)?).await
    }

    fn read(&self, file: &CredentialFile) -> Result<Said, Miss> {
        let ini = file.ini()?;
        let Some(section) = ini.section(BASIC) else {
            let expected = match ini.section(GLOBAL) {
                Some(_) => {
                    "expected a section [basic]: [global] is for services without regions, Live has them"
                }
                None => "expected a section [basic]",
            };
            return Err(file.mistake(None, expected).into());
        };
        for name in FIELDS {
            let read = section.get(name).unwrap_or_default();
            if let Some((line, what)) = section.ambiguity(name, read, false) {
                let problem = format!(
                    "`{name}` has {what}, which the vendor's SDKs read differently: write it without"
                );
                return Err(Miss::Refused(file.mistake(Some(line), &problem)));
            }
        }
        let mistake = |what: &str| file.mistake(Some(section.line), &format!("[{BASIC}] {what}"));
        let lacks = |what: &str| Err(mistake(what).into());
        let field = |name| section.get(name).filter(|value| !value.is_empty());
        let place = file.mistake(Some(section.line), &format!("[{BASIC}]")).message().to_owned();
        let project_id = field("project_id").map(ToOwned::to_owned);
        match (field("ak"), field("sk"), field("idp_id"), field("id_token_file")) {
            (_, _, Some(idp_id), Some(path)) => {
                let iam = match field("iam_endpoint") {
                    Some(address) => Endpoint::parse("iam_endpoint", address, false)
                        .map_err(|invalid| mistake(&invalid.to_string()))?,
                    None => self.iam.clone(),
                };
                Ok(Said::User(Federated {
                    idp_id: idp_id.to_owned(),
                    id_token: TokenFile { path: path.into(), named_by: format!("{place} id_token_file") },
                    iam,
                    label: Label { origin: place, project_id },
                }))
            }
            (Some(id), Some(secret), ..) => {
                let mut key = AccessKey::new(id, secret).from_origin(place);
                if let Some(token) = field("security_token") {
                    key = key.with_security_token(token);
                }
                Ok(Said::Key(match project_id {
                    Some(id) => key.with_project_id(id),
                    None => key,
                }))
            }
            (Some(_), None, ..) => lacks("has `ak`, expected `sk` too"),
            (None, Some(_), ..) => lacks("has `sk`, expected `ak` too"),
            (None, None, Some(_), None) => lacks("has `idp_id`, expected `id_token_file` too"),
            (None, None, None, Some(_)) => lacks("has `id_token_file`, expected `idp_id` too"),
            (None, None, None, None) => {
                lacks("has no key, expected `ak` and `sk`, or `idp_id` and `id_token_file`")
            }
        }
    }

    /// What `user` was given before, if anything: a new one if the file names another by now.
    fn exchanged(&self, user: Federated) -> Arc<Exchanged> {
        let mut held = self.exchanged.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(exchanged) if exchanged.user == user => Arc::clone(exchanged),
            _ => {
                let key = Renewed::new(Arc::clone(&self.context.clock), RENEW_BEFORE);
                Arc::clone(held.insert(Arc::new(Exchanged { user, key })))
            }
        }
    }
}

#[async_trait]
impl CredentialSource for Profile {
    fn name(&self) -> String {
        "credentials file".into()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        let file = self.file().await?;
        let found = async {
            match self.read(&file)? {
                Said::Key(key) => Ok(Arc::new(key)),
                Said::User(user) => {
                    let exchanged = self.exchanged(user);
                    let Exchanged { user, key } = &*exchanged;
                    Ok(key.get(|| user.fetch(&self.context)).await?)
                }
            }
        };
        found.await.map_err(|miss| match miss {
            // What is named has to be had: nobody stands in for it.
            Miss::Failed(error) if self.context.var(FILE).is_some() => Miss::Refused(error),
            miss => miss,
        })
    }
}
