//! `record-callback schema`

use record_callback::ProviderConfig;
use record_callback::fleet::schema;

use crate::args::Format;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run() -> Result<(), Failure> {
    let pretty = |schema: &serde_json::Value| format!("{schema:#}");
    Ok(output::print(Format::Text, &schema::<ProviderConfig>(), pretty)?)
}
