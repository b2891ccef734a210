//! The OpenAPI document is a snapshot, so that a change of the API is seen in review; and how errors look.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use common::World;
use medmon_api::paths;
use reqwest::Method;

#[test]
fn the_document_is_as_reviewed() {
    insta::assert_json_snapshot!(medmon_cloudd::http::document());
}

#[tokio::test]
async fn the_document_is_served_and_lists_every_path_of_the_client() {
    let world = World::new().await;
    let document = world.nurse.with_token(None).unwrap().openapi().await.unwrap();
    let served = document["paths"].as_object().unwrap();
    for path in [paths::INGEST, paths::BOARD, paths::VITALS, paths::ALERT_ACK, paths::FACTS, paths::CONTACT] {
        assert!(served.contains_key(path), "{path}");
    }
    for (path, item) in served {
        for operation in item.as_object().unwrap().values().filter_map(|value| value.as_object()) {
            assert!(operation["responses"].get("default").is_some(), "{path} says how it fails");
        }
    }
}

#[tokio::test]
async fn errors_are_problems_that_name_the_place() {
    let world = World::new().await;
    let patient = world.patient("DOE Jeanne").await;
    let token = world.running.cloud.create_token(medmon_core::noun::Role::Doctor, "B", None, None, None).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let ask = async |method: Method, path: &str, body: &'static str, authorised: bool| {
        let mut request = http.request(method, format!("{}{path}", world.running.url())).body(body);
        if authorised {
            request = request.bearer_auth(&token.token);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(kind, "application/problem+json", "{path}");
        assert_eq!(problem["status"], status);
        let slug = problem["type"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        (status, slug, problem["detail"].as_str().unwrap().to_owned())
    };
    let feelings = paths::fill(paths::FEELINGS, &[&patient.id.to_string()]);
    let (status, slug, detail) = ask(Method::POST, &feelings, r#"{"mood": "good"}"#, true).await;
    assert_eq!((status, slug.as_str()), (400, "invalid"));
    assert!(detail.contains("mood"), "{detail}");
    for (method, path, body, authorised, expected) in [
        (Method::POST, feelings.as_str(), "{", true, (400, "invalid")),
        (Method::GET, "/v1/patients/x", "", true, (400, "invalid")),
        (Method::GET, "/v1/patients?limit=many", "", true, (400, "invalid")),
        (Method::GET, "/v1/patients", "", false, (401, "unauthenticated")),
        (Method::GET, "/v1/tokens", "", true, (403, "forbidden")),
        (Method::GET, "/v1/nothing", "", true, (404, "not-found")),
        (Method::DELETE, "/v1/patients", "", true, (405, "method-not-allowed")),
    ] {
        let (status, slug, detail) = ask(method, path, body, authorised).await;
        assert_eq!((status, slug.as_str()), expected, "{path}: {detail}");
        assert!(!detail.is_empty());
    }
}
