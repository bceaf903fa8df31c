//! `record-callback get`

use record_callback::CallbackKey;

use super::existing;
use crate::args::GetArguments;
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(arguments: GetArguments) -> Result<(), Failure> {
    let provider = arguments.cloud.connect()?;
    let stored = existing(&*provider, &CallbackKey::from(arguments.key)).await?;
    Ok(output::print(arguments.output.output, &stored, output::details)?)
}
