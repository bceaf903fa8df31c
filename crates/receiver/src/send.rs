//! A receiver is one task of many in a program: every public future is `Send`.

use std::future::pending;

use tokio::net::TcpListener;

use crate::{EventSink, MemorySink, Received, Receiver};

fn is_send(_: impl Send) {}

/// Checked by the compiler.
fn receiving(receiver: &Receiver, listener: TcpListener, sink: &dyn EventSink, one: Received) {
    is_send(receiver.serve(listener, pending()));
    is_send(receiver.close());
    is_send(sink.keep(one));
    is_send(sink.check());
    is_send(sink.depth());
    is_send(sink.close());
    is_send(MemorySink::new().wait_for(1));
}

/// Checked by the compiler.
#[cfg(feature = "sqlite")]
fn reading(reader: &crate::InboxReader) {
    is_send(reader.poll("consumer", 1));
    is_send(reader.ack("consumer", 1));
    is_send(reader.forget("consumer"));
    is_send(reader.consumers());
    is_send(reader.read_after(1, 1));
}

/// Checked by the compiler.
#[cfg(feature = "redis")]
fn connecting(url: &secrecy::SecretString, options: crate::RedisOptions) {
    is_send(crate::RedisSink::connect(url, options));
}

#[test]
fn every_future_can_be_sent_to_another_thread() {
    let _ = receiving;
    #[cfg(feature = "sqlite")]
    let _ = reading;
    #[cfg(feature = "redis")]
    let _ = connecting;
}
