//! `record-callback get`

use record_callback::{CallbackKey, Error, ErrorKind};

use crate::args::OneArguments;
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(arguments: OneArguments) -> Result<(), Failure> {
    let provider = arguments.cloud.connect()?;
    let key = CallbackKey::from(arguments.key);
    let Some(stored) = provider.get(&key).await? else {
        let error = Error::new(ErrorKind::NotFound, format!("there is no config for {key}"));
        return Err(error.with_vendor(provider.vendor()).into());
    };
    Ok(output::print(arguments.output.output, &stored, output::details)?)
}
