use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, Result};
use record_callback_http::{
    AccessKey, CredentialFile, CredentialProvider, CredentialSource, Ini, IniSection, Miss, SourceContext,
};

use super::cli_profile::{self, chosen_profile, refused};
use super::derived::Derived;
use super::metadata::Metadata;
use super::oidc::{PROVIDER_ARN, ROLE_ARN, TOKEN_FILE};
use super::place::{Place, environment, listed};
use super::role::{AssumeRole, AssumeRoleWithOidc, OidcToken, Role};
use super::sts::{Sts, StsChoice};
use crate::wire::credential::ini;

pub(super) const FILE: &str = "ALIBABA_CLOUD_CREDENTIALS_FILE";
/// What the vendor's SDKs for Python and for Go read.
const FILES: [&str; 2] = [".alibabacloud/credentials.ini", ".alibabacloud/credentials"];
const DEFAULT_PROFILE: &str = "default";

/// A section of the vendor's INI file.
#[derive(Debug)]
pub(super) struct IniProfile {
    context: SourceContext,
    derived: Derived<Arc<dyn CredentialProvider>>,
}

impl IniProfile {
    pub(super) fn new(context: SourceContext) -> Self {
        Self { context, derived: Derived::default() }
    }

    /// The file the environment names, else the first there is; and its path.
    async fn file(&self) -> Result<(CredentialFile, String), Miss> {
        let read = async |path: PathBuf| {
            let shown = path.display().to_string();
            Ok::<_, Miss>((CredentialFile::read(path).await?, shown))
        };
        if let Some(path) = self.context.var(FILE) {
            let (file, path) = read(PathBuf::from(path)).await.map_err(|miss| refused(FILE, miss))?;
            if file.looks_like_json() {
                let problem = format!(
                    "{FILE} names a file for INI, as the SDKs have it, and it is JSON, as Terraform has it: name it by {} \
                     instead",
                    cli_profile::FILES.join(" or ")
                );
                return Err(Miss::Refused(file.mistake(Some(1), &problem)));
            }
            return Ok((file, path));
        }
        for path in FILES.into_iter().filter_map(|path| self.context.in_home(path)) {
            match read(path).await {
                Err(Miss::NotConfigured(_)) => {}
                found => return found,
            }
        }
        let [first, second] = FILES;
        Err(Miss::NotConfigured(format!("{FILE} is not set, and neither ~/{first} nor ~/{second} is there")))
    }

    fn provider(
        &self,
        file: &CredentialFile,
        path: &str,
        section: &IniSection,
    ) -> Result<Arc<dyn CredentialProvider>> {
        let given = ini::text(section, ini::TYPE);
        let name = format!("section [{}] ({})", section.name.escape_debug(), given.escape_debug());
        let place = Place { context: &self.context, file, path, line: Some(section.line), name };
        let field = |name| ini::field(section, name);
        let required = |name| place.required(&field(name));
        let required_or = |name, variables| place.required_or(&field(name), variables);
        let key = || {
            Ok::<_, Error>(AccessKey::new(required(ini::ACCESS_KEY_ID)?, required(ini::ACCESS_KEY_SECRET)?))
        };
        let role = || {
            let role = Role::new(&self.context, required_or(ini::ROLE_ARN, ROLE_ARN)?)
                .session_name(place.optional(&field(ini::ROLE_SESSION_NAME))?)
                .policy(place.optional(&field(ini::POLICY))?);
            let sts = Sts::new(&self.context, &StsChoice::default()).map_err(|error| place.failed(error))?;
            Ok::<_, Error>((role, sts))
        };
        Ok(match given {
            ini::ACCESS_KEY => place.fixed(key()?),
            ini::RAM_ROLE_ARN => {
                let source = place.fixed(key()?);
                let (role, sts) = role()?;
                place.issued(AssumeRole { sts, role, external_id: None, source })
            }
            ini::OIDC_ROLE_ARN => {
                let (role, sts) = role()?;
                let provider_arn = required_or(ini::OIDC_PROVIDER_ARN, PROVIDER_ARN)?;
                let token_file = required_or(ini::OIDC_TOKEN_FILE, TOKEN_FILE)?;
                let token = OidcToken::In(token_file.into());
                place.issued(AssumeRoleWithOidc { sts, role, provider_arn, token })
            }
            ini::ECS_RAM_ROLE => place.issued(Metadata::of_profile(&place, &field(ini::ROLE_NAME))?),
            _ => {
                let expected = listed(ini::TYPES);
                return Err(place.mistake(&format!("this type is not supported; expected one of {expected}")));
            }
        })
    }
}

/// The section that is chosen, else the default one.
fn section<'a>(
    ini: &'a Ini,
    file: &CredentialFile,
    path: &str,
    chosen: Option<&str>,
) -> Result<&'a IniSection, Miss> {
    ini.section(chosen.unwrap_or(DEFAULT_PROFILE)).ok_or_else(|| {
        let there_are = format!("the sections are: {}", listed(ini.names()));
        match chosen {
            Some(name) => {
                let what = format!("there is no section [{}]; {there_are}", name.escape_debug());
                file.mistake(None, &what).into()
            }
            None => Miss::NotConfigured(format!("{path} has no section [{DEFAULT_PROFILE}]; {there_are}")),
        }
    })
}

#[async_trait]
impl CredentialSource for IniProfile {
    fn name(&self) -> String {
        "credentials file".into()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        let chosen = chosen_profile(&self.context)?;
        let found = self.find_section(chosen.as_ref().map(|(_, name)| name.as_str())).await;
        match chosen {
            // The file before this one has no such profile either, or is not there.
            Some((variable, name)) => found.map_err(|miss| match miss {
                Miss::NotConfigured(what) => {
                    let what = format!("there is no profile {} ({what})", name.escape_debug());
                    refused(variable, Miss::NotConfigured(what))
                }
                miss => refused(variable, miss),
            }),
            None if self.context.var(FILE).is_some() => found.map_err(|miss| refused(FILE, miss)),
            None => found,
        }
    }
}

impl IniProfile {
    async fn find_section(&self, chosen: Option<&str>) -> Result<Arc<AccessKey>, Miss> {
        let (file, path) = self.file().await?;
        let ini = file.ini()?;
        let section = section(&ini, &file, &path, chosen)?;
        if let Some((line, problem)) = ini::ambiguity(section) {
            return Err(Miss::Refused(file.mistake(Some(line), &problem)));
        }
        // Of the section only: who edits another one loses no session.
        let said = ini::FIELDS.map(|name| ini::text(section, name).to_owned());
        let settings: Vec<_> = [path.clone(), section.name.clone()]
            .into_iter()
            .chain(said)
            .chain(environment(&self.context))
            .collect();
        let provider = self.derived.get(&settings, || self.provider(&file, &path, section))?;
        Ok(provider.access_key().await?)
    }
}
