//! Tests start their clouds wherever they run: every public future of the mocks is `Send`.

use std::net::SocketAddr;

use record_callback_mock::{
    AliyunEvent, AliyunSender, HuaweicloudEvent, HuaweicloudSender, MockAdmin, MockAliyun, MockHuaweicloud,
    OnDemandRequest,
};

fn is_send(_: impl Send) {}

/// Checked by the compiler.
fn aliyun(mock: MockAliyun, sender: &AliyunSender, event: AliyunEvent, request: &OnDemandRequest) {
    is_send(MockAliyun::builder().start());
    is_send(mock.refuse_connections());
    is_send(mock.accept_connections());
    is_send(mock.refuse_metadata_connections());
    is_send(mock.accept_metadata_connections());
    is_send(sender.send(&event));
    is_send(sender.ask_on_demand(request));
    is_send(mock.trigger(event));
    is_send(mock.ask_on_demand(request));
    is_send(mock.shutdown());
}

/// Checked by the compiler.
fn huaweicloud(mock: MockHuaweicloud, sender: &HuaweicloudSender, event: HuaweicloudEvent) {
    is_send(MockHuaweicloud::builder().start());
    is_send(mock.refuse_connections());
    is_send(mock.accept_connections());
    is_send(mock.refuse_metadata_connections());
    is_send(mock.accept_metadata_connections());
    is_send(sender.send(&event));
    is_send(mock.trigger(event));
    is_send(mock.shutdown());
}

/// Checked by the compiler.
fn admin(addr: SocketAddr, aliyun: &MockAliyun, huaweicloud: &MockHuaweicloud, admin: MockAdmin) {
    is_send(MockAdmin::start(addr, aliyun, huaweicloud));
    is_send(admin.shutdown());
}

#[test]
fn every_future_can_be_sent_to_another_thread() {
    let _ = (aliyun, huaweicloud, admin);
}
