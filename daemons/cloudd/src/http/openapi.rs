//! The OpenAPI document, made of the handlers themselves, so that it cannot say what they do not do.

use medmon_api::{Problem, problem};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, alerts, assignments, board, contacts, events, fleet, gateway, limits, notes, patients};
use super::{quarantine, session, totals, vitals, wards};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "medmon",
        version = "1",
        description = "Patients watched at home. Errors are RFC 9457 problems; writes accept `Idempotency-Key`; lists page by cursor.",
        license(name = "Apache-2.0 OR MIT")
    ),
    components(schemas(Problem)),
    security(("token" = []))
)]
struct Frame;

/// All documented routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Frame::openapi())
        .routes(routes!(session::whoami))
        .routes(routes!(session::list, session::create))
        .routes(routes!(session::revoke))
        .routes(routes!(wards::list, wards::add))
        .routes(routes!(wards::sites, wards::add_site))
        .routes(routes!(patients::list, patients::add))
        .routes(routes!(patients::show, patients::edit))
        .routes(routes!(limits::show, limits::set))
        .routes(routes!(contacts::list, contacts::add))
        .routes(routes!(contacts::edit, contacts::remove))
        .routes(routes!(contacts::test))
        .routes(routes!(assignments::list, assignments::bind))
        .routes(routes!(assignments::unbind))
        .routes(routes!(assignments::devices, assignments::set_devices))
        .routes(routes!(assignments::history))
        .routes(routes!(notes::reports, notes::add_report))
        .routes(routes!(notes::report))
        .routes(routes!(notes::feelings, notes::add_feeling))
        .routes(routes!(vitals::latest))
        .routes(routes!(vitals::series))
        .routes(routes!(vitals::erase))
        .routes(routes!(totals::show))
        .routes(routes!(alerts::of_patient))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::show))
        .routes(routes!(alerts::segment))
        .routes(routes!(alerts::ack))
        .routes(routes!(alerts::silence))
        .routes(routes!(board::show))
        .routes(routes!(events::listen))
        .routes(routes!(fleet::list, fleet::add))
        .routes(routes!(fleet::show, fleet::revoke))
        .routes(routes!(fleet::code))
        .routes(routes!(fleet::pair))
        .routes(routes!(quarantine::list))
        .routes(routes!(quarantine::release))
        .routes(routes!(quarantine::dismiss))
        .routes(routes!(gateway::enrol))
        .routes(routes!(gateway::ingest))
        .routes(routes!(gateway::settings))
        .routes(routes!(gateway::pull_facts, gateway::push_facts))
        .routes(routes!(gateway::push_segment))
        .routes(routes!(gateway::heartbeat))
        .routes(routes!(gateway::contact_now))
}

/// The whole document.
pub fn document() -> OpenApi {
    finish(routes().into_openapi())
}

/// Adds what holds for every operation: the token, and the problem as the answer to all that goes wrong.
pub fn finish(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            add_problem(operation);
        }
    }
    document
}

fn add_problem(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let problem = ResponseBuilder::new().description("A problem").content(problem::MEDIA_TYPE, content).build();
    operation.responses.responses.insert("default".into(), RefOr::T(problem));
}
