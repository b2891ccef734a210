//! The vitals store on real servers: the contract of all vitals stores, and what hurts these alone.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common {
    pub mod servers;
    pub mod vitals;
}

mod on_prometheus {
    use medmon_testkit::{Prometheus, skip};

    use super::common::servers::{Served, Server};
    use super::common::vitals::{Rig, contract};

    async fn rig(test: &str) -> Option<Box<dyn Rig>> {
        let folder = tempfile::tempdir().unwrap();
        match Prometheus::start(folder.path()) {
            Ok(server) => Some(Box::new(Served::new(folder, Server::Prometheus(server)).await)),
            Err(missing) => {
                skip(&format!("prometheus: {test}"), &missing);
                None
            }
        }
    }

    contract!(rig);
}

mod on_victoria {
    use medmon_testkit::{VictoriaMetrics, skip};

    use super::common::servers::{Served, Server};
    use super::common::vitals::{Rig, contract};

    async fn rig(test: &str) -> Option<Box<dyn Rig>> {
        let folder = tempfile::tempdir().unwrap();
        match VictoriaMetrics::start(folder.path()) {
            Ok(server) => Some(Box::new(Served::new(folder, Server::Victoria(server)).await)),
            Err(missing) => {
                skip(&format!("victoria: {test}"), &missing);
                None
            }
        }
    }

    contract!(rig);
}
