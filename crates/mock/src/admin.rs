//! Controlling running mocks over HTTP, for tests that are not written in Rust.

use std::{collections::BTreeMap, fmt, io, net::SocketAddr, pin::Pin, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use jiff::SignedDuration;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};
use tracing::warn;

use crate::{
    aliyun::MockAliyun,
    clock::Clock,
    delivery::TriggerOutcome,
    faults::{Fault, Faults},
    huaweicloud::MockHuaweicloud,
    recorded::RequestLog,
    server::{DRAIN_LIMIT, Gate},
};

/// A listener that controls both mocks in JSON.
///
/// `{cloud}` is `aliyun`, `aliyun-sts`, `aliyun-metadata`, `huaweicloud`, `huaweicloud-iam` (with STS) or
/// `huaweicloud-metadata` (with pod identity):
///
/// | Request | Body | What it does |
/// |---|---|---|
/// | `GET /` | | names the clouds |
/// | `GET /{cloud}` | | how many `requests` there were, and how many of them a fault `struck` |
/// | `GET /{cloud}/faults` | | the faults that are still to come |
/// | `POST /{cloud}/faults` | a [`Fault`], or a list of them | adds them |
/// | `DELETE /{cloud}/faults` | | forgets them |
/// | `GET /{cloud}/requests` | | the newest requests: method, path, operation, status, code and fault |
/// | `PUT /{cloud}/clock` | `{"ahead_seconds": 3600}` | sets the clock, which runs on; below zero it is behind |
/// | `PUT /{cloud}/connections` | `{"refused": true}` | refuses connections, or takes them again |
/// | `POST /{cloud}/events` | the body of an event, as the vendor has it | delivers it, if a configuration asks for it |
/// | `DELETE /huaweicloud-iam/tokens` | | makes every token of IAM invalid |
/// | `PUT /aliyun/unsafe-hosts` | `["cb.example.com"]` | sets the hosts that no callback URL may name |
///
/// An event is answered with its `outcome` (`delivered`, `not_subscribed` or `no_config`), the number of `attempts`, and
/// whether it was `acknowledged`. Anything else that is done is answered with 204, a body that is not understood with 400
/// and `{"error": …}`. There is no authentication: listen on loopback. It never shows a secret, a query or a body of a
/// request. It stops when it is dropped.
pub struct MockAdmin {
    endpoint: String,
    /// Dropping the sender is the signal to stop.
    running: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What can be controlled of one listener.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) name: &'static str,
    pub(crate) faults: Faults,
    pub(crate) log: RequestLog,
    pub(crate) clock: Clock,
    pub(crate) gate: Gate,
    /// Makes every token invalid.
    pub(crate) revoke_tokens: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Sets the hosts that no callback URL may name.
    pub(crate) set_unsafe_hosts: Option<SetHosts>,
    /// Lets an event with this body happen.
    pub(crate) trigger: Option<Trigger>,
}

pub(crate) type SetHosts = Arc<dyn Fn(Vec<String>) + Send + Sync>;

pub(crate) type Trigger =
    Arc<dyn Fn(Value) -> Pin<Box<dyn Future<Output = TriggerOutcome> + Send>> + Send + Sync>;

type Controls = Arc<BTreeMap<&'static str, Control>>;

impl MockAdmin {
    /// Starts to listen.
    pub async fn start(
        addr: SocketAddr,
        aliyun: &MockAliyun,
        huaweicloud: &MockHuaweicloud,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await.map_err(|error| {
            io::Error::new(error.kind(), format!("the mock's admin port cannot be {addr}: {error}"))
        })?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let controls = aliyun.controls().into_iter().chain(huaweicloud.controls());
        let controls: Controls = Arc::new(controls.map(|control| (control.name, control)).collect());
        let router = Router::new()
            .route("/", get(clouds))
            .route("/{cloud}", get(counts))
            .route("/{cloud}/faults", get(faults).post(add_faults).delete(clear_faults))
            .route("/{cloud}/requests", get(requests))
            .route("/{cloud}/clock", put(set_clock))
            .route("/{cloud}/connections", put(set_connections))
            .route("/{cloud}/events", post(trigger))
            .route("/{cloud}/tokens", delete(revoke_tokens))
            .route("/{cloud}/unsafe-hosts", put(set_unsafe_hosts))
            .with_state(controls);
        let (running, dropped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async move {
                let _ = dropped.await;
            };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                warn!(%error, "the mock's admin port failed");
            }
        });
        Ok(Self { endpoint, running, task })
    }

    /// The address to send requests to, such as `http://127.0.0.1:41235`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stops listening, and lets requests in flight finish, for a few seconds at most.
    pub async fn shutdown(mut self) {
        drop(self.running);
        if timeout(DRAIN_LIMIT, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl fmt::Debug for MockAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockAdmin").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// What is wrong with a request.
struct Problem(StatusCode, String);

impl Problem {
    fn bad(problem: impl fmt::Display) -> Self {
        Self(StatusCode::BAD_REQUEST, problem.to_string())
    }

    fn missing(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, json_body(&json!({ "error": self.1 }))).into_response()
    }
}

fn json_body(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(Problem::bad)
}

fn control<'a>(controls: &'a Controls, cloud: &str) -> Result<&'a Control, Problem> {
    controls.get(cloud).ok_or_else(|| {
        let known: Vec<&str> = controls.keys().copied().collect();
        Problem::missing(&format!("cloud `{cloud}`: there are {}", known.join(", ")))
    })
}

async fn clouds(State(controls): State<Controls>) -> Response {
    json_body(&json!({ "clouds": controls.keys().collect::<Vec<_>>() }))
}

async fn counts(State(controls): State<Controls>, Path(cloud): Path<String>) -> Result<Response, Problem> {
    let control = control(&controls, &cloud)?;
    Ok(json_body(&json!({ "requests": control.log.seen(), "struck": control.faults.struck() })))
}

async fn faults(State(controls): State<Controls>, Path(cloud): Path<String>) -> Result<Response, Problem> {
    Ok(json_body(&json!(control(&controls, &cloud)?.faults.to_come())))
}

async fn add_faults(
    State(controls): State<Controls>,
    Path(cloud): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let control = control(&controls, &cloud)?;
    let given = match read(&body)? {
        Value::Array(faults) => faults,
        fault => vec![fault],
    };
    let faults = given.into_iter().map(fault).collect::<Result<Vec<_>, _>>()?;
    for fault in faults {
        control.faults.add(fault);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Reads a fault. A misspelt field must not make it one of every exchange.
fn fault(json: Value) -> Result<Fault, Problem> {
    let unknown = json.as_object().and_then(|fields| fields.keys().find(|name| !Fault::has_field(name)));
    if let Some(name) = unknown {
        return Err(Problem::bad(format!("unknown field `{name}`")));
    }
    let fault: Fault = serde_json::from_value(json).map_err(Problem::bad)?;
    match fault.problem() {
        Some(problem) => Err(Problem::bad(problem)),
        None => Ok(fault),
    }
}

async fn clear_faults(
    State(controls): State<Controls>,
    Path(cloud): Path<String>,
) -> Result<StatusCode, Problem> {
    control(&controls, &cloud)?.faults.clear();
    Ok(StatusCode::NO_CONTENT)
}

async fn requests(State(controls): State<Controls>, Path(cloud): Path<String>) -> Result<Response, Problem> {
    let requests = control(&controls, &cloud)?.log.snapshot();
    let shown = requests.iter().map(|request| {
        json!({
            "method": request.method(),
            "path": request.path(),
            "operation": request.operation(),
            "status": request.status(),
            "code": request.code(),
            "fault": request.fault(),
        })
    });
    Ok(json_body(&shown.collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    ahead_seconds: i64,
}

async fn set_clock(
    State(controls): State<Controls>,
    Path(cloud): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let control = control(&controls, &cloud)?;
    let Time { ahead_seconds } = read(&body)?;
    control.clock.run_ahead(SignedDuration::from_secs(ahead_seconds));
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connections {
    refused: bool,
}

async fn set_connections(
    State(controls): State<Controls>,
    Path(cloud): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let control = control(&controls, &cloud)?;
    let Connections { refused } = read(&body)?;
    let lost = |error: io::Error| Problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    control.gate.set_open(!refused).await.map_err(lost)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn trigger(
    State(controls): State<Controls>,
    Path(cloud): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let trigger = control(&controls, &cloud)?.trigger.as_ref();
    let trigger = trigger.ok_or_else(|| Problem::missing(&format!("event of `{cloud}`")))?;
    let outcome = trigger(read(&body)?).await;
    let name = match &outcome {
        TriggerOutcome::Delivered(_) => "delivered",
        TriggerOutcome::NotSubscribed => "not_subscribed",
        TriggerOutcome::NoConfig => "no_config",
    };
    Ok(json_body(&json!({
        "outcome": name,
        "attempts": outcome.report().map_or(0, |report| report.attempts.len()),
        "acknowledged": outcome.is_acknowledged(),
    })))
}

async fn revoke_tokens(
    State(controls): State<Controls>,
    Path(cloud): Path<String>,
) -> Result<StatusCode, Problem> {
    let revoke = control(&controls, &cloud)?.revoke_tokens.as_ref();
    revoke.ok_or_else(|| Problem::missing(&format!("token of `{cloud}`")))?();
    Ok(StatusCode::NO_CONTENT)
}

async fn set_unsafe_hosts(
    State(controls): State<Controls>,
    Path(cloud): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let set = control(&controls, &cloud)?.set_unsafe_hosts.as_ref();
    set.ok_or_else(|| Problem::missing(&format!("unsafe host of `{cloud}`")))?(read(&body)?);
    Ok(StatusCode::NO_CONTENT)
}
